package mounts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// rebuildRun shows a directory below which something is mounted, entry by entry: what
// was mounted outside cannot be parted from what it covers, so the kernel takes no
// such directory for an overlay (mount_namespaces(7), "locked"; clone_private_mount
// in fs/namespace.c). What is mounted there has a place of its own.
func (t *tree) rebuildRun(p place, st unix.Stat_t) error {
	if err := unix.Mount("tmpfs", p.path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("hide %s: %w", p.path, err)
	}
	t.covered = append(t.covered, p.path)
	if err := t.like(p.path, st); err != nil {
		return err
	}
	return t.rebuildEntries(p)
}

func (t *tree) rebuildEntries(p place) error {
	entries, err := os.ReadDir(fdPath(p.fd))
	if err != nil {
		t.warn(err, "show "+p.path)
		return nil // what cannot be listed stays hidden
	}
	for _, e := range entries {
		t.warn(t.rebuildEntry(p, e.Name()), "show "+filepath.Join(p.path, e.Name()))
	}
	return nil
}

func (t *tree) rebuildEntry(dir place, name string) error {
	path := filepath.Join(dir.path, name)
	if slices.ContainsFunc(t.run, func(p place) bool { return p.path == path }) {
		return t.mountPoint(path)
	}
	fd, err := unix.Openat(dir.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // who cannot reach it outside cannot here
	}
	defer unix.Close(fd)
	p, st := place{path, fd}, unix.Stat_t{}
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err := os.Readlink(filepath.Join(fdPath(dir.fd), name))
		if err != nil {
			return err
		}
		return os.Symlink(target, path)
	case unix.S_IFREG:
		return t.rebuildFile(p, st)
	case unix.S_IFDIR:
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		if slices.ContainsFunc(t.run, func(inner place) bool { return under(inner.path, path) }) {
			if err := t.like(path, st); err != nil {
				return err
			}
			return t.rebuildEntries(p)
		}
		return t.overlayRun(p, st)
	default:
		// Sockets, pipes and devices are what is to be hidden.
		if slices.Contains(t.plan.AllowSockets, path) {
			return os.WriteFile(path, nil, 0o600) // see keepSockets
		}
		return nil
	}
}

// maxShown bounds the files that are copied, in bytes. Most are a few.
const maxShown = 1 << 20

// rebuildFile shows a copy, which can be written to without the host's being so. What
// is too large, or is not ours to read, is shown as it is, read-only.
func (t *tree) rebuildFile(p place, st unix.Stat_t) error {
	if st.Size <= maxShown {
		if data, err := os.ReadFile(fdPath(p.fd)); err == nil {
			return errors.Join(os.WriteFile(p.path, data, 0o600), t.like(p.path, st))
		}
	}
	if err := os.WriteFile(p.path, nil, 0o600); err != nil {
		return err
	}
	if err := bind(fdPath(p.fd), p.path); err != nil {
		return err
	}
	return readOnly(p.path)
}

// mountPoint makes what a place of its own can be shown over.
func (t *tree) mountPoint(path string) error {
	i := slices.IndexFunc(t.run, func(p place) bool { return p.path == path })
	var st unix.Stat_t
	if err := unix.Fstat(t.run[i].fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return os.Mkdir(path, 0o755)
	}
	return os.WriteFile(path, nil, 0o600)
}

// like gives a new directory the mode and, where there are several users, the owner
// of another one.
func (t *tree) like(path string, st unix.Stat_t) error {
	if t.plan.Root {
		if err := os.Chown(path, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return unix.Chmod(path, st.Mode&0o7777)
}
