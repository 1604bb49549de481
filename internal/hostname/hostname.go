// Package hostname gives every host one spelling, so that what a policy
// compares is what would be dialled. It must never resolve a name, and it must
// never guess: a host that two programs could read in two ways is an error.
package hostname

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ErrHost is wrapped by every error of this package.
var ErrHost = errors.New("invalid host")

const (
	maxName  = 253 // RFC 1035 section 2.3.4, without the root's dot
	maxLabel = 63  // RFC 1035 section 2.3.4
	maxInput = 4 * (maxName + 1)
)

// lookup is the mapping a client applies before it asks for a name, UTS #46
// section 4: case, width and compatibility forms are folded. Hyphens may stand
// anywhere and the ASCII characters are checked here, because names such as
// r3---sn-4g5e.example.org and _dmarc.example.org are in use.
var lookup = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.StrictDomainName(false),
	idna.CheckHyphens(false),
	idna.BidiRule(),
)

// Canonical returns the one spelling of host: lowercase A-labels without the
// root's dot, or an address as netip.Addr prints it.
//
// Unicode names go through UTS #46, one trailing dot is removed, brackets around
// an IPv6 address are removed, and an IPv4-mapped IPv6 address becomes the IPv4
// address that would be dialled. Errors are: empty labels, labels over 63 or
// names over 253 bytes, characters other than letters, digits, "-" and "_",
// brackets around anything but IPv6 (CVE-2022-29188), IPv6 zones, and names that
// end in a number without being a dotted quad (0x7f.1, 2130706433, 127.1), which
// some resolvers take for an address.
//
// Canonical is idempotent, and allocates nothing for a name that is already
// canonical and has no A-label. It is safe for concurrent use.
func Canonical(host string) (string, error) {
	if isPlain(host) {
		return checked(host)
	}
	if len(host) > maxInput {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrHost, maxName)
	}
	if strings.ContainsAny(host, ":[]") {
		return canonicalIPv6(host)
	}
	if !utf8.ValidString(host) {
		return "", fmt.Errorf("%w %q: not UTF-8", ErrHost, host)
	}
	name, err := toASCII(host)
	if err != nil {
		return "", err
	}
	name = strings.TrimSuffix(name, ".")
	if i := strings.IndexFunc(name, notNameByte); i >= 0 {
		c, _ := utf8.DecodeRuneInString(name[i:])
		return "", fmt.Errorf("%w %q: character %q", ErrHost, host, c)
	}
	return checked(name)
}

// toASCII maps host as a client would before looking it up.
func toASCII(host string) (string, error) {
	lower := strings.ToLower(host)
	if isASCII(host) && !strings.Contains(lower, "xn--") {
		return lower, nil
	}
	name, err := lookup.ToASCII(host)
	if err == nil {
		// A symbol that is mapped to a Hebrew letter passes the rule for directions
		// (RFC 5893), which x/net/idna applies before it maps; the result does not.
		var again string
		if again, err = lookup.ToASCII(name); err == nil && again != name {
			err = fmt.Errorf("a second mapping gives %q", again)
		}
	}
	if err != nil {
		return "", fmt.Errorf("%w %q: %w", ErrHost, host, err)
	}
	return name, nil
}

// isPlain reports whether name needs no mapping. A-labels do: they must decode.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || notNameByte(rune(c)) {
			return false
		}
	}
	return !strings.HasSuffix(name, ".") && !strings.Contains(name, "xn--")
}

// notNameByte reports whether c may not stand in a canonical name.
func notNameByte(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// checked returns name, which holds only canonical characters, when its lengths
// are right and it is not a number in disguise.
func checked(name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("%w: empty", ErrHost)
	}
	if len(name) > maxName {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrHost, maxName)
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			continue
		}
		if i == start {
			return "", fmt.Errorf("%w %q: empty label", ErrHost, name)
		}
		if i-start > maxLabel {
			return "", fmt.Errorf("%w %q: label longer than %d bytes", ErrHost, name, maxLabel)
		}
		start = i + 1
	}
	if !endsInNumber(name) {
		return name, nil
	}
	// netip takes exactly four decimal parts without leading zeros, so what it
	// takes is canonical.
	if _, err := netip.ParseAddr(name); err != nil {
		return "", fmt.Errorf("%w %q: a number that is not a dotted quad", ErrHost, name)
	}
	return name, nil
}

// endsInNumber is the "ends in a number checker" of the WHATWG URL Standard,
// section 3.5: what passes it may be read as an IPv4 address.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	digits := "0123456789"
	if strings.HasPrefix(last, "0x") {
		last, digits = last[2:], "0123456789abcdef"
	}
	return strings.Trim(last, digits) == ""
}

func canonicalIPv6(host string) (string, error) {
	inner := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		inner = host[1 : len(host)-1]
	}
	addr, err := netip.ParseAddr(inner)
	switch {
	case err != nil || !addr.Is6():
		return "", fmt.Errorf("%w %q: not an IPv6 address", ErrHost, host)
	case addr.Zone() != "":
		return "", fmt.Errorf("%w %q: an address with a zone", ErrHost, host)
	}
	return addr.Unmap().String(), nil
}

// IsIP reports whether host, which must be canonical, is an address.
func IsIP(host string) bool {
	if host == "" {
		return false
	}
	if strings.IndexByte(host, ':') < 0 && !endsInNumber(host) {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
