package isolate

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
)

// initArg is the hidden first argument of the jail's first process; see init.
const initArg = "proxaudit-jail"

// firstProcess is the jail's first process, seen from outside. Its end is the
// end of every process in the jail (pid_namespaces(7)).
type firstProcess struct {
	pid    int
	stderr lastWords
	done   chan struct{}
	proc   *os.Process
}

// startFirst executes this program again, in new namespaces. It is started and
// waited for on one thread that lives as long as it does: PR_SET_PDEATHSIG
// fires when the thread ends, not when the process does (prctl(2)).
func startFirst(as user, far *os.File) (*firstProcess, error) {
	f := &firstProcess{done: make(chan struct{})}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"proxaudit", initArg, "make"}
	cmd.Env = []string{}
	cmd.Stderr = &f.stderr
	cmd.ExtraFiles = []*os.File{far}
	cmd.SysProcAttr = as.attributes()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(f.done)
		err := cmd.Start()
		f.proc = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended was told over the control socket
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	f.pid = f.proc.Pid
	return f, nil
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

func (f *firstProcess) kill() { _ = f.proc.Kill() }

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
