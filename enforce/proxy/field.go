package proxy

import (
	"bytes"
	"fmt"
	"strings"
)

// field takes a field line of a head and keeps what counts for its end.
func (f *framing) field(line []byte) string {
	name, value, reason := cutField(line)
	if reason != "" {
		return reason
	}
	h := &f.head
	switch {
	case is(name, "host"):
		if h.host {
			return "two Host fields"
		}
		h.host = true
	case is(name, "content-length"):
		if h.hasLength {
			return "two Content-Length fields"
		}
		h.hasLength = true
		return h.setLength(value)
	case is(name, "transfer-encoding"):
		if h.chunked || !is(value, "chunked") {
			return fmt.Sprintf("Transfer-Encoding %.40q: only chunked, once, can be read in one way", value)
		}
		h.chunked = true
	case is(name, "upgrade"):
		h.upgrade = h.upgrade || mentionsWebSocket(string(value))
	}
	return ""
}

// setLength takes a Content-Length: digits and nothing else (RFC 9110 section
// 8.6). No list, though section 8.6 lets one of equal numbers pass.
func (h *head) setLength(value []byte) string {
	if len(value) == 0 || len(value) > 18 {
		return fmt.Sprintf("Content-Length %.40q", value)
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return fmt.Sprintf("Content-Length %q", value)
		}
		h.length = h.length*10 + int64(c-'0')
	}
	return ""
}

// cutField cuts "name: value" (RFC 9112 section 5).
func cutField(line []byte) (name, value []byte, reason string) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, "a folded field line" // RFC 9112 section 5.2
	}
	name, value, found := bytes.Cut(line, []byte(":"))
	if !found || !isToken(name) {
		return nil, nil, fmt.Sprintf("field name %.40q", name)
	}
	if hasControl(value) {
		return nil, nil, fmt.Sprintf("a control character in field %s", name)
	}
	return name, bytes.Trim(value, " \t"), ""
}

// hasControl reports whether a field value holds what may not stand in one (RFC
// 9110 section 5.5).
func hasControl(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// isFraming reports whether a field decides where a request ends or leads. In a
// trailer it would come too late for that (RFC 9110 section 6.5.1).
func isFraming(name []byte) bool {
	return is(name, "content-length") || is(name, "transfer-encoding") || is(name, "host") || is(name, "trailer")
}

// is compares without regard to case.
func is(name []byte, lower string) bool {
	return len(name) == len(lower) && strings.EqualFold(string(name), lower)
}

// mentionsWebSocket reports whether an Upgrade field may ask for a WebSocket.
func mentionsWebSocket(value string) bool {
	return strings.Contains(strings.ToLower(value), "websocket")
}

// isToken is RFC 9110 section 5.6.2.
func isToken(b []byte) bool {
	for _, c := range b {
		if letter := c | 0x20; 'a' <= letter && letter <= 'z' || '0' <= c && c <= '9' || c == '-' {
			continue
		}
		if strings.IndexByte("!#$%&'*+.^_`|~", c) < 0 {
			return false
		}
	}
	return len(b) > 0
}
