package icmp

import (
	"net"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

func message4() []byte {
	b := make([]byte, quoteOffset+header4+8)
	b[0], b[1] = type4, code4
	ip := b[quoteOffset:]
	ip[0], ip[9] = 0x45, protocolUDP
	copy(ip[12:], []byte{198, 18, 0, 1, 192, 0, 2, 7})
	copy(ip[header4:], []byte{0xc0, 0x00, 0x01, 0xbb})
	return b
}

func message6() []byte {
	b := make([]byte, quoteOffset+header6+8)
	b[0], b[1] = type6, code6
	ip := b[quoteOffset:]
	ip[0], ip[6] = 0x60, protocolUDP
	ip[23], ip[39] = 1, 2
	copy(ip[header6:], []byte{0xc0, 0x00, 0x01, 0xbb})
	return b
}

func TestParse(t *testing.T) {
	if r, ok := Parse4(message4()); !ok || r.Source.String() != "198.18.0.1:49152" || r.Destination.String() != "192.0.2.7:443" {
		t.Errorf("IPv4: %v, %v", r, ok)
	}
	if r, ok := Parse6(message6()); !ok || r.Source.String() != "[::1]:49152" || r.Destination.String() != "[::2]:443" {
		t.Errorf("IPv6: %v, %v", r, ok)
	}
}

func TestOtherMessagesAreNone(t *testing.T) {
	for name, edit := range map[string]func([]byte) []byte{
		"an echo":       func(b []byte) []byte { b[0] = 8; return b },
		"host unknown":  func(b []byte) []byte { b[1] = 1; return b },
		"TCP":           func(b []byte) []byte { b[quoteOffset+9] = 6; return b },
		"cut off":       func(b []byte) []byte { return b[:quoteOffset+header4+3] },
		"long header":   func(b []byte) []byte { b[quoteOffset] = 0x4f; return b },
		"nothing":       func(b []byte) []byte { return nil },
		"short header":  func(b []byte) []byte { b[quoteOffset] = 0x41; return b },
		"wrong version": func(b []byte) []byte { b[quoteOffset] = 0x65; return b },
	} {
		if r, ok := Parse4(edit(message4())); ok {
			t.Errorf("%s: read %v", name, r)
		}
	}
}

// FuzzParse compares with the readers of golang.org/x/net.
func FuzzParse(f *testing.F) {
	f.Add(message4())
	f.Add(message6())
	long := message4()
	long[quoteOffset] = 0x46
	f.Add(append(long, 0, 0, 1, 187))
	tcp := message4()
	tcp[quoteOffset+9] = 6
	f.Add(tcp)
	f.Add(message4()[:quoteOffset+header4+3])
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := Parse4(b); ok {
			m, err := icmp.ParseMessage(1, b)
			if err != nil || m.Type != ipv4.ICMPTypeDestinationUnreachable || m.Code != code4 {
				t.Fatalf("%x is %+v to x/net (%v)", b, m, err)
			}
			h, err := ipv4.ParseHeader(b[quoteOffset:])
			if err != nil || h.Protocol != protocolUDP {
				t.Fatalf("%x quotes %v to x/net (%v)", b, h, err)
			}
			same(t, b, got, h.Src, h.Dst, b[quoteOffset+h.Len:])
		}
		if got, ok := Parse6(b); ok {
			m, err := icmp.ParseMessage(58, b)
			if err != nil || m.Type != ipv6.ICMPTypeDestinationUnreachable || m.Code != code6 {
				t.Fatalf("%x is %+v to x/net (%v)", b, m, err)
			}
			h, err := ipv6.ParseHeader(b[quoteOffset:])
			if err != nil || h.NextHeader != protocolUDP {
				t.Fatalf("%x quotes %v to x/net (%v)", b, h, err)
			}
			same(t, b, got, h.Src, h.Dst, b[quoteOffset+ipv6.HeaderLen:])
		}
	})
}

func same(t *testing.T, b []byte, got Refused, src, dst net.IP, udp []byte) {
	t.Helper()
	if !net.IP(got.Source.Addr().AsSlice()).Equal(src) || !net.IP(got.Destination.Addr().AsSlice()).Equal(dst) ||
		got.Source.Port() != uint16(udp[0])<<8|uint16(udp[1]) || got.Destination.Port() != uint16(udp[2])<<8|uint16(udp[3]) {
		t.Fatalf("%x: read %+v, x/net %v to %v", b, got, src, dst)
	}
}
