package sockowner

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
)

func finder(t testing.TB) *Finder {
	t.Helper()
	socket, err := OpenDiag()
	if err != nil {
		t.Fatal(err)
	}
	proc, err := os.Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	f := New(socket, proc)
	t.Cleanup(func() { f.Close() })
	return f
}

func connection(t testing.TB, network, listen string) (client, server netip.AddrPort) {
	t.Helper()
	l, err := net.Listen(network, listen)
	if err != nil {
		t.Skipf("NOT CHECKED: %v", err)
	}
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); l.Close() })
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
}

func TestTCP(t *testing.T) {
	for name, listen := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
		t.Run(name, func(t *testing.T) {
			client, server := connection(t, "tcp", listen)
			p, err := finder(t).TCP(client, server)
			if err != nil {
				t.Fatal(err)
			}
			exe, _ := os.Executable()
			if p.PID != os.Getpid() || p.Exe != exe || len(p.Argv) == 0 || p.Argv[0] != os.Args[0] || len(p.Parents) == 0 {
				t.Errorf("found %+v, want this test (pid %d)", p, os.Getpid())
			}
		})
	}
}

func TestUDP(t *testing.T) {
	c, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := finder(t).UDP(c.LocalAddr().(*net.UDPAddr).AddrPort(), c.RemoteAddr().(*net.UDPAddr).AddrPort())
	if err != nil || p.PID != os.Getpid() {
		t.Errorf("found %+v, %v", p, err)
	}
}

func TestNobodysConnection(t *testing.T) {
	a := netip.MustParseAddrPort("192.0.2.1:1")
	if p, err := finder(t).TCP(a, a); !errors.Is(err, ErrUnknown) {
		t.Errorf("found %+v, %v; want ErrUnknown", p, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, b := range map[string][]byte{"empty": {}, "short": make([]byte, 8), "a header alone": make([]byte, headerSize)} {
		if inode, mine, err := parseAnswer(b, 0); err == nil && mine {
			t.Errorf("%s: inode %d", name, inode)
		}
	}
}

func BenchmarkTCP(b *testing.B) {
	f := finder(b)
	client, server := connection(b, "tcp", "127.0.0.1:0")
	for b.Loop() {
		if _, err := f.TCP(client, server); err != nil {
			b.Fatal(err)
		}
	}
}
