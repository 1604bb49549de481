package supervisor

import "golang.org/x/sys/unix"

// outcome is what became of a connection that nobody waited for any more.
type outcome struct {
	cookie uint64
	asked  address
	errno  unix.Errno
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
