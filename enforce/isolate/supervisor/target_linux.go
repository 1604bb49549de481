package supervisor

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

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
