package supervisor

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestConnectedMeanwhile: a call that a signal interrupted is made again while its
// connection is still being made. Whenever that is made, the second call ends.
func TestConnectedMeanwhile(t *testing.T) {
	for _, when := range []string{"before it is asked", "before the attempts know of each other", "afterwards"} {
		t.Run(when, func(t *testing.T) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fds[1])
			defer unix.Close(fds[0])
			s := &Supervisor{calls: listener{fd: -1}, lost: map[uint32]outcome{}, told: map[uint32]uint64{}, bounds: map[uint64]*bound{}}
			attemptAt := func() *attempt {
				fd, err := unix.Dup(fds[0])
				if err != nil {
					t.Fatal(err)
				}
				return &attempt{thread: 7, cookie: 9, fd: fd, file: -1}
			}
			connects := func(a *attempt, now string) {
				if when == now {
					s.finish(a, 0)
				}
			}
			first, again := attemptAt(), attemptAt()
			if errno, over := s.join(first); errno != 0 || over {
				t.Fatal(errno, over)
			}
			connects(first, "before it is asked")
			errno, over := s.repeated(again)
			if !over {
				connects(first, "before the attempts know of each other")
				errno, over = s.join(again)
			}
			if !over {
				connects(first, "afterwards")
				over = !s.waits(again, unix.EAGAIN)
			}
			if errno != 0 || !over {
				t.Errorf("over: %v, with %v", over, errno)
			}
			s.finish(again, errno)
			if len(s.bounds) != 0 {
				t.Errorf("%d sockets are still bounded", len(s.bounds))
			}
		})
	}
}
