package proxy

import (
	"bufio"
	"bytes"
)

// content is what the first bytes of a connection tell of the rest.
type content int

const (
	holdsNothing content = iota // no byte came
	holdsTLS
	holdsHTTP
	holdsOther
)

// recordTypeHandshake is the first byte of a ClientHello (RFC 8446 section 5.1).
const recordTypeHandshake = 0x16

// recordTypeAlert is the first byte of a TLS alert (RFC 8446 section 5.1).
const recordTypeAlert = 0x15

// longestMethod bounds how far a request line is read for the blank behind its
// method (RFC 9112 section 3); the longest registered method is shorter.
const longestMethod = 20

// sniff looks at the first bytes that br holds and consumes none. TLS shows by
// its first byte; HTTP by a method of uppercase letters and hyphens and a
// blank, or by the beginning of a method on which nothing follows in time. The
// error is that of the read which brought no first byte.
func sniff(br *bufio.Reader) (content, error) {
	first, err := br.Peek(1)
	if err != nil {
		return holdsNothing, err
	}
	if first[0] == recordTypeHandshake {
		return holdsTLS, nil
	}
	for n := 1; n <= longestMethod; n++ {
		b, err := br.Peek(n)
		if err != nil {
			return beginning(b), nil
		}
		switch c := b[n-1]; {
		case c == ' ' && n > 1:
			return holdsHTTP, nil
		case c >= 'A' && c <= 'Z', c == '-' && n > 1:
		default:
			return holdsOther, nil
		}
	}
	return holdsOther, nil
}

// beginning tells what a word holds of which no more has come. One that can still
// become a request is left to the server of HTTP, which has limits for those that
// are slow: taken for raw TCP, it would pass unread where raw TCP may.
func beginning(word []byte) content {
	for _, method := range [...]string{
		"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", // RFC 9110 section 9.3
		"PATCH ", // RFC 5789
		"PRI ",   // RFC 9113 section 3.4
	} {
		if bytes.HasPrefix([]byte(method), word) {
			return holdsHTTP
		}
	}
	return holdsOther
}
