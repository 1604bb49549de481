package supervisor

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// patience is what one connection may take while others wait.
	patience = time.Millisecond
	// glance is how often a connection that takes longer is looked after.
	glance = 100 * time.Millisecond
)

// bound is the SO_SNDTIMEO that a socket had before we set another. Attempts at
// the same socket share it: one that is made again may find the first one still
// under way.
type bound struct {
	timeout   *unix.Timeval
	users     int
	connected bool // by one of them
}

// join makes the attempt one of those at its socket, and from then on they hear of
// each other. One that nobody waits for any more may have ended since the thread was
// asked for in repeated: then it is over, as that one ended. The kernel would not
// tell: for a unix socket that is connected, it waits for room at the server before
// it looks at the socket (unix_stream_connect in net/unix/af_unix.c).
func (s *Supervisor) join(a *attempt) (errno unix.Errno, over bool) {
	if errno := s.impatient(a); errno != 0 {
		return errno, false
	}
	return s.repeated(a)
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
