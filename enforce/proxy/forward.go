package proxy

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
)

// forward sends an allowed request and returns the response with its body
// watched. An error becomes a response with words: a connection that is merely
// cut tells a build nothing.
func (p *Proxy) forward(r *http.Request, x *exchange) (*http.Response, error) {
	if len(r.Header["User-Agent"]) == 0 {
		r.Header["User-Agent"] = nil // the transport would add its own
	}
	if err := p.turns.take(r.Context(), p.Limits.FirstByteTimeout); err != nil {
		return p.failed(r, x, err), nil
	}
	x.turn = true
	resp, err := p.send(r, x)
	if err == nil && x.sent != nil && x.sent.broken.Load() {
		if err = malformedBy(r); err != nil {
			_ = resp.Body.Close() // the server answered what broke off before the transport gave up
		}
	}
	if err != nil {
		return p.failed(r, x, err), nil
	}
	switching := resp.StatusCode == http.StatusSwitchingProtocols
	if switching && !(x.webSocket() && tokenIn(resp.Header["Upgrade"], "websocket")) {
		_ = resp.Body.Close()
		return p.failed(r, x, errors.New("the server switched to a protocol that nobody asked for")), nil
	}
	stripResponse(resp.Header, switching)
	p.leads(x, resp) // of the header as the client will have it
	for _, name := range [...]string{"Content-Type", "Date"} {
		if _, ok := resp.Header[name]; !ok {
			resp.Header[name] = nil // net/http would add its own
		}
	}
	if switching {
		return p.upgraded(r, resp, x), nil
	}
	body := &responseBody{ReadCloser: resp.Body, x: x, trailer: resp, empty: resp.ContentLength == 0}
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
			tellFailure(ev, fmt.Errorf("the response broke off: %w", x.failed))
			if !errors.Is(x.failed, context.Canceled) {
				ev.Failure = "the response broke off"
			}
		}
		p.recordResponse(ev)
	}
	resp.Body = body
	return resp, nil
}

// send sends r, and once more where the server says that nothing came of it.
func (p *Proxy) send(r *http.Request, x *exchange) (*http.Response, error) {
	resp, outside, err := p.upstream.roundTrip(r, x.verdict.Networks, x)
	if again := x.sent.resend(r, err); again != nil {
		resp, outside, err = p.upstream.roundTrip(again, x.verdict.Networks, x)
	}
	x.informer.end()
	if outside {
		x.address = "" // it is the outer proxy's, and says nothing of the host
	}
	return resp, err
}

// upgraded takes the connection of a WebSocket out of resp, and what says so:
// goproxy would end it with whichever direction ends first, and drop what the other
// one carries. See Proxy.webSocket.
func (p *Proxy) upgraded(r *http.Request, resp *http.Response, x *exchange) *http.Response {
	server, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		_ = resp.Body.Close()
		return p.failed(r, x, errors.New("the connection cannot be taken over"))
	}
	x.upgrade = &upgrade{server: server, header: resp.Header.Clone()}
	delete(resp.Header, "Connection")
	delete(resp.Header, "Upgrade")
	resp.Body = http.NoBody
	return resp
}

// responseEvent begins the event that closes an exchange.
func (p *Proxy) responseEvent(x *exchange, status int, header http.Header) *enforce.Event {
	ev := x.event
	ev.Stage, ev.Time, ev.RequestHeader = enforce.StageResponse, time.Time{}, nil
	ev.Status, ev.Address, ev.Location = status, x.address, x.location
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
