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
	"syscall"
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
	conns  []net.PacketConn
	report func(Refused)
	wg     sync.WaitGroup
}

// Watch takes over raw ICMP sockets and calls report for each refused datagram,
// from several goroutines.
func Watch(files []*os.File, report func(Refused)) (*Watcher, error) {
	w := &Watcher{report: report}
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

// Close ends the watching, once all that was refused before is reported: the last
// datagrams of a command are refused right before it ends.
func (w *Watcher) Close() error {
	for _, c := range w.conns {
		w.drain(c)
		c.Close()
	}
	w.wg.Wait()
	return nil
}

// drain reports what has arrived and was not read yet.
func (w *Watcher) drain(c net.PacketConn) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return
	}
	parse, headed := format(c)
	buf := make([]byte, 2048)
	_ = raw.Control(func(fd uintptr) {
		for {
			n, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_DONTWAIT)
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			if err != nil {
				return
			}
			message := buf[:n]
			if headed && n > 0 {
				message = message[min(n, int(buf[0]&15)*4):]
			}
			if r, ok := parse(message); ok {
				w.report(r)
			}
		}
	})
}

// format returns what parses the messages of a socket, and whether the kernel puts
// an IP header before them, which package net takes off (raw(7)).
func format(c net.PacketConn) (parse func([]byte) (Refused, bool), headed bool) {
	if a, ok := c.LocalAddr().(*net.IPAddr); ok && a.IP.To4() == nil {
		return Parse6, false
	}
	return Parse4, true
}

func read(c net.PacketConn, report func(Refused)) {
	parse, _ := format(c)
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
