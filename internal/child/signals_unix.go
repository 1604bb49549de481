//go:build unix

package child

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// ExitCode returns the code that a shell would: the program's own, or 128+n
// when signal n ended it (ProcessState.ExitCode is −1 then).
func ExitCode(state *os.ProcessState) int {
	if state == nil {
		return codeInternal
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// forwarded returns the signals to hand on. Those that were ignored when this
// program started stay ignored, for it and for the command: that is how nohup
// works. SIGTSTP keeps its action, so that the shell stops and continues us
// together with the command; SIGWINCH reaches the command by itself.
func forwarded() []os.Signal {
	var all []os.Signal
	for _, s := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT,
	} {
		if !signal.Ignored(s) {
			all = append(all, s)
		}
	}
	return all
}

// forward hands s on. The terminal sends SIGINT and SIGQUIT to every process of
// its foreground group: a command in the same group has its own already, and
// many programs take a second one for "stop at once". So `kill -INT` of this
// process alone, while it is in the foreground, does not reach the command.
func (p *Process) forward(s os.Signal) {
	if (s == syscall.SIGINT || s == syscall.SIGQUIT) && foreground() {
		return
	}
	// An error means that the command has just ended; Wait is about to see it.
	_ = p.proc.Signal(s)
}

// foreground reports whether this process is in the foreground process group of
// its controlling terminal (tty_ioctl(4), TIOCGPGRP).
func foreground() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// terminate asks the command and everything adopted from it to end. A stopped
// process sees SIGTERM only once it continues.
func (p *Process) terminate() {
	_ = p.proc.Signal(syscall.SIGTERM)
	_ = p.proc.Signal(syscall.SIGCONT)
	p.left.terminate()
}
