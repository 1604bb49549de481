package dialguard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// inside says that this process is alone in a network namespace of its own.
const inside = "DIALGUARD_TEST_INSIDE"

// TestNothingKnocks: in a network where every address answers, those that lead
// inside are dialled in vain: no connection reaches the listener. Those that a
// rule opens, and public ones, do.
func TestNothingKnocks(t *testing.T) {
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNothingKnocks$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.Process == nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("under CI this must run: %v", err)
			}
			t.Skipf("no namespaces here: %v", err)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	answerEverywhere(t)
	l, err := net.Listen("tcp", "[::]:8080")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan string, 1024)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came <- c.LocalAddr().(*net.TCPAddr).IP.String()
			_ = c.Close()
		}
	}()
	dial := func(addr netip.Addr, opened ...netip.Prefix) error {
		d := net.Dialer{ControlContext: Control, Timeout: time.Minute}
		c, err := d.DialContext(WithNetworks(context.Background(), opened), "tcp", netip.AddrPortFrom(addr, 8080).String())
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	expect := func(addr netip.Addr) {
		t.Helper()
		select {
		case got := <-came:
			if got != addr.Unmap().String() {
				t.Errorf("%s was reached, want %v", got, addr)
			}
		case <-time.After(time.Minute):
			t.Errorf("%v was not reached", addr)
		}
	}
	var tried []netip.Addr
	for _, b := range blocks {
		for _, addr := range []netip.Addr{b.prefix.Addr().Next(), last(b.prefix).Prev(), b.prefix.Addr()} {
			if !b.prefix.Contains(addr) || addr.IsMulticast() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() && addr.Is6() {
				continue
			}
			var refused *Refused
			if err := dial(addr); Check(addr, nil) != nil {
				tried = append(tried, addr)
				if !errors.As(err, &refused) {
					t.Errorf("%v: %v, want a refusal", addr, err)
				}
			} else if err == nil {
				expect(addr)
			}
		}
	}
	if len(tried) < 60 {
		t.Fatalf("only %d addresses were tried", len(tried))
	}
	// The listener works, and whatever came before would be in front.
	public := netip.MustParseAddr("8.8.8.8")
	if err := dial(public); err != nil {
		t.Fatal(err)
	}
	expect(public)
	for _, addr := range tried {
		err := dial(addr, netip.PrefixFrom(addr, addr.BitLen()))
		if refused := (*Refused)(nil); errors.As(err, &refused) {
			t.Errorf("%v: named, and refused: %v", addr, err)
		}
		if err == nil {
			expect(addr)
		}
	}
}

// answerEverywhere makes every address one of this machine's own.
func answerEverywhere(t *testing.T) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		_, dst, _ := net.ParseCIDR(all)
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: dst, Type: syscall.RTN_LOCAL, Table: 255, Scope: netlink.SCOPE_HOST}); err != nil {
			t.Fatal(err)
		}
	}
}
