package supervisor

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// retries bounds how often a path with dots is followed anew because something,
// anywhere, was renamed meanwhile (openat2(2), EAGAIN).
const retries = 32

// open returns what a path leads to for a thread, as an O_PATH file. Where it
// leads does not decide anything: the file is judged. So that what the thread
// would find is found as well, its root and working directory are where it
// begins, and its rights are those that count.
func open(thread int, name string, as *credentials) (int, unix.Errno) {
	proc := "/proc/" + strconv.Itoa(thread) + "/"
	from, rest := begin(name)
	base, err := unix.Open(proc+from, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	if rest == "" {
		return base, 0
	}
	defer unix.Close(base)
	fd, err := find(base, rest, from == "root", as)
	if errors.Is(err, unix.ELOOP) && from != "root" {
		// A symbolic link may be absolute, and that from the thread's root.
		fd, err = byName(proc, from, rest, as)
	}
	if errors.Is(err, unix.EXDEV) {
		return -1, unix.EACCES // through another process' /proc
	}
	return fd, errnoOf(err)
}

// find follows a path from base, with the rights of as.
func find(base int, name string, isRoot bool, as *credentials) (fd int, err error) {
	follow := func() {
		if isRoot {
			fd, err = inRoot(base, name)
			return
		}
		fd, err = unix.Openat2(base, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	}
	if as == nil {
		follow()
	} else if e := as.do(follow); e != nil {
		return -1, unix.EACCES
	}
	return fd, err
}

// inRoot follows a path from a root that is not ours. What it cannot follow are
// the links of /proc that are not paths (openat2(2), RESOLVE_IN_ROOT).
func inRoot(root int, name string) (fd int, err error) {
	for range retries {
		fd, err = unix.Openat2(root, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	return fd, err
}

// byName follows the rest of a path from a directory's name. What is below
// /proc/PID is opened with our rights: whose process it is has been decided.
func byName(proc, from, rest string, as *credentials) (int, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink(proc+from, buf)
	if err != nil {
		return -1, err
	}
	root, err := unix.Open(proc+"root", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	return find(root, string(buf[:n])+"/"+rest, true, as)
}

// begin splits a path in where it begins, as a name below /proc/PID, and what to
// follow from there. /proc/self is the caller, not us; programs whose path is
// too long for an address go by a directory that they have open.
func begin(name string) (from, rest string) {
	if !strings.HasPrefix(name, "/") {
		return "cwd", name
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
	if len(parts) > 2 && parts[0] == "dev" && parts[1] == "fd" {
		parts = append([]string{"proc", "self"}, parts[1:]...)
	}
	if len(parts) < 3 || parts[0] != "proc" || parts[1] != "self" && parts[1] != "thread-self" {
		return "root", name
	}
	link, below := parts[2], parts[3:]
	switch {
	case link == "fd" && len(below) > 0:
		if _, err := strconv.ParseUint(below[0], 10, 31); err != nil {
			return "root", name
		}
		return "fd/" + below[0], strings.Join(below[1:], "/")
	case link == "cwd":
		return link, path.Join(".", strings.Join(below, "/"))
	case link == "root":
		return link, "/" + strings.Join(below, "/")
	default:
		return "root", name
	}
}
