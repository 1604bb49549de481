package hostname

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/idna"
)

func TestCanonical(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	long := strings.Repeat(label63+".", 3) + strings.Repeat("b", 61)
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "ok.test", "ok.test"},
		{"single label", "localhost", "localhost"},
		{"case", "OK.Test", "ok.test"},
		{"trailing dot", "ok.test.", "ok.test"},
		{"trailing dot after case", "OK.test.", "ok.test"},
		{"full-width letters", "ｏｋ.test", "ok.test"},
		{"full-width digits in a label", "a１.test", "a1.test"},
		{"ideographic dot", "ok。test", "ok.test"},
		{"half-width ideographic dot", "ok｡test", "ok.test"},
		{"full-width dot", "ok．test", "ok.test"},
		{"ideographic trailing dot", "ok.test。", "ok.test"},
		{"kelvin sign", "o\u212a.test", "ok.test"},
		{"soft hyphen vanishes", "o\u00adk.test", "ok.test"},
		{"umlaut", "Bücher.test", "xn--bcher-kva.test"},
		{"A-label", "xn--bcher-kva.test", "xn--bcher-kva.test"},
		{"A-label in capitals", "XN--BCHER-KVA.test", "xn--bcher-kva.test"},
		{"sharp s is not ss", "straße.test", "xn--strae-oqa.test"},
		{"underscore", "_dmarc.ok.test", "_dmarc.ok.test"},
		{"leading digit", "3com.test", "3com.test"},
		{"hyphens in places 3 and 4", "r3---sn-4g5e.ok.test", "r3---sn-4g5e.ok.test"},
		{"label of 63", label63 + ".test", label63 + ".test"},
		{"name of 253", long, long},
		{"name of 253 and a dot", long + ".", long},
		{"IPv4", "192.0.2.1", "192.0.2.1"},
		{"IPv4 with dot", "192.0.2.1.", "192.0.2.1"},
		{"IPv4 in full-width digits", "１９２.0.2.1", "192.0.2.1"},
		{"IPv6", "2001:DB8:0::1", "2001:db8::1"},
		{"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1"},
		{"IPv4-mapped", "[::ffff:192.0.2.1]", "192.0.2.1"},
		{"IPv4-mapped in hex", "::ffff:c000:201", "192.0.2.1"},
		{"number inside", "127.0.0.1.ok.test", "127.0.0.1.ok.test"},
		{"hex digits that are a name", "0xg", "0xg"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Canonical(tt.in)
			if err != nil || got != tt.want {
				t.Errorf("Canonical(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in string }{
		{"empty", ""},
		{"root", "."},
		{"two trailing dots", "ok.test.."},
		{"ideographic and plain trailing dot", "ok.test。."},
		{"leading dot", ".ok.test"},
		{"empty label", "ok..test"},
		{"label of 64", strings.Repeat("a", 64) + ".test"},
		{"U-label of 64 as A-label", strings.Repeat("ü", 63) + ".test"},
		{"name of 254", strings.Repeat("a.", 126) + "bb"},
		{"megabyte", strings.Repeat("ü.", 1<<19)},
		{"NUL", "ok.test\x00.evil.test"},
		{"space", "ok .test"},
		{"no-break space", "ok\u00a0.test"},
		{"line feed", "ok.test\n"},
		{"slash", "ok.test/x"},
		{"backslash", `ok.test\x`},
		{"percent", "ok%2etest"},
		{"at", "a@ok.test"},
		{"star", "*.ok.test"},
		{"sign that folds to a slash", "a\u2100.test"}, // U+2100 is a/c
		{"full-width slash", "ok.test\uff0fx"},
		{"full-width colon", "ok.test\uff1a80"},
		{"full-width at", "a\uff20ok.test"},
		{"full-width percent", "ok\uff0541.test"},
		{"not UTF-8", "ok\xff.test"},
		{"unassigned", "ok\U000e0fff.test"},
		{"A-label that does not decode", "xn--zzzzzzzz99999999.test"},
		{"A-label for ASCII", "xn--ok-.test"},
		{"A-label that folds", "xn--BCHER-KVa.xn--a-ecp.test"}, // ª folds to a
		{"one number", "2130706433"},
		{"hexadecimal", "0x7f000001"},
		{"hexadecimal, empty", "127.0.0.0x"},
		{"hexadecimal first part", "0x7f.1"},
		{"capital hexadecimal", "0X7F.0.0.1"},
		{"two parts", "127.1"},
		{"five parts", "1.2.3.4.5"},
		{"octal", "0177.0.0.1"},
		{"over 255", "256.0.0.1"},
		{"name that ends in a number", "ok.test.1"},
		{"full-width number", "２１３０７０６４３３"},
		{"name in brackets", "[ok.test]"},
		{"IPv4 in brackets", "[192.0.2.1]"},
		{"empty brackets", "[]"},
		{"one bracket", "[2001:db8::1"},
		{"two pairs of brackets", "[[2001:db8::1]]"},
		{"port", "ok.test:443"},
		{"IPv6 with a dot", "2001:db8::1."},
		{"zone", "fe80::1%eth0"},
		{"zone in brackets", "[fe80::1%25eth0]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Canonical(tt.in); !errors.Is(err, ErrHost) || got != "" {
				t.Errorf("Canonical(%q) = %q, %v; want ErrHost", tt.in, got, err)
			}
		})
	}
}

