package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/dialguard"
)

// failed records why an allowed request got no response and answers the client:
// 400 for content that is malformed, 403 for an address that may not be dialled,
// 503 where too much is under way, 504 for a timeout, else 502.
func (p *Proxy) failed(r *http.Request, x *exchange, err error) *http.Response {
	if refused := (*dialguard.Refused)(nil); errors.As(err, &refused) {
		ev := p.responseEvent(x, http.StatusForbidden, nil)
		ev.Stage = enforce.StageConnect
		x.verdict = p.Gate.Settle(ev, refusedAddress(refused))
		x.event.Rule, x.event.Reason, x.event.Allow = ev.Rule, ev.Reason, ""
		return denial(r, http.StatusForbidden, p.denialText(x))
	}
	status := http.StatusBadGateway
	var timeout net.Error
	bad := malformedBy(r)
	switch {
	case bad != nil:
		status, err = http.StatusBadRequest, bad
	case errors.Is(err, errBusy):
		status = http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	}
	words := enforce.RedactText(err.Error())
	ev := p.responseEvent(x, status, nil)
	ev.Error = words
	p.recordResponse(ev)
	what := x.request.Method + " " + enforce.RedactURL(x.request.URL())
	resp := denial(r, status, fmt.Sprintf("proxaudit: allowed, but failed: %s\nreason: %s\n%s",
		enforce.Printable(what), enforce.Printable(words), nextStep(err, x.request.Authority())))
	if status == http.StatusServiceUnavailable {
		resp.Header.Set("Retry-After", "1")
	}
	return resp
}

// nextStep says what to do about an error, in a line that ends with a newline, ""
// where that is not known.
func nextStep(err error, server string) string {
	step := certificateStep(err)
	if step == "" {
		step = connectionStep(err, server)
	}
	if step == "" {
		return ""
	}
	return "what to do: " + enforce.Printable(step) + "\n"
}

// certificateStep is the next step where the server's certificate is not one to
// trust. Nothing was sent to it.
func certificateStep(err error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(err, &unknown) && signedByItself(unknown.Cert):
		return "the server's certificate is signed by itself: if it is the one you expect, name its file with -upstream-ca"
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an authority that this machine does not trust: name the authority's file with -upstream-ca, or in SSL_CERT_FILE before proxaudit starts"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fmt.Sprintf("the server's certificate is valid from %s to %s: its owner must renew it, unless this machine's clock is wrong",
			invalid.Cert.NotBefore.UTC().Format(time.DateTime), invalid.Cert.NotAfter.UTC().Format(time.DateTime))
	case errors.As(err, &invalid):
		return "the server's certificate may not be used for this: its owner must replace it"
	case errors.As(err, &name):
		return "the server's certificate is another host's: use a name that it holds, or have its owner add this one"
	default:
		return ""
	}
}

func signedByItself(c *x509.Certificate) bool {
	return c != nil && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// connectionStep is the next step for what else goes wrong on the way.
func connectionStep(err error, server string) string {
	var dns *net.DNSError
	var outer *outerError
	var op *net.OpError
	timeout := net.Error(nil)
	timed := errors.As(err, &timeout) && timeout.Timeout()
	text := err.Error() // the alerts of crypto/tls have no exported type
	switch {
	case errors.As(err, &outer) && (outer.code == http.StatusProxyAuthRequired || outer.code == http.StatusUnauthorized): // tinyproxy's answer to a wrong password
		return "check the user and the password in HTTPS_PROXY or HTTP_PROXY (a character such as @ is written %40 there); Basic authentication is what is spoken"
	case errors.As(err, &outer) && outer.code != 0:
		return "the outer proxy's operator can say why; NO_PROXY names hosts that need no outer proxy"
	case errors.As(err, &outer):
		return "HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as they were when proxaudit started, say which outer proxy is used for what"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the name does not exist, as seen from this machine"
	case strings.Contains(text, "tls: certificate required"), strings.Contains(text, "tls: bad certificate"):
		return "the server asks for a client certificate: -client-cert " + server + "=CERT.pem,KEY.pem"
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "response header list larger"):
		return "-max-header raises how long a header may be"
	case errors.Is(err, errBusy):
		return "-max-requests raises how many may be under way at once"
	case timed && strings.Contains(text, "awaiting response headers"):
		return "-first-byte-timeout gives the server longer to begin its answer"
	case timed && strings.Contains(text, "TLS handshake"):
		return "-handshake-timeout gives the server longer"
	case timed && errors.As(err, &op) && op.Op == "dial":
		return "-dial-timeout gives the server longer"
	default:
		return ""
	}
}
