package proxy

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// isGRPC reports whether r is a call of gRPC, as the protocol has a client say it
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). gRPC-Web is
// not: its status stands in the body, and it is spoken in HTTP/1 as well.
func isGRPC(r *http.Request) bool {
	if r.ProtoMajor != 2 || r.Method != http.MethodPost || !tokenIn(r.Header["Te"], "trailers") {
		return false
	}
	rest, ok := strings.CutPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// grpcDenial is what stands in for the response to a call: a header that is the
// trailer as well (Trailers-Only), with text as its grpc-message. Its HTTP status is
// 200, as that of every response is: of another one, most clients show the number
// and none of the text (grpc-go before 1.80, connect-go, grpc-js, all over C-core).
func grpcDenial(r *http.Request, status int, text string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK,
		Proto:      "HTTP/2.0",
		ProtoMajor: 2,
		Request:    r,
		Header: http.Header{
			"Content-Type": {r.Header.Get("Content-Type")}, // clients compare
			"Grpc-Status":  {strconv.Itoa(grpcStatus(status))},
			"Grpc-Message": {grpcMessage(text)},
		},
		Body: http.NoBody,
	}
}

// grpcStatus is the status that a client would make of an HTTP status
// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md). A
// server that takes too long is unavailable there: a deadline is the client's own.
func grpcStatus(status int) int {
	const permissionDenied, internal, unavailable = 7, 13, 14
	switch status {
	case http.StatusForbidden:
		return permissionDenied
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return unavailable
	default:
		return internal
	}
}

// maxGRPCMessage bounds a grpc-message, in bytes: clients take 8 KiB of header in
// all (grpc-java, C-core).
const maxGRPCMessage = 4 << 10

// grpcMessage encodes text as the protocol wants it: whatever is not printable
// ASCII, and the percent sign, as %XX.
func grpcMessage(text string) string {
	var b strings.Builder
	text = strings.TrimSuffix(text, "\n")
	for len(text) > 0 {
		_, size := utf8.DecodeRuneInString(text)
		if b.Len()+3*size > maxGRPCMessage-len("...") {
			b.WriteString("...")
			break
		}
		for _, c := range []byte(text[:size]) {
			if ' ' <= c && c <= '~' && c != '%' {
				b.WriteByte(c)
				continue
			}
			fmt.Fprintf(&b, "%%%02X", c)
		}
		text = text[size:]
	}
	return b.String()
}
