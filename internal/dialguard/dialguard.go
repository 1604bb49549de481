// Package dialguard checks the address that is really dialled, after the name has
// been resolved, so that no name can lead to where only an address should:
// loopback, private networks, cloud metadata.
//
// It must never resolve or dial anything itself, and an address that it cannot
// read is refused.
package dialguard

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// Refused is the error for an address that may not be dialled.
type Refused struct {
	// Addr is the address as it was to be dialled, without its zone. It is
	// invalid when there was no address to read.
	Addr netip.Addr
	// Inside is the IPv4 address that Addr stands for, where that is what was
	// refused, and invalid otherwise.
	Inside netip.Addr
	// Range is the kind of the range in words: "loopback", "cloud metadata".
	Range string
	// Source is the document that says so, such as "RFC 1122 section 3.2.1.3".
	Source string
}

// Error says which address was refused, why, and what opens it.
func (e *Refused) Error() string {
	if !e.Addr.IsValid() {
		return "refused to dial: " + e.Range
	}
	addr, last := e.Addr.String(), e.Addr
	if e.Inside.IsValid() {
		addr, last = addr+", which leads to "+e.Inside.String(), e.Inside
	}
	prefix := netip.PrefixFrom(last, last.BitLen())
	return fmt.Sprintf("refused to dial %s: %s (%s): only a rule with networks: [%s] opens it", addr, e.Range, e.Source, prefix)
}

// Check returns nil when addr is public or lies inside one of allowed, and a
// *Refused otherwise. Zones are ignored.
//
// An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4 and so on)
// is checked as both, and a prefix opens it by either: whoever names 10.0.0.0/8
// has that network in mind, and to a host that has only IPv6 it may answer at
// 64:ff9b::10.0.0.1. The address of a cloud
// metadata service hands out credentials to whoever asks: it is opened only by a
// prefix that is exactly that address, never by a broader one, so that neither
// 0.0.0.0/0 nor 169.254.0.0/16 does it by accident.
//
// NAT64 prefixes that a network chose for itself (RFC 6052 section 2.2) cannot
// be told from public addresses and are not seen through.
func Check(addr netip.Addr, allowed []netip.Prefix) error {
	if !addr.IsValid() {
		return &Refused{Range: "not an address"}
	}
	// A mapped address is dialled as IPv4 by every system, so it is one.
	addr = addr.WithZone("").Unmap()
	if b := find(addr); b != nil && !opens(addr, b.metadata, allowed) {
		return &Refused{Addr: addr, Range: b.name, Source: b.source}
	}
	for _, v4 := range embedded(addr) {
		b := find(v4)
		if b == nil || opens(v4, b.metadata, allowed) || opens(addr, b.metadata, allowed) {
			continue
		}
		return &Refused{Addr: addr, Inside: v4, Range: b.name, Source: b.source}
	}
	return nil
}

// find returns the block that addr is in, or nil when it is public.
func find(addr netip.Addr) *block {
	for i := range blocks {
		if !blocks[i].prefix.Contains(addr) {
			continue
		}
		if blocks[i].open {
			return nil
		}
		return &blocks[i]
	}
	return nil
}

// opens reports whether one of allowed contains addr, or is addr where exactly
// is asked for.
func opens(addr netip.Addr, exactly bool, allowed []netip.Prefix) bool {
	for _, p := range allowed {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.Contains(addr) && (!exactly || p.IsSingleIP()) {
			return true
		}
	}
	return false
}

type networksKey struct{}

// WithNetworks returns a context whose dials may reach allowed besides public
// addresses: the networks of the rule that decided. A connection dialled so must
// serve only requests with the same networks; a pool that is keyed by host and
// port alone would lend it to others.
func WithNetworks(ctx context.Context, allowed []netip.Prefix) context.Context {
	return context.WithValue(ctx, networksKey{}, allowed)
}

// Control is a net.Dialer.ControlContext. It is called with each address that a
// name resolved to, before the connection is made, and refuses what Check
// refuses under the networks of ctx; see WithNetworks. What is not an IP address
// and a port (a name, a Unix socket) is refused.
func Control(ctx context.Context, network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Refused{Range: fmt.Sprintf("%s %q is not an IP address and a port", network, address)}
	}
	allowed, _ := ctx.Value(networksKey{}).([]netip.Prefix)
	return Check(target.Addr(), allowed)
}
