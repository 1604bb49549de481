package hostname

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseAuthority splits "host", "host:port", "[v6]" or "[v6]:port" and returns
// the host in the form of Canonical. The port is 0 when none was written.
//
// Userinfo, an IPv6 address without brackets, an empty port, port 0, a port over
// 65535 or written with a sign or leading zeros, and any character that belongs
// to another part of a URL (RFC 3986 section 3.2) are errors.
func ParseAuthority(authority string) (host string, port uint16, err error) {
	if i := strings.IndexFunc(authority, isDelimiter); i >= 0 {
		return "", 0, fmt.Errorf("%w %q: character %q", ErrHost, authority, authority[i])
	}
	name, digits, hasPort := splitPort(authority)
	if hasPort {
		if port, err = parsePort(digits); err != nil {
			return "", 0, fmt.Errorf("%w %q: %w", ErrHost, authority, err)
		}
	}
	if strings.IndexByte(name, ':') >= 0 && name[0] != '[' {
		return "", 0, fmt.Errorf("%w %q: an IPv6 address needs brackets", ErrHost, authority)
	}
	if host, err = Canonical(name); err != nil {
		return "", 0, err
	}
	return host, port, nil
}

// isDelimiter reports whether c ends an authority, or hides in one.
func isDelimiter(c rune) bool {
	return c <= ' ' || c == 0x7f || strings.ContainsRune(`/?#@\%`, c)
}

// splitPort cuts at the colon that comes after the address, if there is one.
func splitPort(authority string) (name, digits string, hasPort bool) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || colon < strings.LastIndexByte(authority, ']') {
		return authority, "", false
	}
	return authority[:colon], authority[colon+1:], true
}

func parsePort(digits string) (uint16, error) {
	if digits == "" {
		return 0, fmt.Errorf("empty port")
	}
	if strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
		return 0, fmt.Errorf("port %q: want 1 to 65535", digits)
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("port %q: want 1 to 65535", digits)
	}
	return uint16(n), nil
}
