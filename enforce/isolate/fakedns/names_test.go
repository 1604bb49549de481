package fakedns

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestNamesRoundTrip(t *testing.T) {
	var n Names
	for i := range 70000 { // past 198.18.255.255
		name := fmt.Sprintf("h%d.test", i)
		a, ok4 := n.Addr4(name)
		b, ok6 := n.Addr6(name)
		if !ok4 || !ok6 || !Synthetic(a) || !Synthetic(b) {
			t.Fatalf("%s: %v %v %v %v", name, a, ok4, b, ok6)
		}
		for _, addr := range []netip.Addr{a, b, netip.AddrFrom16(a.As16())} {
			if got, ok := n.NameOf(addr); !ok || got != name {
				t.Fatalf("NameOf(%v) = %q, %v; want %q", addr, got, ok, name)
			}
		}
	}
}

func TestNameOfNothing(t *testing.T) {
	var n Names
	n.Addr4("ok.test")
	for _, s := range []string{"198.18.0.0", "198.18.0.1", "198.18.0.3", "198.19.255.255", "192.0.2.1", "::1", "fd70:726f:7861:1::"} {
		if name, ok := n.NameOf(netip.MustParseAddr(s)); ok {
			t.Errorf("NameOf(%s) = %q, want nothing", s, name)
		}
	}
}

func TestNamesRunOut(t *testing.T) {
	n := Names{byIdx: make([]string, lastIndex-firstIndex)}
	if a, ok := n.Addr4("last.test"); !ok || a.String() != "198.19.255.254" {
		t.Errorf("the last name got %v, %v", a, ok)
	}
	if _, ok := n.Addr4("more.test"); ok {
		t.Error("a name past the range got an address")
	}
	if _, ok := n.Addr6("last.test"); !ok {
		t.Error("a known name lost its address")
	}
}

func TestCanonical(t *testing.T) {
	for name, want := range map[string]bool{
		"OK.test": true, "ok.test.": true, "_dns.ok.test": true, "xn--bcher-kva.test": true, "a": true,
		"": false, ".": false, "a..test": false, "a b.test": false, "a\x00.test": false, "bücher.test": false,
		"a/b.test": false, strings.Repeat("a", 64) + ".test": false, strings.Repeat("a.", 127) + "test": false,
	} {
		if got, ok := canonical(name); ok != want || ok && got != strings.ToLower(strings.TrimSuffix(name, ".")) {
			t.Errorf("canonical(%q) = %q, %v; want %v", name, got, ok, want)
		}
	}
}
