package proxy

import (
	"math"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// silence watches a tunnel. The kernel knows when each socket last received
// (tcpi_last_data_recv of TCP_INFO, tcp(7)), so that nothing has to stand in the
// way of the bytes.
type silence struct {
	longest        time.Duration
	client, server net.Conn
	ends           [2]syscall.RawConn

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// closeWhenSilent closes both ends of a tunnel once neither has received a byte
// for as long as longest. It returns the function that ends the watch.
func closeWhenSilent(longest time.Duration, client, server net.Conn) (stop func()) {
	s := &silence{longest: longest, client: client, server: server, ends: [2]syscall.RawConn{rawConn(client), rawConn(server)}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(math.MaxInt64, s.look)
	s.timer.Reset(longest)
	return s.stop
}

func (s *silence) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	quiet := min(s.since(s.ends[0]), s.since(s.ends[1]))
	if quiet < s.longest {
		s.timer.Reset(s.longest - quiet)
		return
	}
	_ = s.client.Close()
	_ = s.server.Close()
}

func (s *silence) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.timer.Stop()
}

// since returns for how long a socket has received nothing: no time at all for
// one that cannot tell, the longest for one that is closed.
func (s *silence) since(c syscall.RawConn) time.Duration {
	if c == nil {
		return 0
	}
	var quiet time.Duration
	if c.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			quiet = time.Duration(info.Last_data_recv) * time.Millisecond
		}
	}) != nil {
		return s.longest
	}
	return quiet
}

// rawConn finds the socket beneath what wraps it, nil when there is none.
func rawConn(c net.Conn) syscall.RawConn {
	switch c := c.(type) {
	case syscall.Conn:
		raw, err := c.SyscallConn()
		if err != nil {
			return nil
		}
		return raw
	case *clientConn:
		return rawConn(c.Conn)
	case interface{ NetConn() net.Conn }: // crypto/tls
		return rawConn(c.NetConn())
	default:
		return nil
	}
}
