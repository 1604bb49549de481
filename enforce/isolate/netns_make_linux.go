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
	"github.com/juliendoutre/proxaudit/enforce/isolate/mounts"
	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
	"github.com/juliendoutre/proxaudit/enforce/isolate/seccomp"
	"github.com/juliendoutre/proxaudit/enforce/isolate/sockowner"
	"golang.org/x/sys/unix"
)

// controlFD is the control socket in the first process: after the standard
// files comes the first of ExtraFiles.
const controlFD = 3

// init turns this program into the first process of a jail when it was started
// as one, which happens twice for each jail. It is not a call in main because
// packages are initialised in the order of their paths (The Go Programming
// Language Specification, "Program initialization"): here it comes before most
// of what proxaudit is linked with, and spares four milliseconds a run.
func init() {
	if len(os.Args) == 3 && os.Args[1] == initArg {
		beFirst(os.Args[2])
	}
}

// beFirst is the whole program in the jail's first process.
func beFirst(half string) {
	// Privileges belong to threads: whatever drops them stays on this one.
	runtime.LockOSThread()
	var err error
	switch half {
	case "make":
		err = makeJail()
	case "keep":
		err = keepJail()
	default:
		err = fmt.Errorf("%s is for proxaudit's own use", initArg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// makeJail is the first half of the first process' life: it has all privileges
// in its namespaces, makes the jail, hands out its sockets, drops everything
// and becomes keepJail by executing itself. Every thread of the new image has
// what this one has; no other thread lives on.
func makeJail() error {
	if err := closeOnExec(controlFD); err != nil {
		return err
	}
	ctl, err := control.FromFile(os.NewFile(controlFD, "control"))
	if err != nil {
		return err
	}
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
	made, files, err := build(s)
	if err != nil {
		made = message{Failed: toStep(err)}
		files = nil
	}
	if sendErr := ctl.Send(made, files...); sendErr != nil || err != nil {
		return errors.Join(err, sendErr)
	}
	return drop(ctl, s)
}

// build makes the network and the file tree.
func build(s setup) (message, []*os.File, error) {
	// Side by side: the two do not need each other. Only what is written below
	// /proc has to come before that is mounted anew.
	ipv6 := capture.EnableIPv6()
	var set *capture.Set
	var diag *os.File
	var netErr error
	network := make(chan struct{})
	go func() {
		defer close(network)
		if set, netErr = capture.Setup(ipv6, s.Kinds...); netErr == nil {
			diag, netErr = sockowner.OpenDiag()
		}
	}()
	warnings, err := mounts.Apply(s.Plan)
	<-network
	if netErr != nil {
		return message{}, nil, step("make the network", netErr)
	}
	if err != nil {
		return message{}, nil, step("make the file tree", err)
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return message{}, nil, step("make the file tree", err)
	}
	return message{
		Kind: set.Kind, Port: set.Port, IPv6: set.IPv6, Warnings: warnings,
		Counts: [4]int{len(set.TCP), len(set.DNSTCP), len(set.DNSUDP), len(set.ICMP)},
	}, append(set.Files(), diag, proc), nil
}

// drop gives everything up and executes this program again.
func drop(ctl *control.Conn, s setup) error {
	f, err := ctl.File()
	if err != nil {
		return err
	}
	// The signal is set for a thread, and this one is to be the only one.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask to die with the proxy: %w", err)
	}
	keep := privilege.Set(0)
	if s.Plan.Root {
		keep = privilege.Root
	}
	if err := unix.Dup3(int(f.Fd()), controlFD, 0); err != nil {
		return fmt.Errorf("pass the control socket on: %w", err)
	}
	if err := privilege.Drop(keep); err != nil {
		return err
	}
	if err := seccomp.Install(); err != nil {
		return err
	}
	err = syscall.Exec("/proc/self/exe", []string{"proxaudit", initArg, "keep"}, nil)
	return fmt.Errorf("execute the first process again: %w", err)
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
