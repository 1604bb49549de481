package mounts

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// kernelKinds are file systems in which files are switches of the kernel, or name
// programs that it runs: core_pattern in any /proc, release_agent in any control
// group of version 1. Most ask who owns the file, not for a capability.
var kernelKinds = []string{
	"proc", "sysfs", "cgroup", "cgroup2", "binfmt_misc", "configfs", "debugfs", "tracefs", "securityfs", "efivarfs",
	"bpf", "pstore", "selinuxfs", "smackfs", "resctrl", "fusectl", "nfsd", "rpc_pipefs", "xenfs", "devtmpfs",
}

// kernelElsewhere makes such file systems read-only wherever they are, as in a
// tree that is prepared for chroot(2).
func (t *tree) kernelElsewhere() error {
	for _, m := range t.mounts {
		if !slices.Contains(kernelKinds, m.kind) || under(m.target, "/proc") { // that one is fresh
			continue
		}
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		err := unix.MountSetattr(unix.AT_FDCWD, m.target, unix.AT_SYMLINK_NOFOLLOW, &attr)
		// What is covered by another mount cannot be reached: nothing is at its path
		// any more, or something that is no mount.
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("make %s read-only: %w", m.target, err)
		}
	}
	return nil
}

// noDevices has no device node open but those that are shown afterwards, by
// showDevice: a tree for chroot(2) has its own, and root may open a disk's.
func noDevices() error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("close the devices: %w", err)
	}
	return nil
}

// showDevice binds source, a device node or a directory of them, over target.
func showDevice(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s: %w", source, err)
	}
	attr := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("show %s: %w", source, err)
	}
	return nil
}
