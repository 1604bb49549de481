package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/dialguard"
	"github.com/juliendoutre/proxaudit/policy"
)

// tunnel records d as the decision about a connection that nobody reads and,
// where it may pass, joins client and destination until both are done. reply
// says that the client still waits for the answer to its CONNECT.
func (p *Proxy) tunnel(ctx context.Context, cc *clientConn, q *policy.Request, d policy.Decision, reply bool) {
	ev, v := p.settleTunnel(cc, q, d, enforce.StageTCP)
	if v.Blocked {
		_ = cc.Close()
		return
	}
	server, start, err := p.reach(ctx, cc, q, v.Networks)
	if err != nil {
		p.failTunnel(ev, cc, err, reply)
		return
	}
	if reply {
		_, _ = io.WriteString(cc.Conn, established) // join learns when the client is gone
	}
	p.carry(ctx, &tunnel{client: cc, server: server}, ev, start)
}

// reach dials the destination that was decided upon.
func (p *Proxy) reach(ctx context.Context, cc *clientConn, q *policy.Request, networks []netip.Prefix) (net.Conn, time.Time, error) {
	cc.slot.busy()
	start := time.Now()
	server, err := p.upstream.dialTunnel(ctx, q, networks)
	return server, start, err
}

// settleTunnel records d as the decision about bytes that nobody reads.
func (p *Proxy) settleTunnel(cc *clientConn, q *policy.Request, d policy.Decision, stage enforce.Stage) (*enforce.Event, enforce.Verdict) {
	ev := p.newEvent(stage, q, cc.shown)
	if d.Action != policy.Deny && !d.Passthrough {
		d = policy.Decision{Rule: d.Rule, Policy: d.Policy, Reason: "the host is allowed, but not what cannot be read: raw TCP takes a rule with schemes: [tcp], or in Rego \"tcp\": \"passthrough\""}
	}
	ev.Allow = p.Gate.Proposal(q, d)
	return ev, p.Gate.Settle(ev, d)
}

// carry joins the ends of t until both are done, closes them, and records the end
// of what ev began.
func (p *Proxy) carry(ctx context.Context, t *tunnel, ev *enforce.Event, start time.Time) {
	stop := context.AfterFunc(ctx, func() { _ = t.server.Close() })
	defer stop()
	end := *ev
	end.Address = t.server.RemoteAddr().String()
	unwatch := closeWhenSilent(p.Limits.TunnelTimeout, t.client, t.server)
	up, down := t.join()
	unwatch()
	end.Stage, end.RequestBytes, end.ResponseBytes = enforce.StageResponse, up, down
	end.Time, end.DurationMS = time.Time{}, milliseconds(time.Since(start))
	_ = p.Gate.Record(&end)
}

// failTunnel tells the client, and the log, that the destination was not reached.
// A client that was told that it is connected sees a reset, as it would have
// where it had dialled itself; the reason stands in the log.
func (p *Proxy) failTunnel(ev *enforce.Event, cc *clientConn, err error, reply bool) {
	end := *ev
	end.Time = time.Time{}
	var refused *dialguard.Refused
	if errors.As(err, &refused) {
		end.Stage = enforce.StageConnect
		p.Gate.Settle(&end, refusedAddress(refused))
	} else {
		end.Stage = enforce.StageResponse
		tellFailure(&end, err)
		_ = p.Gate.Record(&end)
	}
	if !reply {
		abort(cc)
		return
	}
	what := "CONNECT " + cc.target.full
	if refused != nil {
		_ = refuseByHand(cc.Conn, http.StatusForbidden, "proxaudit: denied: "+what+"\nreason: "+enforce.Printable(end.Reason)+"\n")
	} else {
		_ = refuseByHand(cc.Conn, http.StatusBadGateway, failureText(what, &end))
	}
	_ = cc.Close()
}

// closeWrite ends what is sent to c, or all of c where that alone is not possible.
func closeWrite(c io.Closer) error {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return c.Close()
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
