package mounts

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// runtimeDirs are where host services keep their sockets (file-hierarchy(7)).
var runtimeDirs = []string{"/run", "/var/run"}

// openRun takes hold of the runtime directories and of the mounts below them,
// outermost first. What cannot be opened stays hidden.
func (t *tree) openRun() {
	var paths []string
	for _, dir := range runtimeDirs {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || real == "/" || slices.ContainsFunc(paths, func(p string) bool { return under(real, p) }) {
			continue
		}
		paths = append(paths, real)
		for _, m := range t.mounts {
			if m.target != real && under(m.target, real) && m.kind != "nsfs" {
				paths = append(paths, m.target)
			}
		}
	}
	// Outer before inner: "/run" sorts before "/run/user/1000".
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			t.run = append(t.run, place{path, fd})
		}
	}
}

// hideRun overlays the runtime directories. A socket seen through an overlay is
// another inode than the one that a server bound, so connecting to it is
// refused, while files stay readable. Sockets made later by the host's services
// are hidden as well.
func (t *tree) hideRun() error {
	for i, p := range t.run {
		var st unix.Stat_t
		if err := unix.Fstat(p.fd, &st); err != nil {
			continue
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			err := t.overlayRun(p, st)
			if errors.Is(err, unix.EINVAL) {
				err = t.rebuildRun(p, st)
			}
			if err != nil && i == 0 {
				// The scratch tmpfs lies there: the sockets are hidden, and so is
				// everything else.
				err = t.emptyRun(p.path)
			}
			if err != nil && !t.isHidden(p.path) {
				return err
			}
			t.warn(err, "show "+p.path)
		case unix.S_IFREG:
			t.warn(bind(fdPath(p.fd), p.path), "show "+p.path)
		}
	}
	return nil
}

func (t *tree) overlayRun(p place, st unix.Stat_t) error {
	layer, err := t.layer()
	if err != nil {
		return err
	}
	if err := t.like(layer, st); err != nil {
		return err
	}
	return t.overlay(p.path, fdPath(p.fd), layer, false)
}

// emptyRun covers the directory with an empty one, where overlays do not work.
func (t *tree) emptyRun(path string) error {
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("hide %s: %w", path, err)
	}
	t.covered = append(t.covered, path)
	t.warnings = append(t.warnings, path+" is empty: overlays do not work here")
	return nil
}

// isHidden reports whether a directory around path has been covered.
func (t *tree) isHidden(path string) bool {
	return slices.ContainsFunc(t.covered, func(dir string) bool { return path != dir && under(path, dir) })
}
