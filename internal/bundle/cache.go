package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2/maybe"
)

// Cache is a folder that holds the last good copy of bundles. What is in it is
// no better than who can write there: only a signature says that a copy was ever
// the server's.
type Cache struct{ Dir string }

// file returns where the bundle at url is kept. The name says nothing about the
// URL, which may hold a secret.
func (c Cache) file(url string) string {
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(c.Dir, hex.EncodeToString(sum[:16])+".tar.gz")
}

// Keep writes the bundle at url, whole or not at all, readable by its owner
// alone. It makes the folder where that is missing.
func (c Cache) Keep(url string, data []byte) error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("keep a copy of the bundle: %w", err)
	}
	if err := maybe.WriteFile(c.file(url), data, 0o600); err != nil {
		return fmt.Errorf("keep a copy of the bundle: %w", err)
	}
	return nil
}

// Kept returns the copy of the bundle at url, of maxBytes at most, and when it
// was written.
func (c Cache) Kept(url string, maxBytes int64) ([]byte, time.Time, error) {
	name := c.file(url)
	info, err := os.Stat(name) // before opening: a FIFO would wait for a writer
	if err != nil {
		return nil, time.Time{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxBytes {
		return nil, time.Time{}, fmt.Errorf("%s is no bundle", name)
	}
	data, err := os.ReadFile(name)
	return data, info.ModTime(), err
}
