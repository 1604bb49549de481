package isolate

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"github.com/juliendoutre/proxaudit/enforce/isolate/capture"
	"github.com/juliendoutre/proxaudit/enforce/isolate/control"
	"github.com/juliendoutre/proxaudit/enforce/isolate/launch"
	"github.com/juliendoutre/proxaudit/enforce/isolate/mounts"
	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
	"github.com/juliendoutre/proxaudit/enforce/isolate/seccomp"
	"github.com/juliendoutre/proxaudit/enforce/isolate/sockowner"
	"golang.org/x/sys/unix"
)

// init turns this program into the first process of a jail when it was started
// as one. It is not a call in main because packages are initialised in the order
// of their paths (The Go Programming Language Specification, "Program
// initialization"): here it comes before most of what proxaudit is linked with,
// which spares a run some milliseconds.
func init() {
	if len(os.Args) == 3 && os.Args[1] == launch.Arg {
		beFirst(os.Args[2])
	}
}

// beFirst is the whole program in the jail's first process.
func beFirst(half string) {
	// Privileges belong to threads: whatever drops them stays on this one.
	runtime.LockOSThread()
	deaf := make(chan struct{})
	go func() { deafen(); close(deaf) }() // takes as long as the rest of the start
	ctl, err := control.FromFile(os.NewFile(launch.ControlFD, "control"))
	switch {
	case err != nil:
		err = fmt.Errorf("%s is for proxaudit's own use: %w", launch.Arg, err)
	case half == launch.Make:
		err = makeJail(ctl, deaf)
	default:
		err = keepJail(ctl, deaf)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// makeJail is the first half of the first process' life: it has all privileges
// in its namespaces, makes the jail, hands out its sockets, drops everything
// and becomes keepJail.
func makeJail(ctl *control.Conn, deaf <-chan struct{}) error {
	if err := closeOnExec(launch.ControlFD); err != nil {
		return err
	}
	n := beginNetwork()
	var m message
	files, err := ctl.Receive(&m)
	if err != nil {
		return fmt.Errorf("receive the plan: %w", err)
	}
	if len(files) != 1 {
		return errors.New("receive the plan: it is missing")
	}
	var s setup
	if err := control.ReadBlob(files[0], &s); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	made, files, err := n.build(s)
	if err != nil {
		made = message{Failed: toStep(err)}
		files = nil
	}
	if sendErr := ctl.Send(made, files...); sendErr != nil || err != nil {
		return errors.Join(err, sendErr)
	}
	closeFiles(files)
	if err := drop(ctl, s); err != nil {
		return errors.Join(err, ctl.Send(message{Failed: toStep(err)}))
	}
	return keepJail(ctl, deaf)
}

// network is made beside the rest.
type network struct {
	begun, done chan struct{}
	set         *capture.Set
	diag        *os.File
	err         error
}

// beginNetwork begins with what needs no plan.
func beginNetwork() *network {
	n := &network{begun: make(chan struct{}), done: make(chan struct{})}
	go func() {
		n.set, n.err = capture.Begin()
		if n.err == nil {
			n.diag, n.err = sockowner.OpenDiag()
		}
		close(n.begun)
	}()
	return n
}

// finish goes on with what does, unless it has failed already.
func (n *network) finish(kinds []capture.Kind) {
	<-n.begun
	go func() {
		defer close(n.done)
		if n.err == nil {
			n.err = n.set.Listen(kinds...)
		}
	}()
}

// build makes the network and the file tree, side by side: the two do not need
// each other. Only what is written below /proc has to come before that is mounted
// anew.
func (n *network) build(s setup) (message, []*os.File, error) {
	n.finish(s.Kinds)
	warnings, err := mounts.Apply(s.Plan)
	<-n.done
	if n.err != nil {
		return message{}, nil, step("make the network", n.err)
	}
	if err != nil {
		return message{}, nil, step("make the file tree", err)
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return message{}, nil, step("make the file tree", err)
	}
	return message{
		Kind: n.set.Kind, Port: n.set.Port, IPv6: n.set.IPv6, Warnings: warnings,
		Counts: [4]int{len(n.set.TCP), len(n.set.DNSTCP), len(n.set.DNSUDP), len(n.set.ICMP)},
	}, append(n.set.Files(), n.diag, proc), nil
}

// drop gives everything up: in this image where the Go runtime knows all
// threads, else by executing the program again, which goes on as keepJail.
func drop(ctl *control.Conn, s setup) error {
	if err := privilege.Drop(s.Keep); err != nil {
		return step("drop privileges", err)
	}
	if !privilege.DropElsewhere(s.Keep) {
		return again(ctl)
	}
	return filter(ctl, seccomp.Install)
}

// filter installs the filter and hands out the file where the calls arrive that
// it does not decide.
func filter(ctl *control.Conn, install func() (*os.File, error)) error {
	calls, err := install()
	if err != nil {
		return step("filter system calls", err)
	}
	defer calls.Close()
	return ctl.Send(message{Supervised: true}, calls)
}

// again executes this program from this thread. Every thread of the new image
// has what this one has; no other thread lives on.
func again(ctl *control.Conn) error {
	f, err := ctl.File()
	if err != nil {
		return err
	}
	// The signal is set for a thread, and this one is to be the only one.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask to die with the proxy: %w", err)
	}
	if err := inherit(int(f.Fd()), launch.ControlFD); err != nil {
		return fmt.Errorf("pass the control socket on: %w", err)
	}
	if err := filter(ctl, seccomp.InstallHere); err != nil {
		return err
	}
	err = syscall.Exec("/proc/self/exe", []string{"proxaudit", launch.Arg, "keep"}, nil)
	return fmt.Errorf("execute the first process again: %w", err)
}

// inherit gives fd the number to, in the next image. dup3(2) refuses to do that
// for a file that has the number already.
func inherit(fd, to int) error {
	if fd == to {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		return err
	}
	return unix.Dup3(fd, to, 0)
}

// closeOnExec marks every file but the standard ones: whatever was inherited is
// gone before the command runs, which could take it out of this process
// otherwise (pidfd_getfd(2)).
func closeOnExec(from uint) error {
	err := unix.CloseRange(from, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// Linux before 5.11 has no such call or no such flag.
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the open files: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list the open files: %w", err)
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd >= int(from) {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

func step(name string, err error) error {
	return &stepError{Step: name, Text: err.Error(), Errno: errnoOf(err)}
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	errors.As(err, &errno)
	return errno
}

func toStep(err error) *stepError {
	var s *stepError
	if errors.As(err, &s) {
		return s
	}
	return &stepError{Step: "make the jail", Text: err.Error(), Errno: errnoOf(err)}
}
