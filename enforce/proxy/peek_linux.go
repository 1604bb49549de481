package proxy

import (
	"net"
	"syscall"
)

// canPeek says that quiet can tell.
const canPeek = true

// quiet reports whether nothing has arrived on a connection that is idle: neither
// a byte nor its end (recv(2), MSG_PEEK).
func quiet(c net.Conn) bool {
	raw := rawConn(c)
	if raw == nil {
		return false
	}
	none := false
	err := raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		none = err == syscall.EAGAIN
	})
	return err == nil && none
}