func TestCanonicalAllocatesNothing(t *testing.T) {
	for _, host := range []string{"ok.test", "a-long_name.with.3.labels.ok.test", "192.0.2.1"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = Canonical(host) }); n != 0 {
			t.Errorf("Canonical(%q) allocates %v times", host, n)
		}
	}
}

func TestParseAuthority(t *testing.T) {
	for _, tt := range []struct {
		in   string
		host string
		port uint16
	}{
		{"ok.test", "ok.test", 0},
		{"OK.test.:443", "ok.test", 443},
		{"ok.test:65535", "ok.test", 65535},
		{"192.0.2.1:80", "192.0.2.1", 80},
		{"[2001:db8::1]", "2001:db8::1", 0},
		{"[2001:db8::1]:8443", "2001:db8::1", 8443},
		{"[::ffff:192.0.2.1]:80", "192.0.2.1", 80},
	} {
		host, port, err := ParseAuthority(tt.in)
		if err != nil || host != tt.host || port != tt.port {
			t.Errorf("ParseAuthority(%q) = %q, %d, %v; want %q, %d", tt.in, host, port, err, tt.host, tt.port)
		}
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	for _, in := range []string{
		"", ":", ":443", "ok.test:", "ok.test:0", "ok.test:65536", "ok.test:+80", "ok.test:-1",
		"ok.test:0443", "ok.test:4 43", "ok.test:４４３", "ok.test:http", "ok.test:99999999999999999999",
		"user@ok.test", "ok.test@evil.test:443", "ok.test/evil", "ok.test?x", "ok.test#x", `ok.test\x`,
		"ok%2etest", "ok.test%00", "ok.test\x00", " ok.test", "ok.test ", "ok.test\r\n", "ok.test\x7f",
		"2001:db8::1", "::1", "::1:443", "[ok.test]:443", "[192.0.2.1]:443", "[::1", "::1]", "[::1]443",
		"[::1]:", "[::1]:0", "[]:443", "ok.test:80:90", "[fe80::1%25eth0]:443", "x[::1]:80",
	} {
		if host, port, err := ParseAuthority(in); !errors.Is(err, ErrHost) {
			t.Errorf("ParseAuthority(%q) = %q, %d, %v; want ErrHost", in, host, port, err)
		}
	}
}

func TestIsIP(t *testing.T) {
	for host, want := range map[string]bool{
		"192.0.2.1": true, "2001:db8::1": true, "::1": true,
		"": false, "ok.test": false, "localhost": false, "a1": false, "127.1": false,
	} {
		if got := IsIP(host); got != want {
			t.Errorf("IsIP(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestIsPublicSuffix(t *testing.T) {
	for name, want := range map[string]bool{
		"com": true, "co.uk": true, "github.io": true, "test": true, "internal": true,
		"": false, "example.com": false, "corp.internal": false, "ok.test": false,
		"example.github.io": false, "192.0.2.1": false, "2001:db8::1": false,
	} {
		if got := IsPublicSuffix(name); got != want {
			t.Errorf("IsPublicSuffix(%q) = %v, want %v", name, got, want)
		}
	}
}

// FuzzCanonical: a second pass changes nothing, and what is accepted is what
// others read: net/url finds the same host in a URL, netip the same address, and
// a browser's mapping leaves the name as it is.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		"ok.test", "OK.test.", "ｏｋ。test", "o\u212a.test", "xn--bcher-kva.test", "Bücher.test",
		"[::ffff:192.0.2.1]", "::1", "0x7f.1", "127.1", "a\u2100.test", "r3---sn.test", "xn--ok-", "0\u2136",
		"ok.test\x00.evil.test", "ok.test:443", "user@ok.test", "[ok.test]", "fe80::1%eth0", "1.2.3.4.", "a..b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		once, err := Canonical(in)
		if err != nil {
			return
		}
		if strings.Trim(once, "abcdefghijklmnopqrstuvwxyz0123456789._:-") != "" {
			t.Fatalf("Canonical(%q) = %q", in, once)
		}
		twice, err := Canonical(once)
		if err != nil || twice != once {
			t.Fatalf("Canonical(%q) = %q, then %q, %v", in, once, twice, err)
		}
		if strings.Contains(once, ":") && !IsIP(once) {
			t.Fatalf("Canonical(%q) = %q, which is no address", in, once)
		}
		if _, err := netip.ParseAddr(once); (err == nil) != IsIP(once) {
			t.Fatalf("Canonical(%q) = %q: netip says %v, IsIP %v", in, once, err, IsIP(once))
		}
		if u, err := url.Parse("https://" + net.JoinHostPort(once, "1") + "/"); err != nil || u.Hostname() != once || u.Port() != "1" {
			t.Fatalf("Canonical(%q) = %q, in which net/url finds %v, %v", in, once, u, err)
		}
		if mapped, err := idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.CheckHyphens(false)).ToASCII(once); !IsIP(once) && (err != nil || mapped != once) {
			t.Fatalf("Canonical(%q) = %q, which is looked up as %q, %v", in, once, mapped, err)
		}
	})
}

