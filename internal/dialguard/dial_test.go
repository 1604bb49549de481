package dialguard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// listen returns the address of a loopback listener and a function that says
// whether a connection has come before that function's own.
func listen(t *testing.T) (address string, touched func() bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() bool {
		// A connection of our own is accepted in its turn: whatever comes out
		// of the queue before it came from the code under test.
		own, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		first, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		return first.RemoteAddr().String() != own.LocalAddr().String()
	}
}

func TestDialerDoesNotReachLoopback(t *testing.T) {
	dialer := net.Dialer{ControlContext: Control, Timeout: time.Minute}
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0"} {
		t.Run(host, func(t *testing.T) {
			address, touched := listen(t)
			_, port, _ := net.SplitHostPort(address)
			conn, err := dialer.DialContext(context.Background(), "tcp", net.JoinHostPort(host, port))
			if err == nil {
				conn.Close()
				t.Fatal("connected")
			}
			var refused *Refused
			if !errors.As(err, &refused) {
				t.Errorf("got %v, want a refusal", err)
			}
			if touched() {
				t.Error("the listener was reached")
			}
		})
	}
}

func TestDialerReachesWhatTheRuleNames(t *testing.T) {
	address, touched := listen(t)
	dialer := net.Dialer{ControlContext: Control, Timeout: time.Minute}
	ctx := WithNetworks(context.Background(), []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	conn, err := dialer.DialContext(ctx, "tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if !touched() {
		t.Error("the listener was not reached")
	}
}

// The rules for UDP are those for TCP, should anything ever dial it.
func TestDialerChecksUDP(t *testing.T) {
	dialer := net.Dialer{ControlContext: Control}
	conn, err := dialer.DialContext(context.Background(), "udp", "127.0.0.1:53")
	if err == nil {
		conn.Close()
		t.Fatal("dialled")
	}
}
