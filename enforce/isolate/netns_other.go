//go:build !linux

package isolate

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/juliendoutre/proxaudit/policy"
)

var errLinuxOnly = errors.New("this needs Linux")

// Netns is there on Linux only. Here NewNetns makes none, so that no method is
// ever called.
type Netns struct{ Jail }

var (
	_ Transparent = (*Netns)(nil)
	_ Attributor  = (*Netns)(nil)
)

// NewNetns fails with a *Refusal.
func NewNetns(context.Context, NetnsOptions) (*Netns, error) {
	return nil, &Refusal{
		Step: "make the namespaces", Err: errLinuxOnly,
		Mend: "ask for weaker isolation with -isolation=env",
	}
}

// NameOf implements Transparent: no address has a name.
func (*Netns) NameOf(netip.Addr) (string, bool) { return "", false }

// Synthetic implements Transparent: every address is one not to be dialled.
func (*Netns) Synthetic(netip.Addr) bool { return true }

// Own implements Transparent.
func (*Netns) Own(netip.Addr) bool { return false }

// Attribute implements Attributor: nobody is known.
func (*Netns) Attribute(client, server net.Addr) *policy.Process { return nil }

// Warnings are none.
func (*Netns) Warnings() []string { return nil }

// Capture is nothing.
func (*Netns) Capture() string { return "" }

// Publish fails.
func (*Netns) Publish(net.Listener, uint16) error { return errLinuxOnly }

// DialInside fails.
func (*Netns) DialInside(uint16) (net.Conn, error) { return nil, errLinuxOnly }

// ProbeNetns finds that it does not work.
func ProbeNetns(context.Context) Finding {
	return Finding{Name: NetnsName, Detail: errLinuxOnly.Error()}
}
