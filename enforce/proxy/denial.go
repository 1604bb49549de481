package proxy

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/dialguard"
	"github.com/juliendoutre/proxaudit/policy"
)

// denialText tells a person which request was denied, why, and the line that
// would allow it. Package managers print it in their own error messages.
func (p *Proxy) denialText(x *exchange) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(enforce.Printable(fmt.Sprintf(format, args...)) + "\n")
	}
	line("proxaudit: denied: %s %s", x.request.Method, enforce.RedactURL(x.request.URL()))
	line("reason: %s", x.event.Reason)
	if x.event.Rule != "" {
		line("rule: %s", x.event.Rule)
	}
	if x.event.Allow != "" {
		line("to allow it, add this under \"allow:\" in %s:", cmp.Or(p.PolicyName, "the policy"))
		line("  %s", x.event.Allow)
	}
	return b.String()
}

// denial is the response that stands in for the one that was not fetched. The
// connection ends where the client still has a body to send.
func denial(r *http.Request, status int, text string) *http.Response {
	if isGRPC(r) {
		return grpcDenial(r, status, text)
	}
	explain(r, status, text)
	contentType, text := inFormatOf(r, status, text)
	resp := &http.Response{
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Request:       r,
		Header:        http.Header{},
		Body:          io.NopCloser(strings.NewReader(text)),
		ContentLength: int64(len(text)),
	}
	resp.Header.Set("Content-Type", contentType)
	resp.Header.Set("X-Content-Type-Options", "nosniff")
	resp.Header.Set("Cache-Control", "no-store")
	resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
	if r.ProtoMajor == 1 && r.Body != nil && r.Body != http.NoBody {
		resp.Header.Set("Connection", "close")
	}
	return resp
}

// refusedAddress is the decision about an address that may not be dialled,
// which is known only once the allowed name has been resolved.
func refusedAddress(r *dialguard.Refused) policy.Decision {
	return policy.Decision{Rule: ruleAddress, Reason: r.Error()}
}
