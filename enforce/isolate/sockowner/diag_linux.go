// Package sockowner finds the process behind a connection: first the socket's
// inode by its addresses (sock_diag(7)), then the process that has it open.
//
// What it finds is evidence, not proof: processes share sockets, hand them on
// and name themselves as they like. It must never decide anything, and never
// hold a request up for long.
package sockowner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes and offsets of linux/inet_diag.h and linux/netlink.h.
const (
	headerSize  = unix.SizeofNlMsghdr
	requestSize = 56
	inodeOffset = headerSize + 68
	answerSize  = headerSize + 72
	byFamily    = 20 // SOCK_DIAG_BY_FAMILY
	allStates   = 0xffffffff
)

// ErrUnknown means that there is no such socket, or that nobody has it open any
// more.
var ErrUnknown = errors.New("no process has this connection open")

// OpenDiag returns a socket that answers for the network namespace of the
// calling thread, wherever it is used later.
func OpenDiag() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open a sock_diag socket: %w", err)
	}
	timeout := unix.Timeval{Sec: 1}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up a sock_diag socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "sock_diag"), nil
}

// diag asks for one socket at a time.
type diag struct {
	mu  sync.Mutex
	f   *os.File
	seq uint32
}

// inode returns the inode of the socket with these ends.
func (d *diag) inode(protocol uint8, from, to netip.AddrPort) (uint32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq++
	fd := int(d.f.Fd())
	if err := unix.Sendto(fd, request(d.seq, protocol, from, to), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("ask sock_diag: %w", err)
	}
	buf := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("ask sock_diag: %w", err)
		}
		inode, mine, err := parseAnswer(buf[:n], d.seq)
		if mine || err != nil {
			return inode, err
		}
	}
}

// request is struct inet_diag_req_v2 behind a netlink header. Numbers are in
// the machine's order, addresses and ports in the network's.
func request(seq uint32, protocol uint8, src, dst netip.AddrPort) []byte {
	from, to := src.Addr().Unmap(), dst.Addr().Unmap()
	b := make([]byte, headerSize+requestSize)
	*(*unix.NlMsghdr)(unsafe.Pointer(&b[0])) = unix.NlMsghdr{
		Len: uint32(len(b)), Type: byFamily, Flags: unix.NLM_F_REQUEST, Seq: seq,
	}
	r := b[headerSize:]
	r[0], r[1] = unix.AF_INET, protocol
	if from.Is6() {
		r[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint32(r[4:], allStates)
	binary.BigEndian.PutUint16(r[8:], src.Port())
	binary.BigEndian.PutUint16(r[10:], dst.Port())
	copy(r[12:28], from.AsSlice())
	copy(r[28:44], to.AsSlice())
	// The interface stays 0; no cookie.
	binary.NativeEndian.PutUint64(r[48:], ^uint64(0))
	return b
}

// parseAnswer returns the inode of an answer, and whether it belongs to seq.
func parseAnswer(b []byte, seq uint32) (inode uint32, mine bool, err error) {
	if len(b) < headerSize {
		return 0, false, errors.New("sock_diag answered too little")
	}
	if binary.NativeEndian.Uint32(b[8:]) != seq {
		return 0, false, nil
	}
	switch kind := binary.NativeEndian.Uint16(b[4:]); {
	case kind == unix.NLMSG_ERROR:
		return 0, true, ErrUnknown
	case kind != byFamily || len(b) < answerSize:
		return 0, true, fmt.Errorf("sock_diag answered with a message of type %d", kind)
	}
	inode = binary.NativeEndian.Uint32(b[inodeOffset:])
	if inode == 0 {
		return 0, true, ErrUnknown
	}
	return inode, true, nil
}
