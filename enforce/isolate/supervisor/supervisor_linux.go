// Package supervisor connects sockets for the processes of a jail, whose filter
// hands connect(2) out (seccomp_unotify(2)): a filter cannot read an address,
// and the path of a unix socket leads out of a network namespace.
//
// It must never let the kernel execute a call that it has judged, for another
// thread of the caller may change the address or the file meanwhile: it takes
// the file over, reads the address once, and connects by itself. It must never
// connect to a path unless a socket of the jail is bound there, or one that was
// allowed. When it ends, the calls fail.
package supervisor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Options say whose calls are answered, and how.
type Options struct {
	// PID is a process of the jail, to try out what will be needed.
	PID int
	// Allowed are paths of sockets outside that may be connected to: those that
	// are there now. One that replaces them is another one.
	Allowed []string
	// Rights is set where who asks may have others than this program: where the jail
	// has several users, or one that is not ours. A path is then followed, and a
	// socket connected, with the rights of the one that asks.
	Rights bool
	// Groups are those that count besides, with Rights, for Allowed.
	Groups []uint32
	// Probe is a path that is answered with Probed, whatever is there: a jail can
	// find out whether it is watched.
	Probe string
	// Hidden is told of each path that leads to no socket of the jail, where it
	// leads nowhere too. It may be nil; calls wait for it.
	Hidden func(path string)
	// Namespaces lets processes make user namespaces. Otherwise Namespace, which may
	// be nil, is told of the program that asked for one.
	Namespaces bool
	Namespace  func(exe string)
	// Pair returns two connected SOCK_SEQPACKET sockets of the jail's network.
	Pair func() ([2]*os.File, error)
}

// Probed is the answer to Options.Probe: the kernel never says that of a
// connect.
const Probed = unix.ENOTUNIQ

// maxSlow bounds the connections that wait for a server to accept. Each has a
// thread.
const maxSlow = 512

// Supervisor answers the calls of a jail.
type Supervisor struct {
	Options
	calls listener
	own   sockets // of the jail
	kept  sockets // Allowed
	stop  *os.File
	done  chan struct{}
	slow  chan struct{} // a place for each connection that waits

	callers    callers
	connecting sync.Mutex // held from a connect until it is in made
	made       connections

	mu     sync.Mutex
	lost   map[uint32]outcome // by thread
	told   map[uint32]uint64  // by thread, the socket that it was told is connected
	bounds map[uint64]*bound  // by socket
}

// Start answers the calls that arrive at f, a file of seccomp.Install, which it
// takes over, until Close or until the jail has ended. An error means that this
// system does not let us.
func Start(f *os.File, o Options) (*Supervisor, error) {
	s := &Supervisor{Options: o, done: make(chan struct{}), slow: make(chan struct{}, maxSlow), lost: map[uint32]outcome{}, told: map[uint32]uint64{}, bounds: map[uint64]*bound{}}
	if err := s.prepare(); err != nil {
		f.Close()
		s.kept.close()
		return nil, err
	}
	s.calls = newListener(f)
	go s.serve()
	return s, nil
}

func (s *Supervisor) prepare() error {
	for _, path := range s.Allowed {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("keep the socket %s: %w", path, err)
		}
		s.kept.add(fd)
	}
	fd, err := s.callers.takeFile(s.PID, 0)
	if err != nil {
		return fmt.Errorf("take a file of the jail: %w", err)
	}
	unix.Close(fd)
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("make an event: %w", err)
	}
	s.stop = os.NewFile(uintptr(event), "stop")
	return nil
}

// Close ends the answering. Calls that wait fail.
func (s *Supervisor) Close() {
	_, _ = s.stop.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-s.done
	s.stop.Close()
}

// serve answers one call at a time: most take microseconds, and one thread that
// is woken by its caller is the fastest. What takes longer moves elsewhere.
func (s *Supervisor) serve() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	defer s.own.close()
	defer s.kept.close()
	defer s.callers.close()
	defer s.calls.f.Close() // whoever asks now is told that there is no such call
	var c call
	for s.wait() {
		switch err := s.calls.receive(&c); {
		case errors.Is(err, errGone):
		case err != nil:
			return
		default:
			s.handle(&c)
		}
	}
}

// wait returns when there is a call, and false when there will be none.
func (s *Supervisor) wait() bool {
	fds := []unix.PollFd{{Fd: int32(s.calls.fd), Events: unix.POLLIN}, {Fd: int32(s.stop.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil, fds[1].Revents != 0:
			return false
		case fds[0].Revents&unix.POLLIN != 0:
			return true
		case fds[0].Revents != 0: // POLLHUP: the last process has ended
			return false
		}
	}
}

func (s *Supervisor) handle(c *call) {
	switch c.nr {
	case unix.SYS_CONNECT:
		s.connect(c)
	case unix.SYS_LISTEN:
		s.noteListener(c)
		s.calls.proceed(c.id)
	case unix.SYS_SOCKETPAIR:
		go s.pair(*c)
	case unix.SYS_UNSHARE, unix.SYS_CLONE:
		s.namespace(c)
	default:
		s.calls.fail(c.id, unix.EPERM)
	}
}

// namespace answers as the kernel does at the limit of user namespaces
// (user_namespaces(7)), which is there whatever is answered here.
func (s *Supervisor) namespace(c *call) {
	if s.Namespaces {
		s.calls.proceed(c.id)
		return
	}
	if s.Namespace != nil {
		exe, _ := os.Readlink("/proc/" + strconv.Itoa(int(c.pid)) + "/exe") // unknown where it cannot be read
		s.Namespace(exe)
	}
	s.calls.fail(c.id, unix.ENOSPC)
}

// noteListener keeps which file a socket is bound to that is about to listen.
// The call is not judged: a thread that aims it at another socket has that one
// listen, of which nothing is kept.
func (s *Supervisor) noteListener(c *call) {
	fd, err := s.callers.takeFile(int(c.pid), int(int32(c.args[0])))
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if !s.calls.valid(c.id) {
		return
	}
	if file, err := boundFile(fd); err == nil {
		s.own.add(file)
	}
}
