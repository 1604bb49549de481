package isolate

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
)

// TestSelfTestFindsWhatIsOpen: the test that runs before each command is itself
// tried where there is no jail, one hole after the other.
func TestSelfTestFindsWhatIsOpen(t *testing.T) {
	if err := (&selfTest{Keep: 0}).run(); err == nil {
		t.Error("a process without a jail passed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		find func() error
		want string
	}{
		"privileges":      {func() error { return privilege.Check(0) }, "still has"},
		"no filter":       {func() error { return privilege.Check(^privilege.Set(0)) }, "NoNewPrivs"},
		"same network":    {(&selfTest{NetNS: here}).network, "is the host's"},
		"an interface":    {(&selfTest{NetNS: "other"}).network, "interface"},
		"a host's server": {(&selfTest{Loopback: l.Addr().String(), Abstract: "@proxaudit-nobody"}).reach, "can be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.find(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("found %v, want %q", err, c.want)
			}
		})
	}
}

// TestSelfTestAvoidsThePortOfTheJail: both numbers are the kernel's choice, each in
// a network of its own, and now and then they are the same.
func TestSelfTestAvoidsThePortOfTheJail(t *testing.T) {
	var tried trial
	if err := tried.listen(); err != nil {
		t.Fatal(err)
	}
	defer func() { tried.loopback.Close() }()
	before := tried.Loopback
	port := tried.loopback.Addr().(*net.TCPAddr).AddrPort().Port()
	if err := tried.avoid(port + 1); err != nil || tried.Loopback != before {
		t.Errorf("%s became %s, %v", before, tried.Loopback, err)
	}
	if err := tried.avoid(port); err != nil || tried.Loopback == before {
		t.Fatalf("%s became %s, %v", before, tried.Loopback, err)
	}
	c, err := net.Dial("tcp", tried.Loopback)
	if err != nil {
		t.Fatal("nobody listens there:", err)
	}
	c.Close()
}
