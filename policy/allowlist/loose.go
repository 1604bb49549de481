package allowlist

import (
	"strconv"
	"strings"
)

// form is a way to spell a path for comparison. Allow and log rules compare
// exact paths only.
type form uint8

const (
	exact   form = iota // as in policy.Request
	decoded             // unescaped, repeated and trailing slashes removed
	bare                // decoded, and without the parameters of segments
	forms
)

// respell returns path in form f.
func respell(path string, f form) string {
	if f == exact {
		return path
	}
	path = unescape(path)
	if f == bare {
		path = cutParameters(path)
	}
	for strings.Contains(path, "//") {
		path = collapse(path)
	}
	return strings.TrimSuffix(path, "/")
}

// unescape undoes percent-encoding until nothing changes, three times at most,
// as policy.CanonicalPath looks through it. Broken escapes stay.
func unescape(path string) string {
	for range 3 {
		plain := unescapeOnce(path)
		if plain == path {
			break
		}
		path = plain
	}
	return path
}

func unescapeOnce(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if v, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// cutParameters removes ";" and what follows it from each segment, RFC 3986
// section 3.3.
func cutParameters(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

func collapse(path string) string {
	return strings.ReplaceAll(path, "//", "/")
}

// loose returns the form in which the pattern of a deny rule is compared besides
// exactly, and the pattern in that form. A pattern that names parameters is
// compared with paths that keep theirs.
func (pat *pattern) loose() (pattern, form) {
	out := pattern{prefix: respellLiteral(pat.prefix)}
	f := bare
	if strings.Contains(out.prefix, ";") {
		f = decoded
	}
	for _, p := range pat.parts {
		p.literal = respellLiteral(p.literal)
		if strings.Contains(p.literal, ";") {
			f = decoded
		}
		out.parts = append(out.parts, p)
	}
	last := &out.prefix
	if n := len(out.parts); n > 0 {
		last = &out.parts[n-1].literal
	}
	*last = strings.TrimSuffix(*last, "/")
	return out, f
}

func respellLiteral(s string) string {
	s = unescape(s)
	for strings.Contains(s, "//") {
		s = collapse(s)
	}
	return s
}
