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
	if p.passUndecrypted(r.Context(), cc, true) {
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
	body := "proxaudit: " + enforce.Printable(err.Error()) + "\n"
	_, _ = fmt.Fprintf(client, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
}

// passUndecrypted asks whether a rule lets this connection pass as it is: TLS
// by `tls: passthrough`, anything by `schemes: [tcp]`. A default never decides
// about bytes that have not been looked at.
func (p *Proxy) passUndecrypted(ctx context.Context, cc *clientConn, reply bool) bool {
	q := &policy.Request{Method: http.MethodConnect, Scheme: "https", Host: cc.target.host, Port: cc.target.port, Process: cc.process}
	if d := p.Gate.Ask(ctx, q); d.Action != policy.Deny && d.Passthrough && !d.Default {
		p.tunnel(ctx, cc, q, d, enforce.StageConnect, reply)
		return true
	}
	q = cc.rawRequest()
	if d := p.Gate.Ask(ctx, q); d.Action != policy.Deny && d.Passthrough && !d.Default {
		p.tunnel(ctx, cc, q, d, enforce.StageTCP, reply)
		return true
	}
	return false
}

// look reads the first bytes of a tunnel and serves what they are.
func (p *Proxy) look(ctx context.Context, cc *clientConn) {
	cc.slot.quiet() // nothing is asked yet
	br := bufio.NewReaderSize(cc.Conn, 4<<10)
	_ = cc.SetReadDeadline(time.Now().Add(p.patience(cc.target.port)))
	held, err := sniff(br)
	_ = cc.SetReadDeadline(time.Time{})
	cc.buffered = br
	switch {
	case held != holdsNothing:
		p.handOn(ctx, cc, held)
	case !errors.Is(err, os.ErrDeadlineExceeded) || clientSpeaksFirst(cc.target.port):
		p.unused(cc)
	case p.Gate.Mode == enforce.Enforce:
		p.raw(ctx, cc) // no rule lets it pass; see passUndecrypted
	default:
		p.askServer(ctx, cc, br)
	}
}

// handOn serves a tunnel whose client has spoken.
func (p *Proxy) handOn(ctx context.Context, cc *clientConn, held content) {
	switch held {
	case holdsTLS:
		cc.scheme = "https"
		p.decrypt(ctx, cc)
	case holdsHTTP:
		cc.scheme = "http"
		p.tunnels.push(p.guard(cc, cc))
	default:
		p.raw(ctx, cc)
	}
}

// raw serves what is neither TLS nor HTTP.
func (p *Proxy) raw(ctx context.Context, cc *clientConn) {
	q := cc.rawRequest()
	p.tunnel(ctx, cc, q, p.Gate.Ask(ctx, q), enforce.StageTCP, false)
}

// unused closes a connection on which nothing was sent. Nothing was dialled, so
// nothing is denied; but that the command knocked at a port is worth an event.
// At the ports of HTTP it is no news: clients race addresses against each other.
func (p *Proxy) unused(cc *clientConn) {
	_ = cc.Close()
	if !cc.captured || clientSpeaksFirst(cc.target.port) {
		return
	}
	p.Gate.Settle(p.newEvent(enforce.StageTCP, cc.rawRequest(), cc.shown), policy.Decision{
		Action: policy.Log, Default: true, Rule: enforce.RuleSilence, Reason: "closed before anything was sent; nothing was dialled",
	})
}

// clientSpeaksFirst holds for the ports whose protocols begin with the client:
// a silent connection there is one opened in advance, not one that waits.
func clientSpeaksFirst(port uint16) bool { return port == 80 || port == 443 }

// serverSpeaksAfter is how long a client that sends nothing is taken for one that
// may still speak first.
const serverSpeaksAfter = 10 * time.Second

// patience is how long a client may take to send its first bytes. Where nothing
// is blocked, a protocol in which the server speaks first must not wait long: the
// server is asked then, and the client may still speak first.
func (p *Proxy) patience(port uint16) time.Duration {
	switch {
	case clientSpeaksFirst(port):
		return p.Limits.IdleTimeout
	case p.Gate.Mode == enforce.Enforce:
		return min(serverSpeaksAfter, p.Limits.IdleTimeout)
	default:
		return time.Second
	}
}

// decrypt shakes hands with the client and hands the connection on. A client
// that refuses our certificate is worth an event: its build is about to break.
func (p *Proxy) decrypt(ctx context.Context, cc *clientConn) {
	conn := tls.Server(cc, p.tls)
	hctx, cancel := context.WithTimeout(ctx, p.Limits.HandshakeTimeout)
	err := conn.HandshakeContext(hctx)
	cancel()
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
		return // a port probe, or the end of the run: nothing was asked
	}
	q := &policy.Request{Method: http.MethodConnect, Scheme: "https", Host: cc.target.host, Port: cc.target.port, Process: cc.process}
	ev := p.newEvent(enforce.StageConnect, q, nil)
	ev.Error = "TLS handshake with the client: " + err.Error()
	if errors.Is(err, errServerName) {
		p.Gate.Settle(ev, policy.Decision{Rule: ruleIdentity, Reason: err.Error()})
		return
	}
	p.Gate.Settle(ev, policy.Decision{Rule: ruleTLS, Reason: "the client did not accept the run's certificate; if it pins one, a rule with `tls: passthrough` lets it pass undecrypted"})
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
	return p.Leaf(host)
}
