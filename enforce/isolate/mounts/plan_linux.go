package mounts

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Plan says what the tree is to look like. It crosses a process boundary as
// JSON.
type Plan struct {
	// CA is the run's certificate as PEM text; empty adds none.
	CA []byte
	// JavaHomes are Java installations besides those in the usual places.
	JavaHomes []string
	// NameServer is the address to write into resolv.conf.
	NameServer string
	// Sockets are the paths of host sockets to hide; see BoundSockets.
	Sockets []string
	// AllowSockets are paths of host sockets to keep.
	AllowSockets []string
	// Sysctls are written below /proc/sys, such as "net/ipv4/x" to "0".
	Sysctls map[string]string
	// Root is set where the command runs as root of the host: then what belongs
	// to root and reaches the whole machine is hidden as well.
	Root bool
	// Terminals are device files that the command has open, for Root.
	Terminals []string
	// Dir is the working directory. It is entered anew, by name: the directory
	// that was inherited may lie under something that has been hidden.
	Dir string
}

// Apply makes the tree. It works on the calling process' own, new mount
// namespace and needs CAP_SYS_ADMIN there. The warnings are about comfort: what
// a tool may miss. An error means that the jail would not be tight.
func Apply(p Plan) (warnings []string, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make the mounts private: %w", err)
	}
	t := &tree{plan: p}
	if t.mounts, err = readMountinfo("/proc/self/mountinfo"); err != nil {
		return nil, err
	}
	if err := t.open(); err != nil {
		return nil, err
	}
	defer t.close()
	steps := []func() error{t.hideRun, t.extend, t.hideSockets, t.keepSockets, t.queues, t.resolver, t.proc}
	if p.Root {
		steps = append(steps, t.hideRoot)
	}
	for _, step := range append(steps, t.trust) {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := os.Chdir(p.Dir); err != nil {
		return nil, fmt.Errorf("enter the working directory: %w", err)
	}
	return t.warnings, nil
}

// tree is the work in progress.
type tree struct {
	plan     Plan
	mounts   []mount
	scratch  int // a directory of a tmpfs that can be reached only through this
	layers   int
	run      []place // directories whose host sockets are hidden as a whole
	allowed  []place
	covered  []string // directories that have been overlaid
	warnings []string
	cert     *x509.Certificate // nil adds none
	java     chan []content    // see extend
}

// place is something that was opened before it was hidden.
type place struct {
	path string
	fd   int
}

// fdPath names an open file so that mount(2) takes it.
func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// open takes hold of all that the later steps hide, and mounts the scratch
// tmpfs, which the overlay of /run then covers.
func (t *tree) open() error {
	if err := t.openAllowed(); err != nil {
		return err
	}
	t.openRun()
	at := "/tmp"
	if len(t.run) > 0 {
		at = t.run[0].path
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	fd, err := unix.Open(at, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the tmpfs: %w", err)
	}
	t.scratch = fd
	if len(t.run) == 0 {
		// Nothing covers it: what is bound from it stays when it is detached.
		defer func() { t.warn(unix.Unmount(at, unix.MNT_DETACH), "detach the tmpfs") }()
	}
	return nil
}

func (t *tree) close() {
	unix.Close(t.scratch)
	for _, p := range append(t.run, t.allowed...) {
		unix.Close(p.fd)
	}
}

func (t *tree) warn(err error, what string) {
	if err != nil {
		t.warnings = append(t.warnings, fmt.Sprintf("%s: %v", what, err))
	}
}

// layer returns a new empty directory of the scratch tmpfs.
func (t *tree) layer() (string, error) {
	dir := fmt.Sprintf("%s/%d", fdPath(t.scratch), t.layers)
	t.layers++
	return dir, os.Mkdir(dir, 0o755)
}

// file writes a new file into the scratch tmpfs and returns its path.
func (t *tree) file(data []byte) (string, error) {
	path := fmt.Sprintf("%s/%d", fdPath(t.scratch), t.layers)
	t.layers++
	return path, os.WriteFile(path, data, 0o644)
}

// bind shows source in place of target, which must be of the same sort.
func bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind over %s: %w", target, err)
	}
	return nil
}

// overlay shows the directory that lower names with the layer over it. What is
// written there is kept in the jail and lost with it; with readOnly nothing can
// be written (Documentation/filesystems/overlayfs.rst; userxattr is what an
// overlay in a user namespace needs).
func (t *tree) overlay(target, lower, layer string, readOnly bool) error {
	options := "userxattr,lowerdir=" + layer + ":" + lower
	if !readOnly {
		work, err := t.layer()
		if err != nil {
			return err
		}
		options = "userxattr,lowerdir=" + lower + ",upperdir=" + layer + ",workdir=" + work
	}
	err := unix.Mount("overlay", target, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options)
	if err != nil {
		return fmt.Errorf("overlay %s: %w", target, err)
	}
	t.covered = append(t.covered, target)
	return nil
}

// proc mounts a /proc that shows the jail's processes only.
func (t *tree) proc() error {
	err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("mount a fresh /proc: %w (parts of this one are masked, as in a container)", err)
	}
	if err != nil {
		return fmt.Errorf("mount a fresh /proc: %w", err)
	}
	for name, value := range t.plan.Sysctls {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}
