package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Limits bound what a peer may cost: one that is slow, silent or many. In each
// field zero, or less, means the default; there is no word for "unlimited".
type Limits struct {
	// MaxHeaderBytes bounds the header of a request, which is answered with 431
	// beyond it (RFC 6585 section 5), and of a response, which becomes a 502.
	MaxHeaderBytes int
	// MaxConnections bounds the clients' connections. One more takes the place of
	// the one that has longest had no request under way; where there is none
	// such it waits, and so do those behind it in the listener's queue.
	MaxConnections int
	// MaxRequests bounds the requests that are forwarded at the same time. One
	// more waits for its turn, and gets a 503 after FirstByteTimeout.
	MaxRequests int
	// HeaderTimeout is how long a client may take to send a request's header.
	HeaderTimeout time.Duration
	// HandshakeTimeout is how long a TLS handshake may take on either side.
	HandshakeTimeout time.Duration
	// DialTimeout is how long it may take to resolve a name and connect; an outer
	// proxy has as long again to do so in its turn.
	DialTimeout time.Duration
	// FirstByteTimeout is how long a server may take, once it has the request, to
	// send the whole header of its response.
	FirstByteTimeout time.Duration
	// IdleTimeout is how long a client's connection may stay without a request.
	// An unused connection to a server is kept no longer either.
	IdleTimeout time.Duration
	// TunnelTimeout is how long a tunnel that is not decrypted may stay without a
	// byte in either direction. It is kept on Linux only.
	TunnelTimeout time.Duration
}

// DefaultLimits are generous to real builds: package managers hold dozens of
// connections open, and a server that builds what is asked for takes minutes to
// begin its answer.
func DefaultLimits() Limits {
	return Limits{
		MaxHeaderBytes:   256 << 10,
		MaxConnections:   16384,
		MaxRequests:      1024,
		HeaderTimeout:    30 * time.Second,
		HandshakeTimeout: 30 * time.Second,
		DialTimeout:      30 * time.Second,
		FirstByteTimeout: 10 * time.Minute,
		IdleTimeout:      5 * time.Minute,
		TunnelTimeout:    time.Hour,
	}
}

// withDefaults returns l with the default where it says nothing.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, n := range []struct{ given, fallback *int }{
		{&l.MaxHeaderBytes, &d.MaxHeaderBytes}, {&l.MaxConnections, &d.MaxConnections}, {&l.MaxRequests, &d.MaxRequests},
	} {
		if *n.given <= 0 {
			*n.given = *n.fallback
		}
	}
	for _, t := range []struct{ given, fallback *time.Duration }{
		{&l.HeaderTimeout, &d.HeaderTimeout}, {&l.HandshakeTimeout, &d.HandshakeTimeout}, {&l.DialTimeout, &d.DialTimeout},
		{&l.FirstByteTimeout, &d.FirstByteTimeout}, {&l.IdleTimeout, &d.IdleTimeout}, {&l.TunnelTimeout, &d.TunnelTimeout},
	} {
		if *t.given <= 0 {
			*t.given = *t.fallback
		}
	}
	return l
}

// errBusy is why a request was not forwarded though it was allowed.
var errBusy = errors.New("too many requests are under way, and none ended in time")

// turns are the requests that may be forwarded at the same time.
type turns chan struct{}

// take waits for a turn: until ctx ends, and no longer than patience. Package
// managers open hundreds of requests at once and retry few of them, so that
// waiting breaks no build where refusing would.
func (t turns) take(ctx context.Context, patience time.Duration) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errBusy
	}
}

func (t turns) giveBack() { <-t }

// connState tells the admission, and the guard, which connections have a request
// under way, and notes those that end without one.
func (p *Proxy) connState(c net.Conn, state http.ConnState) {
	cc := clientConnOf(c)
	if cc == nil {
		return
	}
	switch state {
	case http.StateActive:
		cc.slot.busy()
		cc.asked = true
	case http.StateClosed:
		p.askedNothing(cc)
	case http.StateIdle:
		cc.slot.quiet()
		if cc.guard != nil {
			cc.guard.serving.Store(false) // its response is out
		}
	}
}
