package enforce

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// appendString appends s as a JSON string (RFC 8259 section 7) that is safe to
// print: what Go does not count as printable (strconv.IsPrint) is written as
// \uXXXX, as are DEL and the C1 controls, bidirectional overrides, invisible
// and unassigned characters, so that `cat events.jsonl` shows what is there and
// drives no terminal. Invalid UTF-8 becomes \ufffd.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		size := 1
		if c < utf8.RuneSelf {
			b = appendASCII(b, c)
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			b = appendRune(b, r)
		}
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// appendASCII escapes a control character, DEL, a quote or a backslash.
func appendASCII(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	default:
		return appendHex(b, rune(c))
	}
}

func appendRune(b []byte, r rune) []byte {
	switch {
	case r != utf8.RuneError && strconv.IsPrint(r):
		return utf8.AppendRune(b, r)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return appendHex(appendHex(b, high), low)
	default:
		return appendHex(b, r)
	}
}

func appendHex(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
