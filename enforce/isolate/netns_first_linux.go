package isolate

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

// initArg is the hidden first argument of the jail's first process; see init.
const initArg = "proxaudit-jail"

// firstProcess is the jail's first process, seen from outside. Its end is the
// end of every process in the jail (pid_namespaces(7)).
type firstProcess struct {
	pid    int
	stderr lastWords
	done   chan struct{}

	mu    sync.Mutex
	ended bool // and its PID may be another's
}

// startFirst executes this program again, in new namespaces. It is started and
// waited for on one thread that lives as long as it does: PR_SET_PDEATHSIG
// fires when the thread ends, not when the process does (prctl(2)).
//
// It does without os/exec, which first starts a process of no use to find out
// what pidfd_open(2) can do here: that takes half a millisecond.
func startFirst(as user, far *os.File) (*firstProcess, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	words, stderr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	attributes := &syscall.ProcAttr{
		Env:   []string{},
		Files: []uintptr{null.Fd(), null.Fd(), stderr.Fd(), far.Fd()},
		Sys:   as.attributes(),
	}
	f := &firstProcess{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(f.done)
		defer words.Close()
		var err error
		f.pid, err = syscall.ForkExec("/proc/self/exe", []string{"proxaudit", initArg, "make"}, attributes)
		started <- err
		if err == nil {
			_, _ = io.Copy(&f.stderr, words)
			f.reap()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("execute this program again: %w", err)
	}
	return f, nil
}

// reap waits for the process. How it ended was told over the control socket.
func (f *firstProcess) reap() {
	for unix.Waitid(unix.P_PID, f.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for {
		if _, err := unix.Wait4(f.pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// attributes asks for the namespaces. A process group of its own keeps
// kill(0, …) in the jail from reaching this program: a signal to a group does
// not stop at a PID namespace's border.
func (u user) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS |
			syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		UidMappings:                u.uids,
		GidMappings:                u.gids,
		GidMappingsEnableSetgroups: u.setgroups,
		Credential:                 u.credential,
		AmbientCaps:                privilege.Needed(),
		Pdeathsig:                  syscall.SIGKILL,
		Setpgid:                    true,
	}
}

func (f *firstProcess) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		_ = unix.Kill(f.pid, unix.SIGKILL)
	}
}

func (f *firstProcess) wait() { <-f.done }

// explain tells what the first process said before it fell silent.
func (f *firstProcess) explain(step string, err error) error {
	f.kill()
	f.wait()
	if said := f.stderr.String(); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return refused(step, err)
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
