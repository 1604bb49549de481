package proxy

import (
	"bytes"
	"fmt"
)

// framing follows the requests of an HTTP/1 connection from head to head and
// refuses what two programs could cut into requests in two ways (RFC 9112
// section 11.2). net/http reads the same bytes behind it: it mends in silence much
// of what is refused here, and then nobody would learn that something was wrong.
//
// It holds no more than one unfinished line, and is for one goroutine at a time.
type framing struct {
	longest int // line, about: net/http counts the bytes of a whole head
	state   frameState
	line    []byte // the beginning of a line whose end has not come
	left    int64  // bytes of content or of a chunk that are still to come
	method  string // of the request whose head came last
	head    head
}

// frameState is what comes next on the connection.
type frameState uint8

const (
	atStart frameState = iota // a request line
	inFields
	inContent
	atChunk // the line with a chunk's size
	inChunk
	afterChunk // the line end behind a chunk
	inTrailer
	opaque // no HTTP any more: a tunnel, or a WebSocket if the server agrees
)

// head is what counts of a head for where it ends.
type head struct {
	http10, host, upgrade bool
	length                int64
	hasLength, chunked    bool
}

// malformed is why the bytes of a connection are not read any further.
type malformed struct {
	reason string
	inHead bool // of a request, so that no request has come to be
}

func (m *malformed) Error() string { return "the request is malformed: " + m.reason }

// scan returns how many bytes of b may be read as HTTP: all of them, or those
// before the line that bad is about.
func (f *framing) scan(b []byte) (n int, bad *malformed) {
	for n < len(b) {
		switch f.state {
		case opaque:
			return len(b), nil
		case inContent, inChunk:
			k := min(f.left, int64(len(b)-n))
			n += int(k)
			if f.left -= k; f.left == 0 {
				f.state = f.state.next()
			}
			continue
		}
		end := bytes.IndexByte(b[n:], '\n')
		if end < 0 {
			if len(f.line)+len(b)-n > f.longest+8<<10 {
				return n, f.malformed("a line without an end")
			}
			f.line = append(f.line, b[n:]...)
			return len(b), nil
		}
		line := b[n : n+end]
		if len(f.line) > 0 {
			f.line = append(f.line, line...)
			line = f.line
		}
		if reason := f.endLine(line); reason != "" {
			return n, f.malformed(reason)
		}
		f.line = f.line[:0]
		n += end + 1
	}
	return n, nil
}

func (s frameState) next() frameState {
	if s == inChunk {
		return afterChunk
	}
	return atStart
}

func (f *framing) malformed(reason string) *malformed {
	return &malformed{reason: reason, inHead: f.state == atStart || f.state == inFields}
}

// endLine takes a line without its line feed. It returns why it is refused.
func (f *framing) endLine(line []byte) string {
	line, ok := bytes.CutSuffix(line, []byte("\r"))
	switch {
	case !ok:
		return "a line ends in a line feed alone"
	case bytes.IndexByte(line, '\r') >= 0:
		return "a carriage return stands alone"
	}
	switch f.state {
	case atStart:
		if len(line) > 0 { // RFC 9112 section 2.2 lets an empty line come before
			return f.requestLine(line)
		}
	case inFields:
		if len(line) == 0 {
			return f.endHead()
		}
		return f.field(line)
	case atChunk:
		return f.chunkSize(line)
	case afterChunk:
		if len(line) > 0 {
			return "a chunk is longer than its size"
		}
		f.state = atChunk
	case inTrailer:
		if len(line) == 0 {
			f.state = atStart
			return ""
		}
		name, _, reason := cutField(line)
		if reason == "" && isFraming(name) {
			reason = fmt.Sprintf("%s in a trailer", name)
		}
		return reason
	}
	return ""
}

// requestLine takes "method SP target SP version" (RFC 9112 section 3).
func (f *framing) requestLine(line []byte) string {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, _ := bytes.Cut(rest, []byte(" "))
	f.method = ""
	if isToken(method) {
		f.method = string(method)
	}
	switch {
	case f.method == "" || len(target) == 0:
		return "the request line is not method, target and version"
	case string(version) == "HTTP/2.0":
		return "HTTP/2 begins without the handshake that agrees on it"
	case string(version) != "HTTP/1.1" && string(version) != "HTTP/1.0":
		return fmt.Sprintf("HTTP version %q", version)
	}
	f.head = head{http10: string(version) == "HTTP/1.0"}
	f.state = inFields
	return ""
}

// endHead decides what comes behind the head.
func (f *framing) endHead() string {
	h := &f.head
	connect := f.method == "CONNECT"
	switch {
	case h.chunked && h.hasLength:
		return "both Content-Length and Transfer-Encoding"
	case h.chunked && h.http10:
		return "Transfer-Encoding in HTTP/1.0"
	case connect && (h.chunked || h.length > 0):
		return "a CONNECT with content"
	case !h.host && !h.http10 && !connect:
		return "no Host field"
	case h.chunked:
		f.state = atChunk
	case h.length > 0:
		f.state, f.left = inContent, h.length
	case connect || h.upgrade:
		f.state = opaque
	default:
		f.state = atStart
	}
	return ""
}

// chunkSize takes "size [; extensions]" (RFC 9112 section 7.1). Extensions end
// here: what is forwarded is cut into chunks anew.
func (f *framing) chunkSize(line []byte) string {
	size, extension, _ := bytes.Cut(line, []byte(";"))
	if len(size) == 0 || len(size) > 15 {
		return fmt.Sprintf("chunk size %.20q", size)
	}
	f.left = 0
	for _, c := range size {
		digit := hexDigit(c)
		if digit < 0 {
			return fmt.Sprintf("chunk size %q", size)
		}
		f.left = f.left<<4 | int64(digit)
	}
	if hasControl(extension) {
		return "a control character in a chunk extension"
	}
	f.state = inChunk
	if f.left == 0 {
		f.state = inTrailer
	}
	return ""
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	default:
		return -1
	}
}
