package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// tcpClose is the state of a socket that is no longer connected: TCP_CLOSE of
// include/net/tcp_states.h.
const tcpClose = 7

// isReset reports whether a connection that was not ended from both sides is gone.
// TLS has an end of its own, and is not asked.
func isReset(c net.Conn) bool {
	if cc, ok := c.(*clientConn); ok {
		return isReset(cc.Conn)
	}
	socket, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		gone = err == nil && info.State == tcpClose
	})
	return gone || err != nil // closed by us
}
