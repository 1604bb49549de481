// Package icmp reads which UDP datagrams were refused in a jail, from the ICMP
// messages that the kernel sends their senders.
//
// The messages quote packets of the confined command: nothing in them may be
// trusted, and nothing is sent.
package icmp

import (
	"encoding/binary"
	"net/netip"
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
