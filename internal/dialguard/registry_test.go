package dialguard

import (
	"net/netip"
	"testing"
)

// TestRegistries goes through the IANA IPv4 and IPv6 Special-Purpose Address
// Registries and the registries of multicast and of the address space, as of 2026:
// the first and the last address of each entry, and whether they may be dialled
// when no rule says so. More specific entries are left out of the ends.
func TestRegistries(t *testing.T) {
	for _, tt := range []struct {
		prefix, name string
		open         bool
	}{
		{"0.0.0.0/8", "this network, RFC 791", false},
		{"10.0.0.0/8", "private use, RFC 1918", false},
		{"100.64.0.0/10", "shared address space, RFC 6598", false},
		{"127.0.0.0/8", "loopback, RFC 1122", false},
		{"169.254.0.0/16", "link-local, RFC 3927", false},
		{"172.16.0.0/12", "private use, RFC 1918", false},
		{"192.0.0.0/24", "IETF protocol assignments, RFC 6890", false},
		{"192.0.0.0/29", "IPv4 service continuity, RFC 7335", false},
		{"192.0.0.8/32", "IPv4 dummy address, RFC 7600", false},
		{"192.0.0.9/32", "port control protocol anycast, RFC 7723", false},
		{"192.0.0.10/32", "TURN anycast, RFC 8155", false},
		{"192.0.0.170/31", "NAT64/DNS64 discovery, RFC 8880, RFC 7050", false},
		{"192.0.2.0/24", "documentation, RFC 5737", true},
		{"192.31.196.0/24", "AS112-v4, RFC 7535", true},
		{"192.52.193.0/24", "AMT, RFC 7450", true},
		{"192.88.99.0/24", "deprecated 6to4 relay anycast, RFC 7526", false},
		{"192.88.99.2/32", "6a44 relay anycast, RFC 6751", false},
		{"192.168.0.0/16", "private use, RFC 1918", false},
		{"192.175.48.0/24", "direct delegation AS112, RFC 7534", true},
		{"198.18.0.0/15", "benchmarking, RFC 2544", false},
		{"198.51.100.0/24", "documentation, RFC 5737", true},
		{"203.0.113.0/24", "documentation, RFC 5737", true},
		{"224.0.0.0/4", "multicast, RFC 1112", false},
		{"240.0.0.0/4", "reserved, RFC 1112", false},
		{"255.255.255.255/32", "limited broadcast, RFC 919", false},

		{"::1/128", "loopback, RFC 4291", false},
		{"::/128", "unspecified, RFC 4291", false},
		{"::ffff:0.0.0.0/104", "mapped, this network, RFC 4291", false},
		{"::ffff:8.0.0.0/104", "mapped, public, RFC 4291", true},
		{"64:ff9b::8.0.0.0/104", "NAT64, public, RFC 6052", true},
		{"64:ff9b::10.0.0.0/104", "NAT64, private, RFC 6052", false},
		{"64:ff9b:1::/48", "local-use NAT64, RFC 8215", false},
		{"100::/64", "discard-only, RFC 6666", false},
		{"100:0:0:1::/64", "dummy prefix, RFC 9780", false},
		{"2001:1::1/128", "port control protocol anycast, RFC 7723", false},
		{"2001:1::2/128", "TURN anycast, RFC 8155", false},
		{"2001:1::3/128", "DNS-SD SRP anycast, RFC 9665", false},
		{"2001:2::/48", "benchmarking, RFC 5180", false},
		{"2001:3::/32", "AMT, RFC 7450", true},
		{"2001:4:112::/48", "AS112-v6, RFC 7535", true},
		{"2001:10::/28", "deprecated ORCHID, RFC 4843", false},
		{"2001:20::/28", "ORCHIDv2, RFC 7343", false},
		{"2001:30::/28", "drone remote ID, RFC 9374", false},
		{"2001:100::/24", "IETF protocol assignments, RFC 2928", false},
		{"2001:db8::/32", "documentation, RFC 3849", true},
		{"2002:0800::/24", "6to4, public, RFC 3056", true},
		{"2002:0a00::/24", "6to4, private, RFC 3056", false},
		{"2620:4f:8000::/48", "direct delegation AS112, RFC 7534", true},
		{"3fff::/20", "documentation, RFC 9637", true},
		{"5f00::/16", "segment routing SIDs, RFC 9602", false},
		{"fc00::/7", "unique-local, RFC 4193", false},
		{"fe80::/10", "link-local, RFC 4291", false},
		{"fec0::/10", "site-local, RFC 3879", false},
		{"ff00::/8", "multicast, RFC 4291", false},
		{"200::/7", "deprecated NSAP, RFC 4048", false},
		{"400::/6", "reserved by IETF, RFC 4291", false},
		{"800::/5", "reserved by IETF, RFC 4291", false},
		{"1000::/4", "reserved by IETF, RFC 4291", false},
		{"2600::/12", "global unicast, ARIN", true},
		{"4000::/3", "reserved by IETF, RFC 4291", false},
		{"8000::/2", "reserved by IETF, RFC 4291", false},
		{"e000::/4", "reserved by IETF, RFC 4291", false},
		{"fe00::/9", "reserved by IETF, RFC 4291", false},
	} {
		p := netip.MustParsePrefix(tt.prefix)
		for _, addr := range []netip.Addr{p.Masked().Addr(), last(p)} {
			err := Check(addr, nil)
			if (err == nil) != tt.open {
				t.Errorf("%s (%s): %v: %v, want open %v", tt.prefix, tt.name, addr, err, tt.open)
			}
			if err != nil && Check(addr, []netip.Prefix{p}) != nil && !tt.open && find(addr.Unmap()) != nil && !find(addr.Unmap()).metadata {
				t.Errorf("%s (%s): naming it does not open %v", tt.prefix, tt.name, addr)
			}
		}
	}
}

// last returns the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
