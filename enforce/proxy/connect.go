package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// onConnect takes every CONNECT out of goproxy's hands. The client is answered
// and its bytes are read before anything is decided, but nothing is dialled.
func (p *Proxy) onConnect(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: p.hijack}, host
}

// hijack runs on the goroutine of the request, which ends when the tunnel has
// been handed to the inner server or, for raw bytes, when the tunnel ends.
func (p *Proxy) hijack(r *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
	host, port, err := hostname.ParseAuthority(r.RequestURI)
	if err == nil && port == 0 {
		err = errors.New("no port")
	}
	if err != nil {
		p.refuseConnect(client, r, fmt.Errorf("CONNECT %q: %w", r.RequestURI, err))
		return
	}
	cc := &clientConn{Conn: client, target: newTarget(host, port)}
	outer := connOf(r.Context())
	p.who(outer)
	cc.once.Do(func() { cc.process, cc.shown = outer.process, outer.shown })
	cc.slot = outer.slot
	if p.passRaw(r.Context(), cc, true) {
		return
	}
	if _, err := io.WriteString(client, established); err != nil {
		_ = client.Close()
		return
	}
	p.look(r.Context(), cc)
}

const established = "HTTP/1.1 200 Connection Established\r\n\r\n"

// refuseConnect answers a CONNECT that names no destination.
func (p *Proxy) refuseConnect(client net.Conn, r *http.Request, err error) {
	defer func() { _ = client.Close() }()
	ev := p.newEvent(enforce.StageConnect, &policy.Request{Method: http.MethodConnect}, nil)
	ev.Host = r.RequestURI
	p.Gate.Settle(ev, policy.Decision{Rule: ruleIdentity, Reason: err.Error()})
	_ = refuseByHand(client, http.StatusBadRequest, "proxaudit: refused\nreason: "+enforce.Printable(err.Error())+"\n")
}

// passRaw asks whether a rule lets whatever is sent on this connection pass
// (`schemes: [tcp]`): then nothing waits for the client. A default never decides
// about bytes that have not been looked at.
func (p *Proxy) passRaw(ctx context.Context, cc *clientConn, reply bool) bool {
	q := cc.rawRequest()
	d := p.Gate.Ask(ctx, q)
	if d.Action == policy.Deny || !d.Passthrough || d.Default {
		return false
	}
	p.tunnel(ctx, cc, q, d, reply)
	return true
}

// look reads the first bytes of a tunnel and serves what they are.
func (p *Proxy) look(ctx context.Context, cc *clientConn) {
	cc.slot.quiet() // nothing is asked yet
	cc.buffered = bufio.NewReaderSize(cc.Conn, 4<<10)
	held, err := cc.wait(p.patience(cc.target.port))
	switch {
	case held != holdsNothing:
		p.handOn(ctx, cc, held)
	case !errors.Is(err, os.ErrDeadlineExceeded) || clientSpeaksFirst(cc.target.port):
		p.unused(cc)
	default:
		p.silent(ctx, cc)
	}
}

// wait sniffs what the client sends within a time.
func (c *clientConn) wait(longest time.Duration) (content, error) {
	_ = c.SetReadDeadline(time.Now().Add(longest))
	held, err := sniff(c.buffered)
	_ = c.SetReadDeadline(time.Time{})
	return held, err
}

// handOn serves a tunnel whose client has spoken.
func (p *Proxy) handOn(ctx context.Context, cc *clientConn, held content) {
	switch held {
	case holdsTLS:
		p.spoke.add(cc.target)
		cc.scheme = "https"
		if !p.passTLS(ctx, cc) {
			p.decrypt(ctx, cc)
		}
	case holdsHTTP:
		p.spoke.add(cc.target)
		cc.scheme = "http"
		p.tunnels.push(p.guard(cc, cc))
	default:
		p.raw(ctx, cc)
	}
}

// raw serves what is neither TLS nor HTTP.
func (p *Proxy) raw(ctx context.Context, cc *clientConn) {
	q := cc.rawRequest()
	p.tunnel(ctx, cc, q, p.Gate.Ask(ctx, q), false)
}

// decrypt shakes hands with the client and hands the connection on. A client
// that refuses our certificate is worth an event: its build is about to break.
func (p *Proxy) decrypt(ctx context.Context, cc *clientConn) {
	cc.tail = new(tail)
	conn := tls.Server(cc, p.tls)
	hctx, cancel := context.WithTimeout(ctx, p.Limits.HandshakeTimeout)
	err := conn.HandshakeContext(hctx)
	cancel()
	last := cc.tail
	cc.tail = nil
	if err == nil {
		state := conn.ConnectionState()
		cc.serverName = state.ServerName
		if state.NegotiatedProtocol == "h2" {
			p.tunnels.push(conn)
		} else {
			p.tunnels.push(p.guard(&joinedConn{conn, cc}, cc))
		}
		return
	}
	_ = cc.Close()
	if errors.Is(err, io.EOF) || p.life.Err() != nil {
		p.askedNothing(cc)
		return // a port probe, or the end of the run: nothing was asked
	}
	p.undecrypted(cc, err, last)
}

// errServerName is why a handshake fails that names no host.
var errServerName = errors.New("TLS server name")

// certificate picks what to show: the name the client asked for, else the name
// the tunnel leads to. That the two agree is checked per request, where the
// client can still be told.
func (p *Proxy) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cc, _ := hello.Conn.(*clientConn)
	name := hello.ServerName
	if name == "" && cc != nil {
		name = cc.target.host
	}
	host, err := hostname.Canonical(name)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", errServerName, name, err)
	}
	if cc != nil {
		cc.certified = time.Now()
	}
	return p.Leaf(host)
}
