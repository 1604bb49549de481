package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/dialguard"
)

// forward sends an allowed request and returns the response with its body
// watched. An error becomes a response with words: a connection that is merely
// cut tells a build nothing.
func (p *Proxy) forward(r *http.Request, x *exchange) (*http.Response, error) {
	if len(r.Header["User-Agent"]) == 0 {
		r.Header["User-Agent"] = nil // the transport would add its own
	}
	var resp *http.Response
	err := p.upstream.checkLiteral(r.URL.Hostname(), x.verdict.Networks)
	if err == nil {
		resp, err = p.upstream.pool(x.verdict.Networks, r.ProtoMajor == 2).RoundTrip(r)
	}
	if p.upstream.isOutside(r.URL) {
		x.address = "" // it is the outer proxy's, and says nothing of the host
	}
	if err != nil {
		return p.failed(r, x, err), nil
	}
	switching := resp.StatusCode == http.StatusSwitchingProtocols
	if switching && !x.webSocket() {
		_ = resp.Body.Close()
		return p.failed(r, x, errors.New("the server switched protocols unasked")), nil
	}
	stripResponse(resp.Header, switching)
	for _, name := range [...]string{"Content-Type", "Date"} {
		if _, ok := resp.Header[name]; !ok {
			resp.Header[name] = nil // net/http would add its own
		}
	}
	if switching {
		return p.upgraded(resp, x), nil
	}
	body := &responseBody{ReadCloser: resp.Body, x: x}
	if p.Evidence {
		body.sum = hashes.Get().(hash.Hash)
	}
	if p.LogBody {
		body.kept = new(keptBody)
	}
	header := resp.Header
	body.end = func(b *responseBody) {
		ev := p.responseEvent(x, resp.StatusCode, header)
		ev.ResponseBytes, ev.SHA256, ev.ResponseBody = b.n, b.digest(), b.kept.event()
		if x.failed != nil {
			ev.Error = "the response broke off: " + enforce.RedactText(x.failed.Error())
		}
		p.recordResponse(ev)
	}
	resp.Body = body
	return resp, nil
}

// upgraded watches the connection of a WebSocket.
func (p *Proxy) upgraded(resp *http.Response, x *exchange) *http.Response {
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return resp
	}
	header := resp.Header
	resp.Body = &upgradedBody{ReadWriteCloser: conn, end: func(up, down int64) {
		ev := p.responseEvent(x, http.StatusSwitchingProtocols, header)
		ev.RequestBytes, ev.ResponseBytes = up, down
		p.recordResponse(ev)
	}}
	return resp
}

// responseEvent begins the event that closes an exchange.
func (p *Proxy) responseEvent(x *exchange, status int, header http.Header) *enforce.Event {
	ev := x.event
	ev.Stage, ev.Time, ev.RequestHeader = enforce.StageResponse, time.Time{}, nil
	ev.Status, ev.Address = status, x.address
	ev.DurationMS = milliseconds(time.Since(x.start))
	if x.sent != nil {
		ev.RequestBytes, ev.RequestBody = x.sent.n.Load(), x.sent.kept.event()
	}
	if p.LogHeader {
		ev.ResponseHeader = enforce.RedactHeader(header)
	}
	return &ev
}

// recordResponse records what came of a request. The decision stands already;
// the recorder keeps the failure and the run reports it.
func (p *Proxy) recordResponse(ev *enforce.Event) {
	if err := p.Gate.Record(ev); err != nil {
		p.Log.Sugar().Errorf("recording a response: %v", err)
	}
}

// failed records why an allowed request got no response and answers the client:
// 403 for an address that may not be dialled, 504 for a timeout, else 502.
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
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		status = http.StatusGatewayTimeout
	}
	words := enforce.RedactText(err.Error())
	ev := p.responseEvent(x, status, nil)
	ev.Error = words
	p.recordResponse(ev)
	what := x.request.Method + " " + enforce.RedactURL(x.request.URL())
	return denial(r, status, fmt.Sprintf("proxaudit: allowed, but failed: %s\nreason: %s\n%s",
		enforce.Printable(what), enforce.Printable(words), hint(err)))
}

// hint says what to do about an error, where that is known.
func hint(err error) string {
	var unknown x509.UnknownAuthorityError
	var dns *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an authority that this machine does not trust: name its file in SSL_CERT_FILE before proxaudit starts\n"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the name does not exist, as seen from this machine\n"
	default:
		return ""
	}
}
