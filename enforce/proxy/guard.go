package proxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// guard stands between an HTTP/1 connection and net/http. What it refuses never
// reaches net/http whole; what net/http refuses by itself, before any handler
// runs, it sees in the answer. Both become events.
type guard struct {
	net.Conn
	frames  framing
	bad     atomic.Pointer[malformed]
	serving atomic.Bool // a handler runs, or its response is under way
	refused func(method, reason string)
	phrase  atomic.Pointer[string] // for the status line of the answer to come; nil: net/http's
}

// guard wraps c, which cc is at the bottom of.
func (p *Proxy) guard(c net.Conn, cc *clientConn) *guard {
	g := &guard{Conn: c, frames: framing{longest: p.Limits.MaxHeaderBytes}}
	g.refused = func(method, reason string) { p.refuseHead(cc, method, reason) }
	cc.guard = g
	return g
}

// Read gives out what may be read as HTTP.
func (g *guard) Read(b []byte) (int, error) {
	if bad := g.bad.Load(); bad != nil {
		return 0, bad
	}
	n, err := g.Conn.Read(b)
	if n == 0 {
		return n, err
	}
	pass, bad := g.frames.scan(b[:n])
	if bad == nil {
		return n, err
	}
	g.bad.Store(bad)
	if bad.inHead {
		g.refused(g.frames.method, bad.reason)
	}
	if pass == 0 {
		return 0, bad
	}
	return pass, nil
}

// Write passes responses on. Outside of a handler it is net/http that answers.
func (g *guard) Write(b []byte) (int, error) {
	if g.serving.Load() {
		return g.answer(b)
	}
	g.serving.Store(true) // one refusal, one event
	bad := g.bad.Load()
	if bad == nil || !bad.inHead {
		status, text, _ := bytes.Cut(b, []byte("\r\n\r\n"))
		if len(text) == 0 {
			text, _, _ = bytes.Cut(status, []byte("\r\n"))
		}
		g.refused(g.frames.method, "net/http: "+string(text))
		return g.Conn.Write(b)
	}
	if err := refuseByHand(g.Conn, http.StatusBadRequest, "proxaudit: refused\nreason: "+enforce.Printable(bad.Error())+"\n"); err != nil {
		return 0, err
	}
	g.linger()
	return len(b), nil
}

// linger reads on for a moment: a connection that is closed with bytes unread is
// reset, and the answer is lost with it (RFC 9112 section 9.6).
func (g *guard) linger() {
	_ = g.CloseWrite()
	_ = g.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, g.Conn, 256<<10)
}

// lingerTime is how long net/http waits in the same place.
const lingerTime = 500 * time.Millisecond

// CloseWrite half-closes the connection where that is possible.
func (g *guard) CloseWrite() error {
	if h, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

// refuseHead records a request that never came to be.
func (p *Proxy) refuseHead(cc *clientConn, method, reason string) {
	p.who(cc)
	q := &policy.Request{Method: method, Scheme: cc.scheme, Host: cc.target.host, Port: cc.target.port}
	p.Gate.Settle(p.newEvent(enforce.StageRequest, q, cc.shown), policy.Decision{Rule: ruleMessage, Reason: strings.TrimSpace(reason)})
}

// guarded marks the connections of requests that reach h.
func guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cc := connOf(r.Context()); cc.guard != nil {
			cc.guard.serving.Store(true)
		}
		h.ServeHTTP(w, r)
	})
}

// malformedBy returns what was wrong with the content of r, which is why the
// transport, or the client, saw it end early.
func malformedBy(r *http.Request) error {
	if cc := connOf(r.Context()); cc != nil && cc.guard != nil {
		if bad := cc.guard.bad.Load(); bad != nil && !bad.inHead {
			return bad
		}
	}
	return nil
}

// unguarded is the connection beneath, for what is HTTP no longer.
func unguarded(c net.Conn) net.Conn {
	if g, ok := c.(*guard); ok {
		return g.Conn
	}
	return c
}
