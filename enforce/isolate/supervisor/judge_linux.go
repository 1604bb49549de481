package supervisor

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// maxAddress is sizeof(struct sockaddr_storage): no address is longer.
	maxAddress = 128
	// pathOffset is where the path begins in struct sockaddr_un.
	pathOffset = 2
)

type address struct {
	bytes [maxAddress]byte
	size  int
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
	if s.Rights {
		var err error
		if a.as, err = credentialsOf(int(a.thread)); err != nil {
			return unix.EACCES
		}
	}
	file, errno := open(int(a.thread), path, a.as)
	switch {
	case errno != 0, s.own.has(file):
	case !s.kept.has(file):
		errno = unix.ECONNREFUSED
	case a.as != nil:
		a.as.groups = append(a.as.groups, s.Groups...)
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
