package fakedns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	// maxStreams bounds the DNS-over-TCP connections that are served at once.
	maxStreams = 128
	// streamIdle is how long one may stay silent (RFC 7766 section 6.2.3).
	streamIdle = 10 * time.Second
)

// Server answers on the sockets it is given. Set the fields before it serves.
type Server struct {
	Names *Names
	// IPv6 is false where names must not get AAAA records.
	IPv6 bool
	// Asked is told of every question before it is answered. It is called
	// concurrently and may be nil.
	Asked func(Question)

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]bool
	wg     sync.WaitGroup
}

// ServeUDP takes over a bound UDP socket and answers on it until Close.
func (s *Server) ServeUDP(f *os.File) error {
	c, err := net.FilePacketConn(f)
	f.Close()
	if err != nil {
		return fmt.Errorf("use the DNS socket: %w", err)
	}
	u, ok := c.(*net.UDPConn)
	if !ok {
		c.Close()
		return fmt.Errorf("the DNS socket is a %T", c)
	}
	packets, err := newPackets(u)
	if err != nil || !s.track(u) {
		u.Close()
		return err
	}
	s.wg.Go(func() { s.datagrams(packets) })
	return nil
}

// ServeTCP takes over a listening socket and answers on it until Close.
func (s *Server) ServeTCP(f *os.File) error {
	l, err := net.FileListener(f)
	f.Close()
	if err != nil {
		return fmt.Errorf("use the DNS listener: %w", err)
	}
	if !s.track(l) {
		return l.Close()
	}
	s.wg.Go(func() { s.accept(l) })
	return nil
}

// Close ends serving and waits for what is being answered.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

func (s *Server) track(c io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[io.Closer]bool{}
	}
	s.open[c] = true
	return true
}

func (s *Server) forget(c io.Closer) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *Server) datagrams(p packets) {
	buf := make([]byte, 64<<10)
	for {
		n, server, client, err := p.read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		response := s.reply(buf[:n], "udp", client, netip.AddrPortFrom(server, 53))
		if response != nil {
			// A client that has gone is no concern of the others.
			_ = p.write(response, server, client)
		}
	}
}

func (s *Server) reply(packed []byte, network string, client, server netip.AddrPort) []byte {
	response, q, err := s.answer(packed)
	if err != nil {
		return nil
	}
	if s.Asked != nil {
		q.Network, q.Client, q.Server = network, client, server
		s.Asked(q)
	}
	return response
}

func (s *Server) accept(l net.Listener) {
	slots := make(chan struct{}, maxStreams)
	for {
		slots <- struct{}{}
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-slots
			continue
		}
		if !s.track(c) {
			c.Close()
			return
		}
		s.wg.Go(func() {
			defer func() { <-slots }()
			defer s.forget(c)
			s.stream(c)
		})
	}
}

// stream answers questions over TCP, each after its length (RFC 1035 section
// 4.2.2), until the client leaves or falls silent.
func (s *Server) stream(c net.Conn) {
	client, server := addrPort(c.RemoteAddr()), addrPort(c.LocalAddr())
	for {
		if err := c.SetDeadline(time.Now().Add(streamIdle)); err != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		packed := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, packed); err != nil {
			return
		}
		response := s.reply(packed, "tcp", client, server)
		if response == nil {
			return
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(response)))
		if _, err := c.Write(append(framed, response...)); err != nil {
			return
		}
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// packets reads datagrams with the address they were sent to, and sends answers
// from it: resolvers drop an answer from any other.
type packets struct {
	read  func([]byte) (n int, server netip.Addr, client netip.AddrPort, err error)
	write func(b []byte, server netip.Addr, client netip.AddrPort) error
}

func newPackets(u *net.UDPConn) (packets, error) {
	if addr, ok := u.LocalAddr().(*net.UDPAddr); ok && addr.IP.To4() != nil {
		p := ipv4.NewPacketConn(u)
		err := p.SetControlMessage(ipv4.FlagDst, true)
		return packets{
			read: func(b []byte) (int, netip.Addr, netip.AddrPort, error) {
				n, cm, src, err := p.ReadFrom(b)
				if err != nil || cm == nil {
					return 0, netip.Addr{}, netip.AddrPort{}, orNoDestination(err)
				}
				return n, unmapped(cm.Dst), udpAddrPort(src), nil
			},
			write: func(b []byte, server netip.Addr, client netip.AddrPort) error {
				_, err := p.WriteTo(b, &ipv4.ControlMessage{Src: server.AsSlice()}, net.UDPAddrFromAddrPort(client))
				return err
			},
		}, err
	}
	p := ipv6.NewPacketConn(u)
	err := p.SetControlMessage(ipv6.FlagDst, true)
	return packets{
		read: func(b []byte) (int, netip.Addr, netip.AddrPort, error) {
			n, cm, src, err := p.ReadFrom(b)
			if err != nil || cm == nil {
				return 0, netip.Addr{}, netip.AddrPort{}, orNoDestination(err)
			}
			return n, unmapped(cm.Dst), udpAddrPort(src), nil
		},
		write: func(b []byte, server netip.Addr, client netip.AddrPort) error {
			_, err := p.WriteTo(b, &ipv6.ControlMessage{Src: server.AsSlice()}, net.UDPAddrFromAddrPort(client))
			return err
		},
	}, err
}

var errNoDestination = errors.New("a datagram without its destination")

func orNoDestination(err error) error {
	if err == nil {
		return errNoDestination
	}
	return err
}

func unmapped(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func udpAddrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		return u.AddrPort()
	}
	return netip.AddrPort{}
}
