package icmp

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestCloseReportsWhatIsQueued: a command that sends a datagram and ends leaves the
// refusal of it unread.
func TestCloseReportsWhatIsQueued(t *testing.T) {
	for network, host := range map[string]string{"ip4:icmp": "127.0.0.1", "ip6:ipv6-icmp": "::1"} {
		t.Run(network, func(t *testing.T) {
			raw, err := net.ListenPacket(network, host)
			if errors.Is(err, syscall.EPERM) && os.Geteuid() != 0 {
				t.Skip("a raw socket takes CAP_NET_RAW")
			}
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			f, err := raw.(*net.IPConn).File()
			if err != nil {
				t.Fatal(err)
			}
			nobody := closedPort(t, host)
			const sent = 3
			reported, first := make(chan Refused, sent), make(chan struct{})
			w, err := Watch([]*os.File{f}, func(r Refused) {
				if r.Destination.Port() != uint16(nobody.Port) {
					return
				}
				reported <- r
				<-first // the reader is busy, so Close must read the rest
			})
			if err != nil {
				t.Fatal(err)
			}
			refuse(t, nobody)
			<-reported
			for range sent - 1 {
				refuse(t, nobody)
			}
			closed := make(chan struct{})
			go func() { defer close(closed); w.Close() }()
			for i := range sent - 1 {
				select {
				case <-reported:
					if i == 0 {
						close(first)
					}
				case <-time.After(10 * time.Second):
					t.Fatalf("%d refusals were reported, want %d", i+1, sent)
				}
			}
			<-closed
		})
	}
}

// closedPort returns a UDP address at which nobody listens.
func closedPort(t *testing.T, host string) *net.UDPAddr {
	t.Helper()
	c, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr)
}

// refuse sends a datagram and returns when it has been refused. The kernel hands
// the refusal to raw sockets first.
func refuse(t *testing.T, to *net.UDPAddr) {
	t.Helper()
	c, err := net.DialUDP("udp", nil, to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("quic")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("%v, want a refusal", err)
	}
}
