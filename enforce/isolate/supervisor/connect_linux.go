package supervisor

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxAddress is sizeof(struct sockaddr_storage): no address is longer.
	maxAddress = 128
	// pathOffset is where the path begins in struct sockaddr_un.
	pathOffset = 2
	// patience is what one connection may take while others wait.
	patience = time.Millisecond
	// glance is how often a connection that takes longer is looked after.
	glance = 100 * time.Millisecond
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

// bound is the SO_SNDTIMEO that a socket had before we set another. Attempts at
// the same socket share it: one that is made again may find the first one still
// under way.
type bound struct {
	timeout   *unix.Timeval
	users     int
	connected bool // by one of them
}

type address struct {
	bytes [maxAddress]byte
	size  int
}

// outcome is what became of a connection that nobody waited for any more.
type outcome struct {
	cookie uint64
	asked  address
	errno  unix.Errno
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
		errno = s.impatient(&a)
	}
	if errno == 0 {
		if errno = s.begin(&a); errno == unix.EISCONN && s.unheard(&a) {
			errno = 0
		}
		if s.waits(&a, errno) {
			s.later(a)
			return
		}
	}
	s.finish(&a, errno)
}

// begin tries for the first time, and keeps whose connection that makes.
func (s *Supervisor) begin(a *attempt) unix.Errno {
	if !a.known {
		return a.try()
	}
	s.connecting.Lock()
	defer s.connecting.Unlock()
	errno := a.try()
	s.note(a, errno)
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

// judge allows what stays in the jail: addresses of a network, which is the
// socket's own, and so are abstract names; and paths of the jail's sockets.
func (s *Supervisor) judge(a *attempt) unix.Errno {
	if a.domain != unix.AF_UNIX {
		return 0
	}
	path, ok := a.asked.path()
	if !ok {
		return 0
	}
	if s.Probe != "" && path == s.Probe {
		return Probed
	}
	if s.Root {
		var err error
		if a.as, err = credentialsOf(int(a.thread)); err != nil {
			return unix.EACCES
		}
	}
	file, errno := open(int(a.thread), path, a.as)
	if errno == 0 && !s.own.has(file) {
		errno = unix.ECONNREFUSED
	}
	a.file = file
	if errno != 0 {
		if s.Hidden != nil {
			s.Hidden(path)
		}
		return errno
	}
	// The file that was judged, under a name that only this program has.
	name := append([]byte("/proc/self/fd/"), strconv.Itoa(file)...)
	a.addr.size = pathOffset + copy(a.addr.bytes[pathOffset:], append(name, 0))
	return 0
}

// path returns the path of an address, as unix_mkname_bsd in net/unix/af_unix.c
// finds it. All other addresses of a unix socket are names in its network, or
// wrong.
func (a *address) path() (string, bool) {
	family := binary.NativeEndian.Uint16(a.bytes[:])
	if a.size <= pathOffset || family != unix.AF_UNIX || a.bytes[pathOffset] == 0 {
		return "", false
	}
	path, _, _ := bytes.Cut(a.bytes[pathOffset:a.size], []byte{0})
	return string(path), true
}

// impatient has the socket give up after patience. That it blocks is a property
// of what its owner has open too, and is not touched: a bound on the time to
// send is, and put back.
func (s *Supervisor) impatient(a *attempt) unix.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bounds[a.cookie] // there is one when the call is made again
	if b == nil {
		old, err := unix.GetsockoptTimeval(a.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO)
		if err != nil {
			return errnoOf(err)
		}
		b = &bound{timeout: old}
		s.bounds[a.cookie] = b
	}
	b.users++
	a.own, a.begun = b, time.Now()
	return a.give(patience)
}

func (a *attempt) give(d time.Duration) unix.Errno {
	timeout := unix.NsecToTimeval(int64(d))
	return errnoOf(unix.SetsockoptTimeval(a.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout))
}

// left is what the caller's own bound leaves; it is negative for none.
func (a *attempt) left() time.Duration {
	if limit := a.own.timeout.Nano(); limit > 0 {
		return max(0, time.Duration(limit)-time.Since(a.begun))
	}
	return -1
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

// waits reports whether a blocking socket would have waited longer. TCP says
// that it is on its way, a unix socket that the server has no room; and with a
// bound on the time, a signal to this program ends the call (signal(7)). Who is
// told that the socket is connected waits for the news of who did it.
func (s *Supervisor) waits(a *attempt, errno unix.Errno) bool {
	if a.own == nil || a.left() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch errno {
	case unix.EINPROGRESS, unix.EALREADY, unix.EAGAIN, unix.EINTR:
		return !a.own.connected
	case unix.EISCONN:
		return !a.own.connected && a.own.users > 1
	default:
		return false
	}
}

// later goes on with a connection while others are answered.
func (s *Supervisor) later(a attempt) {
	select {
	case s.slow <- struct{}{}:
	default:
		s.finish(&a, unix.EAGAIN)
		return
	}
	go func() {
		defer func() { <-s.slow }()
		errno := unix.EAGAIN
		for s.waits(&a, errno) {
			if !s.calls.valid(a.id) {
				s.let(&a)
				return
			}
			wait := glance
			if left := a.left(); left > 0 {
				wait = min(wait, max(time.Millisecond, left))
			}
			if errno = a.give(wait); errno == 0 {
				errno = a.try()
			}
		}
		if errno == unix.EALREADY || errno == unix.EINTR { // its time is up
			errno = unix.EINPROGRESS
			if a.domain == unix.AF_UNIX {
				errno = unix.EAGAIN
			}
		}
		s.finish(&a, errno)
	}()
}

// finish answers. Our duplicate is closed first: as long as it is open, the
// other side does not see that the caller closes its own.
func (s *Supervisor) finish(a *attempt, errno unix.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.own != nil {
		if a.own.connected {
			errno = 0
		}
		a.own.connected = errno == 0
	}
	s.letLocked(a)
	told := s.calls.fail(a.id, errno)
	if a.cookie == 0 {
		return
	}
	if told {
		if errno == 0 {
			if len(s.told) >= maxSlow {
				clear(s.told)
			}
			s.told[a.thread] = a.cookie
		}
		return
	}
	// A signal came in between. The kernel makes the call again when the handler
	// has run (signal(7), SA_RESTART), and is to find out what became of it.
	if len(s.lost) >= maxSlow {
		clear(s.lost)
	}
	s.lost[a.thread] = outcome{a.cookie, a.asked, errno}
}

// repeated returns how the thread's last call ended, where this is the same one.
func (s *Supervisor) repeated(a *attempt) (unix.Errno, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.lost[a.thread]
	delete(s.lost, a.thread)
	return o.errno, ok && o.cookie == a.cookie && o.asked == a.asked
}

// unheard reports whether a thread that connects a connected socket may not have
// heard that it is: a signal that comes while the answer is handed over is
// preferred to it (seccomp_do_user_notification in kernel/seccomp.c), and the call
// is made again. A thread that does connect the same socket twice in a row is told
// so once.
func (s *Supervisor) unheard(a *attempt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	cookie, ok := s.told[a.thread]
	delete(s.told, a.thread)
	return ok && cookie == a.cookie
}

// let lets the socket go as it was.
func (s *Supervisor) let(a *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letLocked(a)
}

func (s *Supervisor) letLocked(a *attempt) {
	if a.own != nil {
		if a.own.users--; a.own.users == 0 {
			_ = unix.SetsockoptTimeval(a.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, a.own.timeout)
			delete(s.bounds, a.cookie)
		}
	}
	for _, fd := range []int{a.fd, a.file} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
