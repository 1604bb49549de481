package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// reservePort returns a port of the loopback that nobody is given who asks for any:
// a socket is bound to it until release is called. Whoever asks for this port itself
// and sets SO_REUSEADDR, as servers do, gets it, for that socket never listens
// (socket(7)). A port that was free and was let go may be another script's, or a
// client's, by the time the server starts.
func reservePort() (port int, release func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
	)
	if err == nil {
		var at unix.Sockaddr
		if at, err = unix.Getsockname(fd); err == nil {
			return at.(*unix.SockaddrInet4).Port, func() { _ = unix.Close(fd) }, nil
		}
	}
	_ = unix.Close(fd)
	return 0, nil, err
}
