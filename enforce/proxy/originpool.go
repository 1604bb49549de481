package proxy

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// originPool sends requests without a body over HTTP/1.1 connections that it
// keeps, by server. What it does not take is for http.Transport.
type originPool struct {
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	tls    *tls.Config // nil: http
	limits Limits

	mu    sync.Mutex
	idle  map[string][]*originConn // the one used last is last
	count int                      // of idle ones
	sweep *time.Timer              // nil: nothing is idle
}

// takes reports whether r is one for an originPool: a read, which may be sent
// again when an idle connection turns out to be closed (RFC 9110 section 9.2.2),
// and which needs nothing of a connection but an exchange.
func (p *originPool) takes(r *http.Request) bool {
	return canPeek && r.ProtoMajor == 1 && (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		(r.Body == nil || r.Body == http.NoBody) && len(r.Trailer) == 0 &&
		len(r.Header["Upgrade"]) == 0 && len(r.Header["Expect"]) == 0 && len(r.Header["Te"]) == 0
}

// roundTrip sends r and returns the response to it.
func (p *originPool) roundTrip(r *http.Request, w originWatcher) (*http.Response, error) {
	ctx := r.Context()
	server := net.JoinHostPort(r.URL.Hostname(), portOf(r.URL))
	for {
		c := p.get(server)
		if c == nil {
			var err error
			if c, err = p.connect(ctx, server, r.URL.Hostname()); err != nil {
				return nil, err
			}
		}
		w.connected(c.address)
		stop := context.AfterFunc(ctx, func() { _ = c.wire.Close() })
		resp, err := c.exchange(r, w, p.limits.FirstByteTimeout, p.limits.MaxHeaderBytes)
		if err == nil {
			p.hand(resp, r, c, stop, server)
			return resp, nil
		}
		_ = c.Close()
		if !stop() {
			return nil, context.Cause(ctx)
		}
		if !errors.Is(err, errStale) {
			return nil, err
		}
	}
}

// hand gives resp a body that gives the connection back.
func (p *originPool) hand(resp *http.Response, r *http.Request, c *originConn, stop func() bool, server string) {
	body := &originBody{ReadCloser: resp.Body, ctx: r.Context(), conn: c, known: resp.ContentLength > 0, stop: stop}
	if !resp.Close && !r.Close && resp.StatusCode >= 200 {
		body.keep = func(c *originConn) { p.put(server, c) }
	}
	if resp.Body == http.NoBody && resp.StatusCode >= 200 {
		body.finish(true)
		return
	}
	resp.Body = body
}

// connect dials a server and shakes hands.
func (p *originPool) connect(ctx context.Context, server, host string) (*originConn, error) {
	raw, err := p.dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	c := &originConn{Conn: raw, wire: &originWire{Conn: raw}, address: raw.RemoteAddr().String()}
	c.Conn, c.wire.records.plain = c.wire, p.tls == nil
	if p.tls != nil {
		config := p.tls.Clone()
		config.ServerName, config.NextProtos = host, []string{"http/1.1"}
		conn := tls.Client(c.wire, config)
		if err := shakeHands(ctx, conn, p.limits.HandshakeTimeout); err != nil {
			_ = raw.Close()
			return nil, err
		}
		c.Conn = conn
	}
	c.br, c.bw = bufio.NewReader(c), bufio.NewWriter(c.Conn)
	return c, nil
}

// errHandshakeTimeout is a net.Error that is a timeout.
var errHandshakeTimeout = fmt.Errorf("TLS handshake: %w", context.DeadlineExceeded)

func shakeHands(ctx context.Context, conn *tls.Conn, patience time.Duration) error {
	hctx, cancel := context.WithTimeoutCause(ctx, patience, errHandshakeTimeout)
	defer cancel()
	err := conn.HandshakeContext(hctx)
	if err != nil && hctx.Err() != nil {
		return cmp.Or(context.Cause(hctx), err)
	}
	return err
}

// get returns an idle connection that is still good, nil when there is none.
func (p *originPool) get(server string) *originConn {
	for {
		p.mu.Lock()
		conns := p.idle[server]
		if len(conns) == 0 {
			p.mu.Unlock()
			return nil
		}
		c := conns[len(conns)-1]
		conns[len(conns)-1] = nil
		p.idle[server] = conns[:len(conns)-1]
		p.count--
		p.mu.Unlock()
		// What came while nothing was asked is the end of the connection, or an
		// answer to nobody, such as a 408, which must not become one to somebody.
		if quiet(c.wire.Conn) {
			c.used = true
			return c
		}
		_ = c.Close()
	}
}

// put keeps c for the next request.
func (p *originPool) put(server string, c *originConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count >= maxIdle || len(p.idle[server]) >= maxIdlePerHost {
		_ = c.Close()
		return
	}
	if p.idle == nil {
		p.idle = map[string][]*originConn{}
	}
	c.idleSince = time.Now()
	p.idle[server] = append(p.idle[server], c)
	p.count++
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.longestIdle(), p.expire)
	}
}

func (p *originPool) longestIdle() time.Duration { return min(longestIdle, p.limits.IdleTimeout) }

// expire closes what has been idle for too long and looks again when the next one
// may be.
func (p *originPool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(time.Now().Add(-p.longestIdle()))
	if p.sweep = nil; p.count > 0 {
		p.sweep = time.AfterFunc(p.longestIdle()/4, p.expire)
	}
}

// drop closes what has been idle since then or longer. The caller holds the lock.
func (p *originPool) drop(then time.Time) {
	for server, conns := range p.idle {
		var young int
		for young < len(conns) && !conns[young].idleSince.After(then) {
			_ = conns[young].Close()
			young++
		}
		p.count -= young
		if young == len(conns) {
			delete(p.idle, server)
		} else {
			p.idle[server] = append([]*originConn(nil), conns[young:]...)
		}
	}
}

// closeIdle ends every idle connection.
func (p *originPool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sweep != nil {
		p.sweep.Stop()
		p.sweep = nil
	}
	p.drop(time.Now())
}
