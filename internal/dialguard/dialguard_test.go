package dialguard

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func prefixes(t testing.TB, ss ...string) []netip.Prefix {
	t.Helper()
	var ps []netip.Prefix
	for _, s := range ss {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	return ps
}

func TestCheckRefuses(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0": "this host", "0.255.255.255": "this host",
		"10.0.0.0": "private", "10.255.255.255": "private",
		"100.64.0.0": "carrier", "100.127.255.255": "carrier",
		"127.0.0.1": "loopback", "127.255.255.255": "loopback",
		"169.254.0.1": "link-local", "169.254.255.255": "link-local",
		"172.16.0.0": "private", "172.31.255.255": "private",
		"192.0.0.0": "protocol", "192.0.0.255": "protocol",
		"192.88.99.1": "6to4", "192.168.0.0": "private", "192.168.255.255": "private",
		"198.18.0.0": "benchmarking", "198.19.255.255": "benchmarking",
		"224.0.0.1": "multicast", "239.255.255.255": "multicast",
		"240.0.0.0": "reserved", "255.255.255.254": "reserved", "255.255.255.255": "broadcast",

		"::": "unspecified", "::1": "loopback",
		"fc00::1": "private", "fdff:ffff::1": "private",
		"fe80::1": "link-local", "febf::1": "link-local", "fe80::1%eth0": "link-local",
		"fec0::1": "site-local", "feff::1": "site-local",
		"ff02::1": "multicast", "64:ff9b:1::808:808": "local NAT64",
		"2001:2::1": "benchmarking", "5f00::1": "segment routing",

		"100::1": "discard", "100:0:0:1::1": "dummy", "2001:1::1": "protocol", "2001:1::2": "protocol", "2001:4:111::1": "protocol",
		"2001:10::1": "hash", "2001:2f:ffff::1": "hash", "2001:30::1": "drone", "2001:1ff:ffff::1": "protocol",
		// Given out by nobody.
		"::1:0:0:1": "reserved", "64:ff9a::10.1.2.3": "reserved", "64:ff9b:2::1": "reserved", "200::1": "reserved", "1fff::1": "reserved", "4000::1": "reserved", "fbff::1": "reserved",

		// IPv4 inside IPv6.
		"::ffff:127.0.0.1": "loopback", "::ffff:10.1.2.3": "private", "::ffff:0.0.0.0": "this host",
		"::127.0.0.1": "loopback", "::10.1.2.3": "private", "::2": "this host",
		"::ffff:0:10.1.2.3": "private",
		"64:ff9b::10.1.2.3": "private", "64:ff9b::7f00:1": "loopback",
		"2002:a01:203::1": "private", "2002:7f00:1::": "loopback",
		"2001:0:a01:203::f7f7:f7f7":        "private",  // Teredo, server 10.1.2.3
		"2001:0:808:808::f5fe:fdfc":        "private",  // Teredo, client 10.1.2.3
		"2606:2800::5efe:10.1.2.3":         "private",  // ISATAP
		"2606:2800::200:5efe:127.0.0.1":    "loopback", // ISATAP, universal bit
		"64:ff9b::7f00:1%eth0":             "loopback",
		"::ffff:169.254.169.254":           "metadata",
		"64:ff9b::a9fe:a9fe":               "metadata",
		"2002:a83f:8110::1":                "metadata", // 6to4, 168.63.129.16
		"2001:0:808:808::" + "5601:5601":   "metadata", // Teredo, client 169.254.169.254
		"2001:0:6464:64c8::" + "f7f7:f7f7": "metadata", // Teredo, server 100.100.100.200
		"169.254.169.254":                  "metadata",
		"fd00:ec2::254":                    "metadata",
		"100.100.100.200":                  "metadata",
		"168.63.129.16":                    "metadata",
		"169.254.170.2":                    "metadata",
		"192.0.0.192":                      "metadata",
		"169.254.170.23":                   "metadata",
		"fd00:ec2::23":                     "metadata",
		"fd20:ce::254":                     "metadata",
		"169.254.0.23":                     "metadata",
		"169.254.169.252":                  "metadata",
		"fd00:a9fe:a9fe::1":                "metadata",
		"fd00:c1::a9fe:a9fe":               "metadata",
		"169.254.42.42":                    "metadata",
		"fd00:42::42":                      "metadata",
		"fe80::a9fe:a9fe%eth0":             "metadata",
	} {
		t.Run(addr, func(t *testing.T) {
			err := Check(netip.MustParseAddr(addr), nil)
			var refused *Refused
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want a refusal", err)
			}
			if !strings.Contains(refused.Range, want) || refused.Source == "" || refused.Addr.Zone() != "" {
				t.Errorf("got %+v, want range %q, with a source and without a zone", refused, want)
			}
		})
	}
}

