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

// Netns is there on Linux only: NewNetns never returns one, so that none of its
// methods is ever called.
type Netns struct{ Jail }

// Warnings returns nothing.
func (*Netns) Warnings() []string { return nil }

// NameOf knows no name.
func (*Netns) NameOf(netip.Addr) (string, bool) { return "", false }

// Attribute finds nobody.
func (*Netns) Attribute(net.Addr, net.Addr) *policy.Process { return nil }

// Publish fails.
func (*Netns) Publish(net.Listener, uint16) error { return errLinuxOnly }

// NewNetns fails with a *Refusal.
func NewNetns(context.Context, NetnsOptions) (*Netns, error) {
	return nil, &Refusal{
		Step: "make the namespaces", Err: errLinuxOnly,
		Mend: "ask for weaker isolation with -isolation=env",
	}
}

// ProbeNetns finds that it does not work.
func ProbeNetns(context.Context) Finding {
	return Finding{Name: NetnsName, Detail: errLinuxOnly.Error()}
}
