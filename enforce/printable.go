package enforce

import (
	"strconv"
	"strings"
	"unicode"
)

// Printable returns s on one line, with everything that a terminal would act on
// (control characters, escapes, bidirectional overrides, invalid UTF-8) written
// as a Go escape.
func Printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return escape(s)
		}
	}
	return s
}

func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
