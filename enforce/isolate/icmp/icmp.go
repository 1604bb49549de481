// Package icmp reads which UDP datagrams were refused in a jail, from the ICMP
// messages that the kernel sends their senders.
//
// The messages quote packets of the confined command: nothing in them may be
// trusted, and nothing is sent.
package icmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
)

const (
	protocolUDP = 17
	// Destination unreachable, port unreachable: RFC 792 and RFC 4443 section 3.1.
	type4, code4 = 3, 3
	type6, code6 = 1, 4
	quoteOffset  = 8
	header4      = 20
	header6      = 40
)

// Refused is a datagram that nobody took.
type Refused struct{ Source, Destination netip.AddrPort }

// Watcher reports refused datagrams until it is closed.
type Watcher struct {
	conns []net.PacketConn
	wg    sync.WaitGroup
}

// Watch takes over raw ICMP sockets and calls report for each refused datagram,
// from one goroutine a socket.
func Watch(files []*os.File, report func(Refused)) (*Watcher, error) {
	w := &Watcher{}
	for _, f := range files {
		c, err := net.FilePacketConn(f)
		f.Close()
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("use the ICMP socket: %w", err)
		}
		w.conns = append(w.conns, c)
		w.wg.Go(func() { read(c, report) })
	}
	return w, nil
}

// Close ends the watching.
func (w *Watcher) Close() error {
	for _, c := range w.conns {
		c.Close()
	}
	w.wg.Wait()
	return nil
}

func read(c net.PacketConn, report func(Refused)) {
	parse := Parse4
	if a, ok := c.LocalAddr().(*net.IPAddr); ok && a.IP.To4() == nil {
		parse = Parse6
	}
	buf := make([]byte, 2048)
	for {
		n, _, err := c.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if r, ok := parse(buf[:n]); ok {
			report(r)
		}
	}
}

// Parse4 reads an ICMP message without its IP header.
func Parse4(b []byte) (Refused, bool) {
	if len(b) < quoteOffset+header4 || b[0] != type4 || b[1] != code4 {
		return Refused{}, false
	}
	ip := b[quoteOffset:]
	size := int(ip[0]&15) * 4
	if ip[0]>>4 != 4 || size < header4 || ip[9] != protocolUDP || len(ip) < size+4 {
		return Refused{}, false
	}
	return ports(netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20])), ip[size:]), true
}

// Parse6 reads an ICMPv6 message.
func Parse6(b []byte) (Refused, bool) {
	if len(b) < quoteOffset+header6+4 || b[0] != type6 || b[1] != code6 {
		return Refused{}, false
	}
	ip := b[quoteOffset:]
	if ip[0]>>4 != 6 || ip[6] != protocolUDP {
		return Refused{}, false
	}
	return ports(netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40])), ip[header6:]), true
}

func ports(src, dst netip.Addr, udp []byte) Refused {
	return Refused{
		Source:      netip.AddrPortFrom(src, binary.BigEndian.Uint16(udp)),
		Destination: netip.AddrPortFrom(dst, binary.BigEndian.Uint16(udp[2:])),
	}
}
