package mounts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxCopied bounds what a copy of a trust store may hold, in bytes; Debian's has
// 0.5 MB. It is kept in memory.
const maxCopied = 16 << 20

// copied shows a copy of the directory with its layer in it, for where an overlay
// cannot be had: the kernel refuses one over a directory in which something is
// mounted by a user namespace above (clone_private_mount in fs/namespace.c), and
// containers often are given their roots by a mount over one file.
func (s *stores) copied(dir string) error {
	if err := copyInto(s.layers[dir], dir); err != nil {
		return err
	}
	if err := bind(s.layers[dir], dir); err != nil {
		return err
	}
	s.tree.covered = append(s.tree.covered, dir)
	if s.plan.Root {
		return nil
	}
	return readOnly(dir)
}

// copyInto copies what layer does not have already. Links stay links: most of
// what such a directory holds are some.
func copyInto(layer, dir string) error {
	var size int64
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		target := filepath.Join(layer, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		switch d.Type() {
		case fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case 0:
			info, err := d.Info()
			if err != nil {
				return err
			}
			if size += info.Size(); size > maxCopied {
				return fmt.Errorf("it holds more than %d MB", maxCopied>>20)
			}
			return copyFile(path, target)
		}
		return nil
	})
}

// copyFile leaves out what the user may not read: nor could the command.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if errors.Is(err, unix.EACCES) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
