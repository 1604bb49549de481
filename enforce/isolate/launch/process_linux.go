// Package launch starts the first process of a jail: this program again, in new
// namespaces, as the user that the command will run as.
//
// It must never tell that process what to do, which is its caller's part, and it
// must never import net or what needs it: then it would be initialised too late to
// start anything ahead.
package launch

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
	"golang.org/x/sys/unix"
)

// Arg is the hidden first argument of the jail's first process. The second one
// says which half of its life begins; a new one begins with Make.
const (
	Arg  = "proxaudit-jail"
	Make = "make"
)

// ControlFD is the first process' end of the control socket: after the standard
// files comes the first of all others.
const ControlFD = 3

// Process is the jail's first process, seen from outside. Its end is the
// end of every process in the jail (pid_namespaces(7)).
type Process struct {
	// As is who it and the command run as.
	As User
	// PID is its number outside.
	PID int
	// Control is this program's end of a SOCK_SEQPACKET pair; the process has the
	// other one as ControlFD.
	Control *os.File

	stderr lastWords
	done   chan struct{}

	mu    sync.Mutex
	ended bool // and its PID may be another's
}

// outcome is a start that has succeeded or failed.
type outcome struct {
	process *Process
	err     error
}

// begin executes this program again, in new namespaces. It is started and waited
// for on one thread that lives as long as it does: PR_SET_PDEATHSIG fires when the
// thread ends, not when the process does (prctl(2)).
func begin(keepRoot bool) <-chan outcome {
	ready := make(chan outcome, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		f, words, err := start(keepRoot)
		ready <- outcome{f, err}
		close(ready)
		if err == nil {
			_, _ = io.Copy(&f.stderr, words)
			f.reap()
			words.Close()
			close(f.done)
		}
	}()
	return ready
}

// start does without os/exec, which first starts a process of no use to find out
// what pidfd_open(2) can do here: that takes half a millisecond. It returns what
// the process says as well.
func start(keepRoot bool) (f *Process, words *os.File, err error) {
	as, err := whichUser(keepRoot)
	if err != nil {
		return nil, nil, fmt.Errorf("find out who runs the command: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	words, stderr, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer stderr.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		words.Close()
		return nil, nil, fmt.Errorf("make a control socket: %w", err)
	}
	defer unix.Close(fds[1])
	f = &Process{As: as, Control: os.NewFile(uintptr(fds[0]), "control"), done: make(chan struct{})}
	if err := f.execute(null.Fd(), stderr.Fd(), uintptr(fds[1])); err != nil {
		words.Close()
		f.Control.Close()
		return nil, nil, err
	}
	return f, words, nil
}

func (f *Process) execute(null, stderr, control uintptr) (err error) {
	f.PID, err = syscall.ForkExec("/proc/self/exe", []string{"proxaudit", Arg, Make}, &syscall.ProcAttr{
		Env:   []string{},
		Files: []uintptr{null, null, stderr, control},
		Sys:   f.As.attributes(),
	})
	if err != nil {
		return fmt.Errorf("execute this program again: %w", err)
	}
	if err := f.As.mapIDs(f.PID); err != nil {
		f.Kill()
		f.reap()
		return fmt.Errorf("map the user and group IDs: %w", err)
	}
	return nil
}

// reap waits for the process. How it ended was told over the control socket.
func (f *Process) reap() {
	for unix.Waitid(unix.P_PID, f.PID, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for {
		if _, err := unix.Wait4(f.PID, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// attributes asks for the namespaces. A process group of its own keeps
// kill(0, …) in the jail from reaching this program: a signal to a group does
// not stop at a PID namespace's border.
//
// The new process shares this one's memory until it executes, as one without a
// user namespace does: otherwise each page that is written meanwhile is copied,
// and every processor told, which takes the start some milliseconds. As this
// thread waits until then, the IDs are mapped only afterwards, by mapIDs; what the
// process has to be able to do it has by ambient capabilities, which need no
// mapping. Whoever gives up IDs must have them mapped before.
func (u User) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS |
			syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Credential:  u.credential,
		AmbientCaps: privilege.Needed(u.Keep),
		Pdeathsig:   syscall.SIGKILL,
		Setpgid:     true,
	}
	if u.credential != nil {
		a.UidMappings, a.GidMappings, a.GidMappingsEnableSetgroups = u.uids, u.gids, u.setgroups
	} else {
		a.Cloneflags |= syscall.CLONE_VM | syscall.CLONE_VFORK
	}
	return a
}

// Kill ends the process, and with it the jail.
func (f *Process) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		_ = unix.Kill(f.PID, unix.SIGKILL)
	}
}

// Wait waits until it has ended.
func (f *Process) Wait() { <-f.done }

// Explain ends the process and adds to err what it said before it fell silent.
func (f *Process) Explain(err error) error {
	f.Kill()
	f.Wait()
	if said := f.stderr.String(); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// lastWords keeps the beginning of what is written to it.
type lastWords struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if room := 4096 - w.buf.Len(); room > 0 {
		w.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// String returns the first lines as one.
func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := strings.SplitN(strings.TrimSpace(w.buf.String()), "\n", 4)
	return strings.Join(lines[:min(3, len(lines))], "; ")
}
