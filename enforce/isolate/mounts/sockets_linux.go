package mounts

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// BoundSockets returns the paths of the sockets that processes of the caller's
// network namespace have bound, listening or not: a datagram socket takes
// messages as well. Paths that were relative cannot be found again and are left
// out, and so are abstract names, which do not cross network namespaces.
func BoundSockets() ([]string, error) {
	data, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, fmt.Errorf("list the unix sockets: %w", err)
	}
	return parseUnix(string(data)), nil
}

func parseUnix(text string) []string {
	var paths []string
	for line := range strings.Lines(text) {
		// Num RefCount Protocol Flags Type St Inode Path, the inode padded.
		fields := strings.SplitN(strings.Join(strings.Fields(line), " "), " ", 8)
		at := strings.Index(line, " /")
		if len(fields) < 8 || at < 0 || !strings.HasPrefix(fields[7], "/") {
			continue
		}
		// The path keeps its spaces: it is the rest of the line.
		paths = append(paths, strings.TrimSuffix(line[at+1:], "\n"))
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// hideSockets covers every socket of the plan, and every socket that is itself a
// mount (a docker.sock handed into a container), with the null device:
// connecting is refused then.
func (t *tree) hideSockets() error {
	paths := slices.Clone(t.plan.Sockets)
	for _, m := range t.mounts {
		if m.root != "/" {
			paths = append(paths, m.target)
		}
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if t.isHidden(path) || slices.Contains(t.plan.AllowSockets, path) {
			continue
		}
		if err := hideSocket(path); err != nil {
			return err
		}
	}
	return nil
}

func hideSocket(path string) error {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return nil
	case errors.Is(err, unix.EACCES):
		return nil // what cannot be reached from here the command cannot reach
	case err != nil:
		return fmt.Errorf("look at the socket %s: %w", path, err)
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return nil
	}
	if err := bind("/dev/null", path); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// openAllowed takes hold of the sockets to keep, before they are hidden.
func (t *tree) openAllowed() error {
	for _, path := range t.plan.AllowSockets {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("keep the socket %s: %w", path, err)
		}
		t.allowed = append(t.allowed, place{path, fd})
	}
	return nil
}

func (t *tree) keepSockets() error {
	for _, p := range t.allowed {
		if !t.isHidden(p.path) {
			continue
		}
		if err := bind(fdPath(p.fd), p.path); err != nil {
			return fmt.Errorf("keep the socket %s: %w", p.path, err)
		}
	}
	return nil
}

// queues shows the jail's own message queues where the host's are mounted. A file
// there is a queue, whatever the namespace of who has it open (mq_overview(7)).
func (t *tree) queues() error {
	for _, m := range t.mounts {
		if m.kind != "mqueue" || t.isHidden(m.target) {
			continue
		}
		err := unix.Mount("mqueue", m.target, "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("hide the message queues at %s: %w", m.target, err)
		}
	}
	return nil
}
