package proxy

import (
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostname"
)

// wellFormed refuses what net/http accepts and another server could take for
// another request.
func wellFormed(r *http.Request) *problem {
	if r.ProtoMajor == 2 {
		if bad := wellFormed2(r); bad != nil {
			return bad
		}
	}
	if r.URL.IsAbs() && r.URL.Host == "" {
		return refused(ruleMessage, http.StatusBadRequest, "%q has a scheme but no host", r.RequestURI)
	}
	return knownUpgrade(r)
}

// wellFormed2 is about HTTP/2: a method that is no token, a path that is a whole
// URL, a length that is none, and a Host field that differs from :authority (RFC
// 9113 section 8.3.1).
func wellFormed2(r *http.Request) *problem {
	if !isToken([]byte(r.Method)) {
		return refused(ruleMessage, http.StatusBadRequest, "method %q", r.Method)
	}
	if !strings.HasPrefix(r.RequestURI, "/") && r.RequestURI != "*" {
		return refused(ruleMessage, http.StatusBadRequest, ":path %q does not begin with a slash", r.RequestURI)
	}
	if reason := wrongLength(r); reason != "" {
		return refused(ruleMessage, http.StatusBadRequest, "%s", reason)
	}
	trimValues(r.Header)
	tidyCookies(r.Header)
	hosts := r.Header["Host"]
	delete(r.Header, "Host")
	for _, h := range hosts {
		name, port, err := hostname.ParseAuthority(h)
		if also, alsoPort, _ := hostname.ParseAuthority(r.Host); err != nil || name != also || port != alsoPort {
			return refused(ruleIdentity, http.StatusBadRequest, "the Host field is %q, :authority is %q", h, r.Host)
		}
	}
	return nil
}

// wrongLength says what is wrong with the Content-Length of an HTTP/2 request.
// net/http takes the first of many, and what it cannot read for a 0, without a
// word; and does not compare it with a stream that has ended (RFC 9113 section
// 8.1.1).
func wrongLength(r *http.Request) string {
	lengths := r.Header["Content-Length"]
	switch len(lengths) {
	case 0:
		return ""
	case 1:
	default:
		return "two Content-Length fields"
	}
	var h head
	if reason := h.setLength([]byte(lengths[0])); reason != "" {
		return reason
	}
	if h.length != r.ContentLength {
		return fmt.Sprintf("Content-Length %d on a stream that has ended", h.length)
	}
	return ""
}

// ambiguousQuery refuses a query that a server may end earlier than the policy: at
// a number sign, which begins a fragment where there is one (RFC 3986 section 3.5;
// nginx), and at a blank, behind which HTTP/1 has the version. In HTTP/1 there can
// be none.
func ambiguousQuery(query string) *problem {
	switch i := strings.IndexAny(query, "# "); {
	case i < 0:
		return nil
	case query[i] == '#':
		return refused(rulePath, http.StatusForbidden, "ambiguous query: a number sign, which ends it to some servers; the character itself is written %%23")
	default:
		return refused(ruleMessage, http.StatusBadRequest, "a blank in the query")
	}
}

// trimValues takes the blanks off the ends of fields' values, which HTTP/1 has
// none of: a server that takes them off would have been asked something else than
// what was decided (RFC 9113 section 8.2.1).
func trimValues(h http.Header) {
	for _, values := range h {
		for i, v := range values {
			values[i] = textproto.TrimString(v)
		}
	}
}

// tidyCookies writes what Cookie fields list as one field of HTTP/1 (RFC 6265
// section 4.2.1): net/http sends each cookie by itself again, but with the blanks
// around it, which make the request malformed (RFC 9113 section 8.2.1), and does not
// send the last if it is empty.
func tidyCookies(h http.Header) {
	fields, any := h["Cookie"]
	if !any {
		return
	}
	var cookies []string
	for _, field := range fields {
		for cookie := range strings.SplitSeq(field, ";") {
			if cookie = textproto.TrimString(cookie); cookie != "" {
				cookies = append(cookies, cookie)
			}
		}
	}
	delete(h, "Cookie")
	if len(cookies) > 0 {
		h["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
}

// knownUpgrade refuses to change to a protocol that nobody here can read. An
// offer of HTTP/2 is not taken up, as RFC 9110 section 7.8 lets a server do:
// Java's client makes it with every request that is not encrypted.
func knownUpgrade(r *http.Request) *problem {
	if !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1 || isWebSocket(r) || !tokenIn(r.Header["Connection"], "upgrade") {
		return nil
	}
	for _, list := range r.Header["Upgrade"] {
		for protocol := range strings.SplitSeq(list, ",") {
			switch protocol = strings.TrimSpace(protocol); strings.ToLower(protocol) {
			case "", "h2c", "h2":
			default:
				return refused(ruleUpgrade, http.StatusForbidden, "an upgrade to %q: only a GET that asks for a WebSocket can be judged", protocol)
			}
		}
	}
	return nil
}

// isWebSocket reports whether r asks for RFC 6455's upgrade.
func isWebSocket(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && r.Method == http.MethodGet && r.ContentLength == 0 &&
		tokenIn(r.Header["Connection"], "upgrade") && tokenIn(r.Header["Upgrade"], "websocket")
}

// keepEscapes makes u forward its path as the client sent it. Where that holds a
// byte that may not stand in a path, net/url would escape the whole path anew
// and lose which slashes were escaped.
func keepEscapes(u *url.URL) {
	if u.RawPath == "" || u.EscapedPath() == u.RawPath {
		return
	}
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(u.RawPath) {
		c := u.RawPath[i]
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@[]/%", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	u.RawPath = b.String()
}
