package supervisor

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempt is a connection that a thread asks for.
type attempt struct {
	id     uint64
	thread uint32
	fd     int    // a duplicate of its socket
	cookie uint64 // the socket's own number
	domain int    // of the socket, where the address is not one of the internet
	asked  address
	addr   address      // what is connected to: asked, or the file that it led to
	file   int          // what a path led to, or -1
	as     *credentials // who asks, where that matters

	process Process // that asks, where known
	known   bool

	blocking bool
	own      *bound // where it blocks: the caller's patience
	begun    time.Time
}

func (s *Supervisor) connect(c *call) {
	a := attempt{id: c.id, thread: c.pid, fd: -1, file: -1}
	errno := s.take(&a, c)
	if o, ok := s.repeated(&a); ok && errno == 0 {
		s.finish(&a, o)
		return
	}
	if errno == 0 {
		errno = s.judge(&a)
	}
	// Whatever was read and opened is the caller's, if it still waits.
	if errno == 0 && !s.calls.valid(a.id) {
		s.let(&a)
		return
	}
	if errno == 0 && a.blocking {
		var over bool
		if errno, over = s.join(&a); over {
			s.finish(&a, errno)
			return
		}
	}
	if errno != 0 {
		s.finish(&a, errno)
		return
	}
	if a.known {
		// Until the caller has been told: a server that hears of the connection
		// already and waits in Owner is woken afterwards.
		s.connecting.Lock()
		defer s.connecting.Unlock()
	}
	errno = s.begin(&a)
	if s.waits(&a, errno) {
		s.later(a)
		return
	}
	s.finish(&a, errno)
}

// begin tries for the first time, and keeps whose connection that makes.
func (s *Supervisor) begin(a *attempt) unix.Errno {
	errno := a.try()
	if a.known {
		s.note(a, errno)
	}
	if errno == unix.EISCONN && s.unheard(a) {
		return 0
	}
	return errno
}

// take gets hold of the socket and the address, and finds out who asks where
// somebody else will want to know.
func (s *Supervisor) take(a *attempt, c *call) unix.Errno {
	var err error
	if a.fd, err = s.callers.takeFile(int(a.thread), int(int32(c.args[0]))); err != nil {
		a.fd = -1
		return errnoOf(err)
	}
	size := int(int32(c.args[2]))
	if size < 0 || size > maxAddress {
		return unix.EINVAL
	}
	a.asked.size = size
	if errno := read(int(a.thread), c.args[1], a.asked.bytes[:size]); errno != 0 {
		return errno
	}
	a.addr = a.asked
	if _, ok := a.asked.end(); ok {
		// Whatever the socket is, no path leads anywhere.
		a.process, a.known = s.callers.process(int(a.thread))
	} else if a.domain, err = unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil {
		return errnoOf(err)
	}
	if a.cookie, err = unix.GetsockoptUint64(a.fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		return errnoOf(err)
	}
	flags, err := unix.FcntlInt(uintptr(a.fd), unix.F_GETFL, 0)
	if err != nil {
		return errnoOf(err)
	}
	a.blocking = flags&unix.O_NONBLOCK == 0
	return 0
}

func (a *attempt) try() unix.Errno {
	if a.as == nil {
		return a.system()
	}
	errno := unix.EACCES
	if err := a.as.do(func() { errno = a.system() }); err != nil {
		return unix.EACCES
	}
	return errno
}

func (a *attempt) system() unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(a.fd), uintptr(unsafe.Pointer(&a.addr.bytes[0])), uintptr(a.addr.size))
	return errno
}
