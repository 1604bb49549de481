package supervisor

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidfdThread is PIDFD_THREAD of linux/pidfd.h, since Linux 6.9.
const pidfdThread = unix.O_EXCL

// maxCallers bounds the threads that are kept. Beyond, all are forgotten.
const maxCallers = 256

// Process is a process of the jail: its PID there, and when it started, in clock
// ticks since the machine did. No two have both.
type Process struct {
	PID   int
	Start uint64
}

// caller is a thread that has made a call. While its file answers, the thread
// lives, and no other has its number.
type caller struct {
	pidfd   int
	process Process // looked up when it is needed
}

// callers are the threads that have made calls, by their number as this program
// sees it: those that make one make more. The zero value is empty. It is not safe
// for concurrent use.
type callers struct {
	byThread map[int]*caller
}

// takeFile returns a duplicate of a file that a thread has open. Our user made
// the jail's user namespace, and so has all capabilities over it
// (user_namespaces(7)): processes that hide from each other do not hide from
// this (pidfd_getfd(2)).
func (c *callers) takeFile(thread, fd int) (int, error) {
	if known := c.byThread[thread]; known != nil {
		file, err := unix.PidfdGetfd(known.pidfd, fd, 0)
		if err != unix.ESRCH {
			return file, err
		}
		unix.Close(known.pidfd) // the number is another thread's now
		delete(c.byThread, thread)
	}
	pidfd, err := unix.PidfdOpen(thread, pidfdThread)
	if err == unix.EINVAL {
		return takeFileOfProcess(thread, fd)
	}
	if err != nil {
		return -1, err
	}
	if len(c.byThread) >= maxCallers {
		c.close()
	}
	if c.byThread == nil {
		c.byThread = map[int]*caller{}
	}
	c.byThread[thread] = &caller{pidfd: pidfd}
	return unix.PidfdGetfd(pidfd, fd, 0)
}

// takeFileOfProcess is for an older kernel: by the process, whose threads nearly
// always share their files. It tells nothing about the thread, so that is not
// kept.
func takeFileOfProcess(thread, fd int) (int, error) {
	pidfd, err := unix.PidfdOpen(process(thread), 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	return unix.PidfdGetfd(pidfd, fd, 0)
}

// process returns the process of a thread whose file has been taken, if it can be
// told. It is the caller's if the caller still waits.
func (c *callers) process(thread int) (Process, bool) {
	known := c.byThread[thread]
	if known == nil {
		return Process{}, false
	}
	if known.process == (Process{}) {
		p, ok := processOf(thread)
		if !ok {
			return Process{}, false
		}
		known.process = p
	}
	return known.process, true
}

func (c *callers) close() {
	for _, known := range c.byThread {
		unix.Close(known.pidfd)
	}
	clear(c.byThread)
}

// processOf reads what process a thread belongs to.
func processOf(thread int) (Process, bool) {
	fields := status(thread)
	// In the PID namespace of /proc, which is ours, and in those below it, of which
	// the first is the jail's (proc_pid_status(5)).
	pids := strings.Fields(fields["NStgid"])
	if len(pids) < 2 {
		return Process{}, false
	}
	pid, err := strconv.Atoi(pids[1])
	if err != nil {
		return Process{}, false
	}
	stat, err := os.ReadFile("/proc/" + pids[0] + "/stat")
	if err != nil {
		return Process{}, false
	}
	// The second field, the name in parentheses, may hold anything; the 22nd is
	// when it started.
	after := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(after) < 20 {
		return Process{}, false
	}
	start, err := strconv.ParseUint(string(after[19]), 10, 64)
	return Process{PID: pid, Start: start}, err == nil
}
