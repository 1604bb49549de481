package mounts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What belongs to the host's root although no capability is left: files whose
// owner is asked, not the owner's capabilities.
var (
	// procShared are the parts of /proc that are the whole machine's
	// (core_pattern names a program that the host's kernel runs).
	procShared = []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi"}
	// procSecret are read by their owner.
	procSecret = []string{"/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list"}
	// laterRun hold what a daemon of the host would run later.
	laterRun = []string{"/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/var/spool/cron"}
	// devices are what programs need; a disk's node is the disk.
	devices = []string{"null", "zero", "full", "random", "urandom", "tty"}
	// deviceDirs are file systems of their own below /dev. The message queues are
	// left out: those that are mounted belong to the host.
	deviceDirs = []string{"shm"}
)

// hideRoot takes away what the host's root can reach by owning it.
func (t *tree) hideRoot() error {
	if err := noDevices(); err != nil {
		return err
	}
	if err := t.kernelElsewhere(); err != nil {
		return err
	}
	for _, path := range procShared {
		if err := readOnly(path); err != nil {
			return err
		}
	}
	for _, path := range procSecret {
		if err := showDevice("/dev/null", path); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	if err := readOnly("/sys"); err != nil {
		return err
	}
	for _, path := range laterRun {
		if err := t.keepInside(path); err != nil {
			return err
		}
	}
	if err := readOnly("/etc/crontab"); err != nil {
		return err
	}
	return t.devices()
}

// readOnly makes what is at path read-only, and all that is mounted below it.
// mount_setattr(2) is there since Linux 5.12.
func readOnly(path string) error {
	err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, "")
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil {
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		err = unix.MountSetattr(unix.AT_FDCWD, path, unix.AT_RECURSIVE, &attr)
	}
	if err != nil {
		return fmt.Errorf("make %s read-only: %w", path, err)
	}
	return nil
}

// keepInside lets a directory be written in the jail's copy only.
func (t *tree) keepInside(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	layer, err := t.layer()
	if err != nil {
		return err
	}
	return t.overlay(path, fdPath(fd), layer, false)
}

// devices puts a /dev of harmless devices in place of the host's.
func (t *tree) devices() error {
	dev, err := t.layer()
	if err != nil {
		return err
	}
	names := slices.Clone(devices)
	for _, path := range t.plan.Terminals {
		if rel, ok := strings.CutPrefix(path, "/dev/"); ok && !strings.Contains(rel, "/") {
			names = append(names, rel)
		}
	}
	for _, name := range names {
		if err := bindInto(dev, name, func(p string) error { return os.WriteFile(p, nil, 0o600) }); err != nil {
			return err
		}
	}
	for _, name := range deviceDirs {
		if err := bindInto(dev, name, func(p string) error { return os.Mkdir(p, 0o755) }); err != nil {
			return err
		}
	}
	if err := t.terminals(filepath.Join(dev, "pts")); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx",
		"fd":   "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	// Its own mount too is like the host's: in a namespace within, what a mount has
	// more cannot be taken back, as buildah does (mount_namespaces(7), "locked").
	return showDevice(dev, "/dev")
}

// terminals mounts the pseudo-terminals: new ones, and nobody else's, unless the
// command has one of the host's, which it must find under its name
// (ttyname(3)).
func (t *tree) terminals(pts string) error {
	if err := os.Mkdir(pts, 0o755); err != nil {
		return err
	}
	if slices.ContainsFunc(t.plan.Terminals, func(path string) bool { return under(path, "/dev/pts") }) {
		return showDevice("/dev/pts", pts)
	}
	err := unix.Mount("devpts", pts, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
	if err != nil {
		return fmt.Errorf("mount pseudo-terminals: %w", err)
	}
	return nil
}

func bindInto(dev, name string, make func(string) error) error {
	source, target := filepath.Join("/dev", name), filepath.Join(dev, name)
	if _, err := os.Stat(source); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := make(target); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return showDevice(source, target)
}
