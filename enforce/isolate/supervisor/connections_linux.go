package supervisor

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxConnections bounds the connections of which it is kept who made them, until
// somebody asks. Beyond, the oldest is forgotten.
const maxConnections = 1024

// Owner returns the process that connected a TCP socket, by its two ends as the
// client sees them. It answers once: a connection with these ends may be another
// the next time.
//
// It is evidence, not proof: a process may hand the socket on.
func (s *Supervisor) Owner(client, server netip.AddrPort) (Process, bool) {
	e := ends{endOf(client), endOf(server)}
	if p, ok := s.made.take(e); ok {
		return p, true
	}
	// A server can hear of a connection before the call that made it returns.
	s.connecting.Lock()
	s.connecting.Unlock() //nolint:staticcheck // it was waited for
	return s.made.take(e)
}

// note keeps who connected, where that is to an address of the internet.
func (s *Supervisor) note(a *attempt, errno unix.Errno) {
	if errno != 0 && errno != unix.EINPROGRESS {
		return
	}
	server, ok := a.asked.end()
	if !ok {
		return
	}
	// Not unix.Getsockname, which asks for the protocol as well.
	var own address
	size := uint32(len(own.bytes))
	if _, _, errno := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(a.fd), uintptr(unsafe.Pointer(&own.bytes[0])), uintptr(unsafe.Pointer(&size))); errno != 0 {
		return
	}
	own.size = int(size)
	if client, ok := own.end(); ok {
		s.made.add(ends{client, server}, a.process)
	}
}

// end is one end of a connection. IPv4 addresses are mapped to IPv6 ones.
type end struct {
	addr [16]byte
	port uint16
}

func endOf(a netip.AddrPort) end { return end{a.Addr().As16(), a.Port()} }

// end returns the internet address that a is, if it is one.
func (a *address) end() (end, bool) {
	switch family := binary.NativeEndian.Uint16(a.bytes[:]); {
	case family == unix.AF_INET && a.size >= unix.SizeofSockaddrInet4:
		addr := netip.AddrFrom4([4]byte(a.bytes[4:]))
		return endOf(netip.AddrPortFrom(addr, binary.BigEndian.Uint16(a.bytes[2:]))), true
	case family == unix.AF_INET6 && a.size >= unix.SizeofSockaddrInet6-4: // sin6_scope_id is new (RFC 2553)
		return end{[16]byte(a.bytes[8:]), binary.BigEndian.Uint16(a.bytes[2:])}, true
	default:
		return end{}, false
	}
}

type ends struct{ client, server end }

// connections are who made which. The zero value is empty.
type connections struct {
	mu    sync.Mutex
	made  map[ends]record
	order [maxConnections]ends // a ring
	next  uint64
}

type record struct {
	process Process
	number  uint64 // of its place in the ring
}

func (c *connections) add(e ends, p Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made = map[ends]record{}
	}
	place := &c.order[c.next%maxConnections]
	if old, ok := c.made[*place]; ok && old.number+maxConnections == c.next {
		delete(c.made, *place)
	}
	*place = e
	c.made[e] = record{p, c.next}
	c.next++
}

func (c *connections) take(e ends) (Process, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.made[e]
	delete(c.made, e)
	return r.process, ok
}
