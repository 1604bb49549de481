package isolate

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"unsafe"

	"github.com/juliendoutre/proxaudit/enforce/isolate/capture"
	"golang.org/x/sys/unix"
)

// listen turns the listening sockets of the jail into one listener.
func listen(kind capture.Kind, files []*os.File) (net.Listener, error) {
	var all []net.Listener
	for _, f := range files {
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, fmt.Errorf("use the jail's listener: %w", err)
		}
		all = append(all, l)
	}
	switch {
	case kind == capture.Redirect:
		return redirected{all[0]}, nil
	case len(all) == 1:
		return all[0], nil
	default:
		return merge(all), nil
	}
}

// merged accepts from several listeners.
type merged struct {
	all    []net.Listener
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func merge(all []net.Listener) *merged {
	m := &merged{all: all, conns: make(chan net.Conn), closed: make(chan struct{})}
	for _, l := range all {
		go m.accept(l)
	}
	return m
}

func (m *merged) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		select {
		case m.conns <- c:
		case <-m.closed:
			c.Close()
			return
		}
	}
}

// Accept implements net.Listener.
func (m *merged) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener: the proxy's own address is the first.
func (m *merged) Addr() net.Addr { return m.all[0].Addr() }

// Close implements net.Listener.
func (m *merged) Close() error {
	m.once.Do(func() {
		close(m.closed)
		for _, l := range m.all {
			l.Close()
		}
	})
	return nil
}

// redirected gives connections that a redirect rule brought their original
// destination back.
type redirected struct{ net.Listener }

// Accept implements net.Listener.
func (r redirected) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	if to := originalDestination(t); to != nil {
		return redirectedConn{t, to}, nil
	}
	return c, nil
}

type redirectedConn struct {
	*net.TCPConn
	local *net.TCPAddr
}

// LocalAddr returns the address that the client dialled.
func (c redirectedConn) LocalAddr() net.Addr { return c.local }

// originalDestination asks connection tracking, which answers for connections
// that were redirected (SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and the same
// number for IPv6); nil for others.
func originalDestination(c *net.TCPConn) *net.TCPAddr {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	level, v4 := unix.SOL_IPV6, false
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok && a.IP.To4() != nil {
		level, v4 = unix.SOL_IP, true
	}
	const originalDst = 80
	var buf [unix.SizeofSockaddrInet6]byte
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		size := uint32(len(buf))
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, uintptr(level), originalDst,
			uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err != nil || errno != 0 {
		return nil
	}
	port := int(buf[2])<<8 | int(buf[3])
	if v4 {
		return &net.TCPAddr{IP: net.IP(buf[4:8]), Port: port}
	}
	return &net.TCPAddr{IP: net.IP(buf[8:24]), Port: port}
}
