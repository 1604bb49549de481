package supervisor

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidfdThread is PIDFD_THREAD of linux/pidfd.h, since Linux 6.9.
const pidfdThread = unix.O_EXCL

// takeFile returns a duplicate of a file that a thread has open. Our user made
// the jail's user namespace, and so has all capabilities over it
// (user_namespaces(7)): processes that hide from each other do not hide from
// this (pidfd_getfd(2)).
func takeFile(thread, fd int) (int, error) {
	pidfd, err := unix.PidfdOpen(thread, pidfdThread)
	if err == unix.EINVAL {
		// An older kernel: by the process, whose threads nearly always share their
		// files.
		pidfd, err = unix.PidfdOpen(process(thread), 0)
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	return unix.PidfdGetfd(pidfd, fd, 0)
}

// process returns the process that a thread belongs to, or 0.
func process(thread int) int {
	pid, _ := strconv.Atoi(status(thread)["Tgid"])
	return pid
}

// status returns the fields of /proc/PID/status, none where there is no such
// thread.
func status(thread int) map[string]string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/status")
	if err != nil {
		return nil
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// read copies from a thread's memory.
func read(thread int, from uint64, to []byte) unix.Errno {
	if len(to) == 0 {
		return 0
	}
	local := []unix.Iovec{{Base: &to[0], Len: uint64(len(to))}}
	remote := []unix.RemoteIovec{{Base: uintptr(from), Len: len(to)}}
	n, err := unix.ProcessVMReadv(thread, local, remote, 0)
	if err != nil || n != len(to) {
		return unix.EFAULT
	}
	return 0
}

// errnoOf is the number of an error of x/sys/unix, which are all numbers.
func errnoOf(err error) unix.Errno {
	errno, ok := err.(unix.Errno)
	if !ok && err != nil {
		return unix.EPERM
	}
	return errno
}
