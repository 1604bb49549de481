package isolate

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/juliendoutre/proxaudit/enforce/isolate/control"
	"golang.org/x/sys/unix"
)

// leftGrace is what processes that outlive the command get between SIGTERM and
// the end of the jail.
const leftGrace = time.Second

// keeper is the first process after it gave its privileges up: it starts the
// command, reaps whatever is orphaned, passes signals on, and ends the jail by
// ending itself.
type keeper struct {
	ctl  *control.Conn
	send sync.Mutex
	mu   sync.Mutex
	main int // the command's process, 0 before it runs and after it ended
}

// keepJail is the second half of the first process' life. It begins once nobody's
// signals can end it.
func keepJail(ctl *control.Conn, deaf <-chan struct{}) error {
	// Nobody may look into the process or take files out of it (ptrace(2),
	// "Ptrace access mode checking"). Every exec sets this anew.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide the first process: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask to die with the proxy: %w", err)
	}
	<-deaf
	k := &keeper{ctl: ctl}
	for {
		var m message
		files, err := ctl.Receive(&m)
		if err != nil {
			return err // the proxy has gone, and so must the jail
		}
		if err := k.handle(m, files); err != nil {
			return err
		}
	}
}

// deadly are the signals that end a Go program when anybody sends them to it
// (os/signal, "Default behavior of signals in Go programs"; sigtab_linux_generic.go
// in the runtime). Those whose action is the kernel's do nothing to the first
// process of a PID namespace (pid_namespaces(7)), but see ignoreUnheard.
var deadly = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS,
	syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGTERM, syscall.SIGSTKFLT, syscall.SIGSYS,
}

// deafen catches the signals that would end the process and does nothing about
// them. They are caught, not ignored, because what is ignored stays ignored in
// the command. What was ignored from the start stays so, as under nohup. To catch
// all signals there are would take each run 3 ms: two threads take turns for
// every one.
func deafen() {
	var ignored []os.Signal
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			ignored = append(ignored, s)
		}
	}
	signal.Notify(make(chan os.Signal, 1), deadly...)
	if len(ignored) > 0 {
		signal.Ignore(ignored...)
	}
}

// ignoreUnheard ignores the signals that Go leaves to C libraries and lets nobody
// catch. In a moment in which the first thread blocks them, as it does while it
// starts another one, they would end even the first process of a PID namespace:
// what a signal does is asked of a thread that does not block it, and whom it is
// for is not asked again (complete_signal() in kernel/signal.c). It is called
// once the command runs, which would ignore them as well otherwise.
func ignoreUnheard() {
	const sizeOfSet = 8
	ignore := [4]uint64{1} // struct sigaction of rt_sigaction(2), with SIG_IGN
	for _, s := range [...]uintptr{32, 34} {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, s, uintptr(unsafe.Pointer(&ignore)), 0, sizeOfSet, 0, 0)
	}
}

func (k *keeper) handle(m message, files []*os.File) error {
	defer closeFiles(files)
	switch {
	case m.Test != nil:
		var reply message
		if err := m.Test.run(); err != nil {
			reply.Failed = toStep(err)
		}
		return k.tell(reply)
	case m.Start:
		return k.start(files)
	case m.Signal != 0:
		k.signal(m.Signal, m.Group)
	case m.Dial != 0:
		go k.dial(m.Dial)
	case m.Pair:
		return k.pair()
	}
	return nil
}

func (k *keeper) tell(m message, files ...*os.File) error {
	k.send.Lock()
	defer k.send.Unlock()
	return k.ctl.Send(m, files...)
}

// start runs the command with three standard files, after the blob that says
// what it is.
func (k *keeper) start(files []*os.File) error {
	if len(files) != 4 {
		return fmt.Errorf("start came with %d files", len(files))
	}
	var c command
	if err := control.ReadBlob(files[0], &c); err != nil {
		return err
	}
	argv, env := texts(c.Argv), texts(c.Env)
	path, err := lookPath(argv[0], env)
	if err == nil {
		k.mu.Lock()
		k.main, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
			Env:   env,
			Files: []uintptr{files[1].Fd(), files[2].Fd(), files[3].Fd()},
			// No Setpgid: the command belongs to the jail's process group, which
			// the terminal has been given to.
			Sys: &syscall.SysProcAttr{},
		})
		k.mu.Unlock()
	}
	if err != nil {
		return k.tell(message{Code: startCode(err), Text: err.Error()})
	}
	ignoreUnheard()
	if err := k.tell(message{Started: true}); err != nil {
		return err
	}
	go k.reap(k.main)
	return nil
}

// reap waits for all children, which in a PID namespace includes all orphans,
// until the command ends; then it ends the rest.
func (k *keeper) reap(main int) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			os.Exit(1)
		case pid == main && ws.Stopped():
			_ = k.tell(message{Stopped: ws.StopSignal()})
		case pid == main:
			k.mu.Lock()
			k.main = 0
			k.mu.Unlock()
			k.endRest()
			status := int(ws)
			_ = k.tell(message{Exited: &status})
			os.Exit(0)
		}
	}
}

// endRest asks what is left to end, gives it a moment, and ends it. When it
// returns, this is the only process in the jail.
func (k *keeper) endRest() {
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err == syscall.ECHILD {
		return
	}
	_ = syscall.Kill(-1, syscall.SIGTERM)
	_ = syscall.Kill(-1, syscall.SIGCONT)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && err != syscall.EINTR {
				return
			}
		}
	}()
	select {
	case <-gone:
	case <-time.After(leftGrace):
		_ = syscall.Kill(-1, syscall.SIGKILL)
		<-gone
	}
}

// signal passes s on: to the jail's process group, which is this process' own,
// as a terminal would, or to the command alone.
func (k *keeper) signal(s syscall.Signal, group bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.main == 0:
	case group:
		_ = syscall.Kill(0, s)
	default:
		_ = syscall.Kill(k.main, s)
	}
}

// dial connects to a server in the jail and hands the connection out.
func (k *keeper) dial(port uint16) {
	reply := message{Dial: port}
	f, err := dialLoopback(port)
	if err != nil {
		reply.Text = err.Error()
		_ = k.tell(reply)
		return
	}
	defer f.Close()
	_ = k.tell(reply, f)
}

// pair makes two sockets of the jail's network; see Supervisor.
func (k *keeper) pair() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return k.tell(message{Pair: true, Text: err.Error()})
	}
	files := []*os.File{os.NewFile(uintptr(fds[0]), "pair"), os.NewFile(uintptr(fds[1]), "pair")}
	defer closeFiles(files)
	return k.tell(message{Pair: true}, files...)
}

func dialLoopback(port uint16) (*os.File, error) {
	var errs []error
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(int(port))), 5*time.Second)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer c.Close()
		return c.(*net.TCPConn).File()
	}
	return nil, errors.Join(errs...)
}

func texts(all [][]byte) []string {
	out := make([]string, len(all))
	for i, b := range all {
		out[i] = string(b)
	}
	return out
}
