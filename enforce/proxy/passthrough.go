package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// opaqueRequest is the question whether TLS may pass undecrypted.
func (c *clientConn) opaqueRequest() *policy.Request {
	return &policy.Request{Method: http.MethodConnect, Scheme: "https", Host: c.target.host, Port: c.target.port, Process: c.process}
}

// passTLS lets TLS pass undecrypted where a rule with `tls: passthrough` says so,
// and reports whether one did. The rule is about a host, and an address is not
// one: a server of many names goes by the one in the ClientHello. Nothing is
// dialled before that was compared.
func (p *Proxy) passTLS(ctx context.Context, cc *clientConn) bool {
	q := cc.opaqueRequest()
	d := p.Gate.Ask(ctx, q)
	if d.Action == policy.Deny || !d.Passthrough || d.Default {
		return false
	}
	_ = cc.SetReadDeadline(time.Now().Add(p.Limits.HandshakeTimeout))
	h, err := readHello(cc)
	_ = cc.SetReadDeadline(time.Time{})
	if errors.Is(err, errClientGone) || p.life.Err() != nil {
		_ = cc.Close()
		return true // a port probe, or the end of the run: nothing was asked
	}
	bad := objectTo(h, err, cc.target)
	if bad != nil {
		d = bad.decision(d)
	}
	ev, v := p.settleTunnel(cc, q, d, enforce.StageConnect)
	if v.Blocked {
		alert := byte(alertAccessDenied)
		if bad != nil {
			alert = bad.alert
		}
		refuseTLS(cc, alert)
		return true
	}
	server, start, err := p.reach(ctx, cc, q, v.Networks)
	if err != nil {
		p.failTunnel(ev, cc, err, false)
		return true
	}
	greets := &greeting{client: cc, pending: h.bytes, answered: make(chan struct{}), object: func(h helloMessage, err error) bool {
		bad := objectTo(h, err, cc.target)
		return bad != nil && p.settleAgain(ev, bad.decision(d)).Blocked
	}}
	p.carry(ctx, &tunnel{client: cc, server: server, greets: greets}, ev, start)
	return true
}

// decision is d, which would have let the connection pass, with the objection.
func (o *objection) decision(d policy.Decision) policy.Decision {
	return policy.Decision{Rule: ruleIdentity, Reason: o.reason, Policy: d.Policy, Final: true}
}

// settleAgain records a decision about what ev let pass.
func (p *Proxy) settleAgain(ev *enforce.Event, d policy.Decision) enforce.Verdict {
	again := *ev
	again.Time, again.Allow = time.Time{}, ""
	return p.Gate.Settle(&again, d)
}

// greeting watches the beginning of TLS that passes undecrypted. A server may ask
// for a second ClientHello (HelloRetryRequest, RFC 8446 section 4.1.4), in the
// clear like the first, and OpenSSL goes by the name in that one.
type greeting struct {
	client *clientConn
	object func(helloMessage, error) bool // whether a second ClientHello must not pass
	// answered is closed once it is known whether the server asks for another one.
	answered chan struct{}
	again    bool
	begun    bool   // Read has seen answered
	pending  []byte // was read and judged, and goes first
}

// hear returns the first bytes of the server, enough to tell what they ask for.
func (g *greeting) hear(server io.Reader) []byte {
	defer close(g.answered)
	said := make([]byte, 0, 4<<10)
	for len(said) < helloRetryLength && cap(said) > len(said) {
		n, err := server.Read(said[len(said):cap(said)])
		said = said[:len(said)+n]
		if err != nil || !mayBeRetry(said) {
			return said // an error comes again
		}
	}
	g.again = true
	return said
}

// Read gives out what the client sends, a second ClientHello only once judged.
func (g *greeting) Read(b []byte) (int, error) {
	if len(g.pending) == 0 && !g.begun {
		<-g.answered
		g.begun = true
	}
	if len(g.pending) == 0 && g.again {
		if err := g.record(); err != nil {
			return 0, err
		}
	}
	if len(g.pending) > 0 {
		n := copy(b, g.pending)
		g.pending = g.pending[n:]
		return n, nil
	}
	return g.client.Read(b)
}

// errSecondHello is why a tunnel ends that had begun.
var errSecondHello = errors.New("the second ClientHello was refused")

// record reads the client's next record: what it had sent before it knew, or the
// second ClientHello.
func (g *greeting) record() error {
	head := make([]byte, 5)
	if n, err := io.ReadFull(g.client, head); err != nil {
		g.pending, g.again = head[:n], false
		if n > 0 {
			return nil // and the error comes again
		}
		return err
	}
	if head[0] != recordTypeHandshake {
		size := int(head[3])<<8 | int(head[4])
		g.pending = append(head, make([]byte, size)...)
		n, _ := io.ReadFull(g.client, g.pending[5:])
		g.pending = g.pending[:5+n]
		return nil
	}
	h, err := readHello(io.MultiReader(bytes.NewReader(head), g.client))
	if !errors.Is(err, errClientGone) && g.object(h, err) {
		return errSecondHello
	}
	g.pending, g.again = h.bytes, false
	return nil
}

// The beginning of a HelloRetryRequest: a record with a ServerHello whose random
// is the SHA-256 of its name (RFC 8446 section 4.1.3).
const helloRetryLength = 5 + 4 + 2 + 32

var helloRetryRandom = [32]byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

// mayBeRetry reports whether a server that begins like this may want another
// ClientHello.
func mayBeRetry(said []byte) bool {
	const before = helloRetryLength - len(helloRetryRandom)
	switch {
	case len(said) > 0 && said[0] != recordTypeHandshake, len(said) > 5 && said[5] != 2:
		return false
	case len(said) <= before:
		return true
	}
	random := said[before:min(len(said), helloRetryLength)]
	return bytes.HasPrefix(helloRetryRandom[:], random)
}
