package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// stripTrailer removes what must not come behind a body: fields that frame,
// route, authorise or steer a request (RFC 9110 section 6.5.1). The decision
// was made without them, and a server may put a trailer among the header. For the
// same reason none may be a second value of a field of header, which was judged.
func stripTrailer(h, header http.Header) {
	for name := range h {
		if !httpguts.ValidTrailerHeader(name) || lateField(name) || hasField(header, name) {
			delete(h, name)
		}
	}
}

// hasField reports whether h has a field of a name, in any spelling that a server
// may take for the same: to CGI a hyphen is an underscore (RFC 3875 section 4.1.18).
func hasField(h http.Header, name string) bool {
	plain := strings.ReplaceAll(name, "_", "-")
	for other := range h {
		if len(other) == len(name) && strings.EqualFold(strings.ReplaceAll(other, "_", "-"), plain) {
			return true
		}
	}
	return false
}

// lateField holds for fields that httpguts lets pass.
func lateField(name string) bool {
	lower := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for _, prefix := range [...]string{"x-http-method", "x-method-", "x-original-", "x-rewrite-", "x-forwarded", "forwarded", "proxy-", "sec-", "access-control-"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	switch lower {
	case "cookie", "set-cookie", "alt-svc", "upgrade", "location", "origin", "referer", "http2-settings", "transfer-encoding", "content-length", "host":
		return true
	}
	return false
}

// keepTrailer lets the trailer of r through, announced or not: what the transport
// holds before the body is the map that net/http fills behind it. Over HTTP/2,
// net/http drops what was not announced, as RFC 9110 section 6.5.1 permits.
func keepTrailer(r *http.Request, body *countingBody) {
	if r.ProtoMajor == 1 && r.ContentLength < 0 && r.Trailer == nil {
		r.Trailer = http.Header{}
	}
	if r.Trailer != nil {
		stripTrailer(r.Trailer, r.Header) // of names that are announced
		body.trailer = r
	}
}
