package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// stripTrailer removes what must not come behind a body: fields that frame,
// route, authorise or steer a request (RFC 9110 section 6.5.1). The decision
// was made without them, and a server may put a trailer among the header.
func stripTrailer(h http.Header) {
	for name := range h {
		if !httpguts.ValidTrailerHeader(name) || lateField(name) {
			delete(h, name)
		}
	}
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
		stripTrailer(r.Trailer) // of names that are announced
		body.trailer = r
	}
}
