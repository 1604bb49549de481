package supervisor

import (
	"encoding/binary"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// pair answers a request for two connected datagram sockets with two of
// SOCK_SEQPACKET: they keep the bounds of messages as well, and cannot send to
// anyone else.
func (s *Supervisor) pair(c call) {
	s.calls.fail(c.id, s.givePair(&c))
}

func (s *Supervisor) givePair(c *call) unix.Errno {
	if protocol := int32(c.args[2]); protocol != 0 && protocol != unix.AF_UNIX {
		return unix.EPROTONOSUPPORT
	}
	memory, err := os.OpenFile("/proc/"+strconv.Itoa(int(c.pid))+"/mem", os.O_RDWR, 0)
	if err != nil {
		return unix.EPERM
	}
	defer memory.Close()
	// The file belongs to the memory of the caller, if that still waits.
	if !s.calls.valid(c.id) {
		return unix.EPERM
	}
	numbers, at := make([]byte, 8), int64(c.args[3])
	if _, err := memory.WriteAt(numbers, at); err != nil {
		return unix.EFAULT
	}
	two, err := s.Pair()
	if err != nil {
		return unix.ESOCKTNOSUPPORT
	}
	defer two[0].Close()
	defer two[1].Close()
	for i, f := range two {
		if err := unix.SetNonblock(int(f.Fd()), c.args[1]&unix.SOCK_NONBLOCK != 0); err != nil {
			return errnoOf(err)
		}
		fd, errno := s.calls.give(c.id, int(f.Fd()), c.args[1]&unix.SOCK_CLOEXEC != 0)
		if errno != 0 {
			return errno
		}
		binary.NativeEndian.PutUint32(numbers[4*i:], uint32(fd))
	}
	if _, err := memory.WriteAt(numbers, at); err != nil {
		return unix.EFAULT
	}
	return 0
}
