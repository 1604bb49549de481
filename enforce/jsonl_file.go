package enforce

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// CreateLog opens a log at path, creating the file or emptying it; only its
// owner can read it, where the file is ours and the file system knows modes. It
// proves that the log can be written to, so that a full disk is an error before
// the command starts and not with its first request. In a regular file no trace
// of that is left; a pipe or a device gets one space, which JSON allows before
// the first value. Opening a FIFO waits for its reader, as in a shell.
func CreateLog(path string) (*Log, error) {
	// Appending keeps lines whole when another process empties the file, as
	// log rotation by copying does.
	const flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC | os.O_APPEND
	f, err := os.OpenFile(path, flags|os.O_EXCL, 0o600)
	made := err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, flags, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("open the event log: %w", err)
	}
	regular, err := probe(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the event log cannot be written to: %w: make room, or name another file", err), f.Close())
	}
	l := NewLog(f)
	if regular {
		l.file = &logFile{File: f, path: path, made: made, sum: sha256.New()}
		if l.file.full, err = filepath.Abs(path); err != nil {
			return nil, errors.Join(fmt.Errorf("open the event log: %w", err), f.Close())
		}
	}
	return l, nil
}

// probe writes a byte to f and takes it back where that is possible.
func probe(f *os.File) (regular bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if _, err := f.Write([]byte(" ")); err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, nil
	}
	if info.Mode().Perm()&0o077 != 0 {
		// The file was there already. A file that is not ours, or a file system
		// without modes, refuses; the user chose it.
		_ = f.Chmod(0o600)
	}
	return true, f.Truncate(0)
}

// logFile is a regular file that a log is written to, and what must be in it.
type logFile struct {
	*os.File
	path string
	full string    // absolute: the working directory can be moved meanwhile
	made bool      // by this log
	give bool      // to uid and gid, when it is closed
	uid  int       // of who gets it
	gid  int       // as well
	sum  hash.Hash // of what was written
	size int64
}

func (f *logFile) wrote(lines []byte) {
	f.sum.Write(lines)
	f.size += int64(len(lines))
}

// close leaves the closing of the file itself to the log.
func (f *logFile) close() {
	if f.give && f.made {
		_ = f.Chown(f.uid, f.gid)
	}
}

// GiveTo makes a user the owner of the log's file when the log is closed, and not
// before: until then the command, where it runs as that user, cannot write to it. A
// file that was there before the log keeps its owner; a file system that knows no
// owners is none the worse.
func (l *Log) GiveTo(uid, gid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.give, l.file.uid, l.file.gid = true, uid, gid
	}
}

// Verify writes what waits and reads the file again: it returns the SHA-256 of
// the log in hexadecimal, or an error where the file has other content or is no
// longer to be found by its name. The command can do both where it runs as the
// user that the file belongs to, and what it leaves must not pass for evidence. Of a
// log that is no regular file there is nothing to say: "" and nil.
func (l *Log) Verify() (digest string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.flush(); err != nil || l.file == nil {
		return "", err
	}
	for l.writing {
		l.ready.Wait()
	}
	return l.file.verify()
}

func (f *logFile) verify() (digest string, err error) {
	ours, err := f.Stat()
	if err != nil {
		return "", err
	}
	there, err := os.Stat(f.full) // before it is opened: a FIFO would wait for a writer
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s was removed meanwhile", f.path)
	}
	if err != nil {
		return "", err
	}
	if !os.SameFile(ours, there) {
		return "", fmt.Errorf("%s was replaced meanwhile by another file", f.path)
	}
	content, err := os.Open(f.full)
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }()
	sum := sha256.New()
	size, err := io.Copy(sum, content)
	if err != nil {
		return "", err
	}
	got := sum.Sum(nil)
	if size != f.size || !bytes.Equal(got, f.sum.Sum(nil)) {
		return "", fmt.Errorf("%s was changed meanwhile by another program", f.path)
	}
	return hex.EncodeToString(got), nil
}
