package capture

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// backlog is the listeners' queue; the kernel caps it at net.core.somaxconn.
const backlog = 4096

// listen opens the listeners for the first kind that works.
func (s *Set) listen(kinds []Kind) error {
	if len(kinds) == 0 {
		kinds = []Kind{TProxy, Redirect, Ports}
	}
	var failed []error
	for _, k := range kinds {
		err := s.try(k)
		if err == nil {
			s.Kind = k
			return nil
		}
		for _, f := range s.TCP {
			f.Close()
		}
		s.TCP = nil
		failed = append(failed, fmt.Errorf("capture by %s: %w", k, err))
	}
	return errors.Join(failed...)
}

func (s *Set) try(k Kind) error {
	if err := s.open(0, k == TProxy); err != nil {
		return err
	}
	port, err := portOf(s.TCP[0])
	if err != nil {
		return err
	}
	s.Port = port
	switch k {
	case TProxy:
		return tproxyRules(port, s.IPv6)
	case Redirect:
		return redirectRules(port, s.IPv6)
	case Ports:
		for _, p := range FixedPorts {
			if err := s.open(p, false); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("unknown kind %q", k)
	}
}

// open adds one listener on every address. IPv6 sockets take IPv4 too, so that
// there is one accept queue.
func (s *Set) open(port uint16, transparent bool) error {
	f, err := bound(unix.SOCK_STREAM, port, s.IPv6, !s.IPv6, transparent)
	if err != nil {
		return err
	}
	if err := unix.Listen(int(f.Fd()), backlog); err != nil {
		f.Close()
		return fmt.Errorf("listen on port %d: %w", port, err)
	}
	s.TCP = append(s.TCP, f)
	return nil
}

// bindDNS takes port 53 of every address, so that a question to any name server
// arrives here. The families have sockets of their own because an answer's
// source address is set by family-specific control messages.
func (s *Set) bindDNS() error {
	families := []bool{false}
	if s.IPv6 {
		families = append(families, true)
	}
	for _, v6 := range families {
		udp, err := bound(unix.SOCK_DGRAM, 53, v6, true, false)
		if err != nil {
			return err
		}
		s.DNSUDP = append(s.DNSUDP, udp)
		tcp, err := bound(unix.SOCK_STREAM, 53, v6, true, false)
		if err != nil {
			return err
		}
		s.DNSTCP = append(s.DNSTCP, tcp)
		if err := unix.Listen(int(tcp.Fd()), backlog); err != nil {
			return fmt.Errorf("listen on port 53: %w", err)
		}
	}
	return nil
}

// openICMP opens sockets on which refused datagrams can be seen.
func (s *Set) openICMP() error {
	protocols := [][2]int{{unix.AF_INET, unix.IPPROTO_ICMP}}
	if s.IPv6 {
		protocols = append(protocols, [2]int{unix.AF_INET6, unix.IPPROTO_ICMPV6})
	}
	for _, p := range protocols {
		fd, err := unix.Socket(p[0], unix.SOCK_RAW|unix.SOCK_CLOEXEC, p[1])
		if err != nil {
			return fmt.Errorf("open an ICMP socket: %w", err)
		}
		s.ICMP = append(s.ICMP, os.NewFile(uintptr(fd), "icmp"))
	}
	return nil
}

// bound returns a socket bound to port of every address of a family.
func bound(kind int, port uint16, v6, only, transparent bool) (*os.File, error) {
	family := unix.AF_INET
	if v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "port "+strconv.Itoa(int(port)))
	if err := bindAny(fd, port, v6, only, transparent); err != nil {
		f.Close()
		return nil, fmt.Errorf("bind port %d: %w", port, err)
	}
	return f, nil
}

func bindAny(fd int, port uint16, v6, only, transparent bool) error {
	// No SO_REUSEADDR: it would let the command bind the same UDP port and take
	// the questions.
	if transparent {
		if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1); err != nil {
			return err
		}
	}
	if !v6 {
		return unix.Bind(fd, &unix.SockaddrInet4{Port: int(port)})
	}
	v6only := 0
	if only {
		v6only = 1
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_V6ONLY, v6only); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet6{Port: int(port)})
}

func portOf(f *os.File) (uint16, error) {
	sa, err := unix.Getsockname(int(f.Fd()))
	if err != nil {
		return 0, err
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port), nil
	case *unix.SockaddrInet6:
		return uint16(a.Port), nil
	default:
		return 0, fmt.Errorf("unexpected address %T", sa)
	}
}
