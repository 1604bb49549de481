package isolate

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal lends the controlling terminal to the jail, as a shell lends it to a
// job: the jail is a process group of its own (see attributes). A nil terminal,
// for a program without one, does nothing.
type terminal struct {
	fd        int
	own, jail int  // process groups
	lent      bool // the jail has had it, and gets it back after a stop
}

func openTerminal(jail int) *terminal {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	return &terminal{fd: fd, own: unix.Getpgrp(), jail: jail}
}

// begin lends the terminal at once when the command writes to it. Otherwise we
// are likely the head of a pipeline, whose pager wants the terminal too: then
// the command gets it when it asks, by being stopped for it.
func (t *terminal) begin(stdout *os.File) {
	if t == nil || stdout == nil {
		return
	}
	if _, err := unix.IoctlGetTermios(int(stdout.Fd()), unix.TCGETS); err == nil {
		t.give()
	}
}

// foreground reports whether the terminal is this program's to lend.
func (t *terminal) foreground() bool {
	group, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	return err == nil && group == t.own
}

func (t *terminal) give() bool {
	if t == nil || !t.foreground() {
		return false
	}
	t.lent = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.jail) == nil
	return t.lent
}

// take gets the terminal back. A background group that does so is stopped by
// SIGTTOU unless the calling thread blocks it (tcsetpgrp(3)).
func (t *terminal) take() {
	if t == nil || !t.lent {
		return
	}
	if group, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP); err != nil || group == t.own {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block, old unix.Sigset_t
	block.Val[0] = 1 << (uint(unix.SIGTTOU) - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &block, &old); err != nil {
		return
	}
	_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.own)
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
}

// stopped is called when the command was stopped by s. One that wants the
// terminal gets it when we have it; otherwise our own group stops as the
// command did, so that the shell sees its job stopped.
func (t *terminal) stopped(s syscall.Signal, send func(syscall.Signal, bool)) {
	if t == nil {
		return
	}
	wants := s == syscall.SIGTTIN || s == syscall.SIGTTOU
	if wants && t.give() {
		send(syscall.SIGCONT, true)
		return
	}
	if s == syscall.SIGSTOP {
		return // somebody stopped the command alone
	}
	t.lent = t.lent || wants
	t.take()
	_ = unix.Kill(0, unix.SIGTSTP)
}

// again is called when we continue: in the foreground, the jail gets the
// terminal back.
func (t *terminal) again() {
	if t != nil && t.lent {
		t.give()
		t.lent = true
	}
}

func (t *terminal) close() {
	if t != nil {
		unix.Close(t.fd)
	}
}
