package policy

import (
	"errors"
	"fmt"
	"strings"
)

// ErrPath is wrapped by every error of CanonicalPath.
var ErrPath = errors.New("ambiguous path")

const upperHex = "0123456789ABCDEF"

// CanonicalPath returns the one spelling of an escaped request path that
// policies compare, or an error for a path that two servers could read in two
// ways. Spellings that RFC 3986 section 6.2.2 calls equivalent become the same:
// percent-encoded unreserved characters are decoded, hexadecimal digits are
// uppercased, and bytes that may not stand in a path are encoded. "*" is
// encoded too, so that a pattern and a path cannot be mistaken for each other.
// An encoded slash stays encoded: it is data, not a separator, to the origin
// servers that use it (npm's scoped packages).
//
// Refused are dot segments in every spelling (plain, encoded, encoded twice,
// with parameters, between encoded slashes), backslashes, control characters
// and broken escapes: what one server normalises away another one acts on
// (CVE-2019-9901, CVE-2021-29492).
func CanonicalPath(escaped string) (string, error) {
	if escaped == "" {
		return "/", nil
	}
	if escaped[0] != '/' {
		return "", fmt.Errorf("%w: does not begin with a slash", ErrPath)
	}
	out := escaped
	if !isCanonical(escaped) {
		var err error
		if out, err = canonicalize(escaped); err != nil {
			return "", err
		}
	}
	if err := checkSegments(out); err != nil {
		return "", err
	}
	return out, nil
}

// isCanonical reports whether p holds only bytes that stand for themselves.
func isCanonical(p string) bool {
	for i := range len(p) {
		if !isPathByte(p[i]) {
			return false
		}
	}
	return true
}

func canonicalize(p string) (string, error) {
	var b strings.Builder
	b.Grow(len(p) + 8)
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '%' {
			if i+2 >= len(p) || !isHex(p[i+1]) || !isHex(p[i+2]) {
				return "", fmt.Errorf("%w: broken percent-encoding", ErrPath)
			}
			c = unhex(p[i+1])<<4 | unhex(p[i+2])
			i += 2
			if isUnreserved(c) {
				b.WriteByte(c)
				continue
			}
		} else if isPathByte(c) {
			b.WriteByte(c)
			continue
		}
		if c < 0x20 || c == 0x7f {
			return "", fmt.Errorf("%w: control character", ErrPath)
		}
		if c == '\\' {
			return "", fmt.Errorf("%w: backslash", ErrPath)
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String(), nil
}

// checkSegments refuses dot segments. Encoded slashes separate here, parameters
// are cut off, and two further rounds of decoding are looked through, because a
// server behind the server may do any of these.
func checkSegments(p string) error {
	if !strings.Contains(p, "/.") && !strings.Contains(p, "%") {
		return nil
	}
	for range 3 {
		for segment := range strings.SplitSeq(p, "/") {
			name, _, _ := strings.Cut(segment, ";")
			if name == "." || name == ".." {
				return fmt.Errorf("%w: dot segment", ErrPath)
			}
		}
		decoded := Unescape(p)
		if decoded == p {
			return nil
		}
		if strings.ContainsAny(decoded, "\\\x00\r\n") {
			return fmt.Errorf("%w: backslash or control character under two encodings", ErrPath)
		}
		if isOverlong(decoded) {
			return fmt.Errorf("%w: overlong UTF-8", ErrPath)
		}
		p = decoded
	}
	return nil
}

// isOverlong reports whether s spells a dot, a slash or a backslash in more
// bytes than UTF-8 allows (RFC 3629 section 10), which lenient decoders read.
func isOverlong(s string) bool {
	for _, long := range []string{"\xc0\xae", "\xc0\xaf", "\xc1\x9c", "\xe0\x80\xae", "\xe0\x80\xaf", "\xe0\x81\x9c"} {
		if strings.Contains(s, long) {
			return true
		}
	}
	return false
}

// isUnreserved is RFC 3986 section 2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// isPathByte is pchar of RFC 3986 section 3.3 without percent, plus the slash,
// less "*".
func isPathByte(c byte) bool {
	return isUnreserved(c) || strings.IndexByte("/:@!$&'()+,;=", c) >= 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