func TestCheckOpens(t *testing.T) {
	for _, addr := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
		"192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"168.63.129.15", "168.63.129.17",
		// Documentation: RFC 5737, RFC 3849, RFC 9637.
		"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1",
		"2606:2800::1", "2a00::5efe:8.8.8.8", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::8.8.8.8",
		"2002:808:808::1", "2001:0:808:808::f7f7:f7f7", "2003:a01:203::1",
		"2000::1", "3ffe::1", "3fff:ffff::1", "2001:200::1", "2001:3::1", "2001:4:112::1", "2620:4f:8000::1",
	} {
		if err := Check(netip.MustParseAddr(addr), nil); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckRefusesNoAddress(t *testing.T) {
	err := Check(netip.Addr{}, prefixes(t, "0.0.0.0/0", "::/0"))
	var refused *Refused
	if !errors.As(err, &refused) || refused.Addr.IsValid() || err.Error() == "" {
		t.Errorf("got %v", err)
	}
}

func TestAllowed(t *testing.T) {
	tests := []struct {
		name, addr string
		allowed    []string
		open       bool
	}{
		{"inside", "10.1.2.3", []string{"10.0.0.0/8"}, true},
		{"single address", "10.1.2.3", []string{"10.1.2.3/32"}, true},
		{"beside", "10.1.2.4", []string{"10.1.2.3/32"}, false},
		{"another private range", "192.168.1.1", []string{"10.0.0.0/8", "172.16.0.0/12"}, false},
		{"second prefix", "192.168.1.1", []string{"10.0.0.0/8", "192.168.0.0/16"}, true},
		{"everything", "127.0.0.1", []string{"0.0.0.0/0"}, true},
		{"IPv6 prefix, IPv4 address", "10.1.2.3", []string{"::/0"}, false},
		{"IPv4 prefix, IPv6 address", "fc00::1", []string{"0.0.0.0/0"}, false},
		{"private IPv6", "fd12::1", []string{"fd12::/16"}, true},
		{"zone", "fe80::1%eth0", []string{"fe80::/10"}, true},

		{"mapped, by its IPv4", "::ffff:10.1.2.3", []string{"10.0.0.0/8"}, true},
		{"mapped, by a mapped prefix", "::ffff:10.1.2.3", []string{"::ffff:10.0.0.0/104"}, true},
		{"IPv4, by a mapped prefix", "10.1.2.3", []string{"::ffff:10.0.0.0/104"}, true},
		{"mapped, not by all of IPv6", "::ffff:127.0.0.1", []string{"::/0"}, false},
		{"NAT64, by its IPv4", "64:ff9b::10.1.2.3", []string{"10.0.0.0/8"}, true},
		{"NAT64, by itself", "64:ff9b::10.1.2.3", []string{"64:ff9b::/96"}, true},
		{"NAT64, by another IPv4", "64:ff9b::127.0.0.1", []string{"10.0.0.0/8"}, false},
		{"6to4, by its IPv4", "2002:a01:203::1", []string{"10.0.0.0/8"}, true},
		{"Teredo, server opened, client not", "2001:0:a01:203::80ff:fffe", []string{"10.0.0.0/8"}, false},
		{"Teredo, both opened", "2001:0:a01:203::80ff:fffe", []string{"10.0.0.0/8", "127.0.0.0/8"}, true},
		{"link-local ISATAP, only the inside opened", "fe80::5efe:10.1.2.3", []string{"10.0.0.0/8"}, false},
		{"link-local ISATAP, itself opened", "fe80::5efe:10.1.2.3", []string{"fe80::/10"}, true},
		{"local NAT64", "64:ff9b:1::10.1.2.3", []string{"64:ff9b:1::/48"}, true},
		{"local NAT64, only the inside opened", "64:ff9b:1::10.1.2.3", []string{"10.0.0.0/8"}, false},

		{"metadata, all of IPv4", "169.254.169.254", []string{"0.0.0.0/0"}, false},
		{"metadata, link-local", "169.254.169.254", []string{"169.254.0.0/16"}, false},
		{"metadata, two addresses", "169.254.169.254", []string{"169.254.169.254/31"}, false},
		{"metadata, itself", "169.254.169.254", []string{"169.254.169.254/32"}, true},
		{"metadata, broad then exact", "169.254.169.254", []string{"0.0.0.0/0", "169.254.169.254/32"}, true},
		{"metadata, another one", "169.254.170.2", []string{"169.254.169.254/32"}, false},
		{"metadata, public range", "168.63.129.16", []string{"168.63.129.0/24"}, false},
		{"metadata, IPv6, broad", "fd00:ec2::254", []string{"fc00::/7"}, false},
		{"metadata, IPv6, itself", "fd00:ec2::254", []string{"fd00:ec2::254/128"}, true},
		{"metadata in NAT64, broad", "64:ff9b::a9fe:a9fe", []string{"::/0", "0.0.0.0/0", "64:ff9b::/96"}, false},
		{"metadata in NAT64, by its IPv4", "64:ff9b::a9fe:a9fe", []string{"169.254.169.254/32"}, true},
		{"metadata in NAT64, by itself", "64:ff9b::a9fe:a9fe", []string{"64:ff9b::a9fe:a9fe/128"}, true},
		{"metadata, mapped, broad", "::ffff:169.254.169.254", []string{"0.0.0.0/0", "::ffff:0:0/96"}, false},
		{"metadata, mapped prefix, exact", "169.254.169.254", []string{"::ffff:169.254.169.254/128"}, true},
		{"metadata in local NAT64 /96", "64:ff9b:1::a9fe:a9fe", []string{"64:ff9b:1::/48"}, false},
		{"metadata in local NAT64 /64", "64:ff9b:1:0:a9:fea9:fe00:0", []string{"64:ff9b:1::/48"}, false},
		{"metadata in local NAT64 /56", "64:ff9b:1:a9:fe:a9fe::", []string{"64:ff9b:1::/48"}, false},
		{"metadata in local NAT64 /48", "64:ff9b:1:a9fe:a9:fe00::", []string{"64:ff9b:1::/48"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Check(netip.MustParseAddr(tt.addr), prefixes(t, tt.allowed...))
			if (err == nil) != tt.open {
				t.Errorf("Check(%s, %v) = %v, want open %v", tt.addr, tt.allowed, err, tt.open)
			}
		})
	}
}

// An invalid prefix, such as the zero value, opens nothing.
func TestInvalidPrefixOpensNothing(t *testing.T) {
	for _, p := range []netip.Prefix{{}, netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), -1), netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 129)} {
		if Check(netip.MustParseAddr("10.1.2.3"), []netip.Prefix{p}) == nil {
			t.Errorf("%v opened 10.1.2.3", p)
		}
	}
}

