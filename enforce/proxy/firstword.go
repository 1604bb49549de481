package proxy

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// rawRequest is the question whether bytes that nobody reads may pass.
func (c *clientConn) rawRequest() *policy.Request {
	return &policy.Request{Scheme: "tcp", Host: c.target.host, Port: c.target.port, Process: c.process}
}

// askServer dials the server of a client that has said nothing for as long as a
// client takes that speaks first, where raw may let it pass: who speaks first, of the
// two, tells what it is. Nothing is forwarded before, so that a client that was
// only slow is still read and judged like any other.
func (p *Proxy) askServer(ctx context.Context, cc *clientConn, raw policy.Decision) {
	q := cc.rawRequest()
	ev := p.newEvent(enforce.StageConnect, q, cc.shown)
	v := p.Gate.Settle(ev, policy.Decision{
		Action: policy.Log, Default: true, Rule: enforce.RuleSilence, Networks: raw.Networks,
		Reason: fmt.Sprintf("the client said nothing for %v: the server was asked whether it speaks first", p.patience(cc.target.port)),
	})
	if v.Blocked {
		_ = cc.Close()
		return
	}
	start := time.Now()
	w := p.firstWord(ctx, cc, q, v.Networks)
	switch {
	case w.client == holdsTLS, w.client == holdsHTTP, w.client == holdsOther && w.server == nil:
		w.close()
		p.handOn(ctx, cc, w.client)
	case w.err != nil && w.client == holdsNothing:
		p.failTunnel(ev, cc, w.err, false)
	case w.client == holdsNothing && !speaksFirst(w.said):
		w.close()
		_ = cc.Close()
	default:
		p.carryRaw(ctx, cc, w, start)
	}
}

// carryRaw goes on with a connection that turned out to be raw TCP, if it may
// pass. The one to the server is there already.
func (p *Proxy) carryRaw(ctx context.Context, cc *clientConn, w word, start time.Time) {
	defer func() { _ = cc.Close() }()
	defer w.close()
	q := cc.rawRequest()
	ev, v := p.settleTunnel(cc, q, p.Gate.Ask(ctx, q), enforce.StageTCP)
	if v.Blocked {
		return
	}
	cc.slot.busy()
	p.carry(ctx, &tunnel{client: cc, server: w.server, said: w.said}, ev, start)
}

// word is who said something first on a connection: nobody, when one of the two
// left or could not be reached.
type word struct {
	client content
	said   []byte   // by the server
	server net.Conn // nil where it was not reached
	err    error    // why it was not; nil when the client was first
}

func (w word) close() {
	if w.server != nil {
		_ = w.server.Close()
	}
}

// firstWord waits for the first bytes of the client, which its buffer keeps, or of
// the server that q names. When both speak, both are told.
func (p *Proxy) firstWord(ctx context.Context, cc *clientConn, q *policy.Request, networks []netip.Prefix) word {
	br := cc.buffered
	spoke, cancel := context.WithCancel(ctx)
	defer cancel()
	dialling, giveUp := context.WithCancel(ctx)
	defer giveUp()
	spoken := make(chan content, 1)
	go func() {
		held, _ := sniff(br)
		spoken <- held
		cancel()
		if held != holdsOther { // what is forwarded as it is needs its server
			giveUp()
		}
	}()
	var w word
	w.server, w.err = p.upstream.dialTunnel(dialling, q, networks)
	if w.err == nil {
		stop := closeWhenSilent(p.Limits.TunnelTimeout, cc, w.server)
		w.said = hear(spoke, w.server)
		stop()
	}
	if spoke.Err() != nil {
		w.err = nil
	}
	_ = cc.SetReadDeadline(time.Unix(1, 0))
	w.client = <-spoken
	_ = cc.SetReadDeadline(time.Time{})
	return w
}

// hear returns the first bytes that c says before ctx ends, none when it says
// none. After it, c has no deadline.
func hear(ctx context.Context, c net.Conn) []byte {
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.SetReadDeadline(time.Unix(1, 0))
		close(cut)
	})
	said := make([]byte, 4<<10)
	n, _ := c.Read(said)
	if !stop() {
		<-cut
	}
	_ = c.SetReadDeadline(time.Time{})
	return said[:n]
}

// speaksFirst reports whether a server that said this to a silent client is one
// whose protocol it begins. One of HTTP or TLS gives a late client up like that:
// with 408 (RFC 9110 section 15.5.9), or an alert (RFC 8446 section 5.1).
func speaksFirst(said []byte) bool {
	return len(said) > 0 && !bytes.HasPrefix(said, []byte("HTTP/")) && !bytes.HasPrefix(said, []byte{recordTypeAlert, 3})
}
