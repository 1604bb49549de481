package learn

import (
	"strconv"
	"strings"
)

// scalar returns s as a YAML 1.2 scalar that reads back as exactly the string s:
// plain where that is beyond doubt, else in double quotes. It is for block
// collections; in brackets, only methods and what is quoted may stand.
func scalar(s string) string {
	if isPlainScalar(s) {
		return s
	}
	return quoted(s)
}

// quoted returns s as a YAML scalar in double quotes, which stands anywhere.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hex(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + hex(r, 4))
		default:
			b.WriteString(`\U` + hex(r, 8))
		}
	}
	b.WriteByte('"')
	return b.String()
}

func hex(r rune, width int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", width-len(s)) + s
}

// isPlainScalar knows texts that YAML takes for nothing but themselves: paths,
// package URLs, URLs, names with a dot and a last label of letters, words in
// capitals that are methods.
func isPlainScalar(s string) bool {
	if s == "" || strings.HasSuffix(s, ":") {
		return false
	}
	switch {
	case s[0] == '/':
		return only(s, "/:@!$&'()+;=%-._~?*{}")
	case strings.HasPrefix(s, "pkg:"), strings.HasPrefix(s, "https://"), strings.HasPrefix(s, "http://"):
		return only(s, "/:@!$&'()+;=%-._~?*")
	case isMethod(s):
		switch s { // YAML 1.1 took some words for booleans
		case "Y", "N", "YES", "NO", "ON", "OFF", "TRUE", "FALSE", "NULL":
			return false
		}
		return only(s, "-")
	default:
		label := s[strings.LastIndexByte(s, '.')+1:]
		isName := strings.HasPrefix(label, "xn--") || len(label) > 1 && strings.Trim(label, "abcdefghijklmnopqrstuvwxyz") == ""
		return isName && label != s && only(s[:1], "") && only(s, ".-_")
	}
}

// only reports whether s holds nothing but ASCII letters, digits and the bytes of
// also.
func only(s, also string) bool {
	for i := range len(s) {
		if kindOf(s[i]) == 0 && strings.IndexByte(also, s[i]) < 0 {
			return false
		}
	}
	return true
}

// plain returns s for a comment: one line of printable ASCII, everything else
// as a Go escape.
func plain(s string) string {
	q := strconv.QuoteToASCII(s)
	q = q[1 : len(q)-1]
	return strings.ReplaceAll(q, `\"`, `"`)
}

// maxComment is how much of a text from the wire stands in a comment, in bytes.
const maxComment = 160

func shorten(s string) string {
	if len(s) <= maxComment {
		return s
	}
	return s[:maxComment] + "..."
}