func TestMetadataStandsFirst(t *testing.T) {
	last := slices.IndexFunc(blocks[:], func(b block) bool { return !b.metadata })
	for _, b := range blocks[last:] {
		if b.metadata {
			t.Errorf("%v stands behind a range that hides it", b.prefix)
		}
	}
}

func TestErrorSaysWhatOpensIt(t *testing.T) {
	for addr, want := range map[string]string{
		"10.1.2.3":          "refused to dial 10.1.2.3: private network (RFC 1918 section 3): only a rule with networks: [10.1.2.3/32] opens it",
		"64:ff9b::10.1.2.3": "refused to dial 64:ff9b::a01:203, which leads to 10.1.2.3: private network (RFC 1918 section 3): only a rule with networks: [10.1.2.3/32] opens it",
	} {
		err := Check(netip.MustParseAddr(addr), nil)
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		var refused *Refused
		if errors.As(err, &refused) {
			last := refused.Addr
			if refused.Inside.IsValid() {
				last = refused.Inside
			}
			if err := Check(netip.MustParseAddr(addr), prefixes(t, last.String()+"/32")); err != nil {
				t.Errorf("the advice does not help: %v", err)
			}
		}
	}
}

func TestControlRefusesWhatIsNoAddress(t *testing.T) {
	ctx := WithNetworks(context.Background(), prefixes(t, "0.0.0.0/0", "::/0"))
	for _, address := range []string{"", "localhost:80", "evil.test:443", "8.8.8.8", "8.8.8.8:http", "/run/docker.sock", "@abstract", "0x7f.1:80", "[::1]"} {
		var refused *Refused
		if err := Control(ctx, "tcp", address, nil); !errors.As(err, &refused) {
			t.Errorf("%q: got %v, want a refusal", address, err)
		}
	}
	if err := Control(ctx, "tcp", "[64:ff9b::808:808]:443", nil); err != nil {
		t.Error(err)
	}
}

func BenchmarkCheck(b *testing.B) {
	allowed := prefixes(b, "10.0.0.0/8")
	for _, s := range []string{"8.8.8.8", "2606:2800::1", "10.1.2.3"} {
		addr := netip.MustParseAddr(s)
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(addr, allowed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
