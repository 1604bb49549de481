package proxy

import "bufio"

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

// longestMethod bounds how far a request line is read for the blank behind its
// method (RFC 9112 section 3); the longest registered method is shorter.
const longestMethod = 20

// sniff looks at the first bytes that br holds and consumes none. TLS shows by
// its first byte; HTTP by a method of uppercase letters and hyphens and a
// blank. The error is that of the read which brought no first byte.
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
			return holdsOther, nil
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
