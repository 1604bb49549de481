package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// stripRequestTrailer leaves, of what comes behind a request's body, what only a
// whole body can tell: sums and signatures of it. The decision was made before, and
// a server may put a trailer among the header: any other field could be one that the
// policy denies (RFC 9110 section 6.5.1). What Rego looks at nobody can list. For
// the same reason none may be a second value of a field of header.
func stripRequestTrailer(h, header http.Header) {
	for name := range h {
		if !ofBody(name) || hasField(header, name) {
			delete(h, name)
		}
	}
}

// ofBody holds for the fields that clients are known to send behind a body: S3's
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html),
// those of RFC 1864, RFC 3230, RFC 9530 and RFC 9421, tus's, and one that is merely
// common. gRPC's clients send none.
func ofBody(name string) bool {
	switch name = strings.ToLower(name); name {
	case "content-md5", "digest", "content-digest", "repr-digest", "signature", "signature-input",
		"upload-checksum", "x-amz-trailer-signature",
		"x-checksum", "x-checksum-md5", "x-checksum-sha1", "x-checksum-sha256", "x-checksum-sha512":
		return true
	}
	return strings.HasPrefix(name, "x-amz-checksum-")
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

// stripResponseTrailer removes what must not come behind a body: fields that frame
// or route a message or steer its client (RFC 9110 section 6.5.1). All else is the
// server's to say: gRPC's servers put the metadata of a call there.
func stripResponseTrailer(h http.Header) {
	for name := range h {
		if !httpguts.ValidTrailerHeader(name) || steersClient(name) {
			delete(h, name)
		}
	}
}

// steersClient holds for fields that httpguts lets pass.
func steersClient(name string) bool {
	lower := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for _, prefix := range [...]string{"proxy-", "sec-", "access-control-"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	switch lower {
	case "set-cookie", "alt-svc", "upgrade", "location", "http2-settings", "transfer-encoding", "content-length":
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
		stripRequestTrailer(r.Trailer, r.Header) // of names that are announced
		body.trailer = r
	}
}
