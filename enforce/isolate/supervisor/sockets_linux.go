package supervisor

import (
	"sync"

	"golang.org/x/sys/unix"
)

// siocUnixFile is SIOCUNIXFILE of linux/un.h, since Linux 4.12.
const siocUnixFile = 0x89e0

// maxSockets bounds what is kept. Beyond, sockets that nobody can find any more
// are forgotten, then any: connections to those are refused.
const maxSockets = 4096

// boundFile opens the file that a unix socket is bound to: the very one, not
// what its path leads to. The kernel answers to who has CAP_NET_ADMIN over the
// socket's network, so not about sockets of the host's (unix_open_file in
// net/unix/af_unix.c).
func boundFile(socket int) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), siocUnixFile, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// sockets are the files that may be connected to. Binding makes a new file, and
// no second socket can be bound to it (unix(7)), so a file that belongs to one
// socket never belongs to another. The zero value is empty.
type sockets struct {
	mu sync.Mutex
	// files are kept open: an inode number may be given to another file when
	// there is no use of it left.
	files map[identity]int
}

type identity struct{ dev, ino uint64 }

func identify(fd int) (id identity, links uint64, socket bool) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return identity{}, 0, false
	}
	return identity{st.Dev, st.Ino}, uint64(st.Nlink), st.Mode&unix.S_IFMT == unix.S_IFSOCK //nolint:unconvert // 32 bits on arm64
}

// add takes over fd, an O_PATH file.
func (s *sockets) add(fd int) {
	id, _, socket := identify(fd)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.files[id]; known || !socket {
		unix.Close(fd)
		return
	}
	if s.files == nil {
		s.files = map[identity]int{}
	}
	if len(s.files) >= maxSockets {
		s.prune()
	}
	s.files[id] = fd
}

func (s *sockets) prune() {
	for id, fd := range s.files {
		if _, links, _ := identify(fd); links == 0 {
			unix.Close(fd)
			delete(s.files, id)
		}
	}
	for id, fd := range s.files {
		if len(s.files) < maxSockets {
			return
		}
		unix.Close(fd)
		delete(s.files, id)
	}
}

// has reports whether fd is one of the files.
func (s *sockets) has(fd int) bool {
	id, _, socket := identify(fd)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.files[id]
	return known && socket
}

func (s *sockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fd := range s.files {
		unix.Close(fd)
	}
	s.files = nil
}