// FuzzParseAuthority: what is accepted is what net/url reads, and what net/http
// takes for the host of a request.
func FuzzParseAuthority(f *testing.F) {
	for _, seed := range []string{
		"ok.test:443", "[::1]:80", "a@b", "ok.test:", "[ok.test]:1", "OK.Test.:065", "ok.test:0", "[::ffff:1.2.3.4]:1", "ok.test:1:2",
		"ok.test/x", "ok.test#@evil.test", `ok.test\@evil.test`, "ok.test%2eevil", "ok.test:80?x", "bücher.test:1", "::1:80",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		host, port, err := ParseAuthority(in)
		if err != nil {
			return
		}
		if again, err := Canonical(host); err != nil || again != host {
			t.Fatalf("ParseAuthority(%q) = %q, which is not canonical", in, host)
		}
		u, err := url.Parse("https://" + in + "/")
		if err != nil || u.User != nil || u.Path != "/" || u.RawQuery+u.Fragment != "" {
			t.Fatalf("ParseAuthority(%q) = %q, of which net/url makes %#v, %v", in, host, u, err)
		}
		name, err := Canonical(u.Hostname())
		wantPort := ""
		if port != 0 {
			wantPort = strconv.Itoa(int(port))
		}
		if err != nil || name != host || u.Port() != wantPort {
			t.Fatalf("ParseAuthority(%q) = %q, %d; net/url reads %q, %q", in, host, port, u.Hostname(), u.Port())
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: " + in + "\r\n\r\n")))
		if err == nil && r.Host != in {
			t.Fatalf("ParseAuthority(%q) = %q, net/http reads the host %q", in, host, r.Host)
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	for _, host := range []string{"registry.ok.test", "Registry.ok.test.", "bücher.test", "192.0.2.1"} {
		b.Run(host, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Canonical(host)
			}
		})
	}
}
