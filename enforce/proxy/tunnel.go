package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/dialguard"
	"github.com/juliendoutre/proxaudit/policy"
)

// tunnel records d as the decision about a connection that is not decrypted
// and, where it may pass, joins client and destination until both are done.
// reply says that the client still waits for the answer to its CONNECT.
func (p *Proxy) tunnel(ctx context.Context, cc *clientConn, q *policy.Request, d policy.Decision, stage enforce.Stage, reply bool) {
	defer func() { _ = cc.Close() }()
	ev, v := p.settleTunnel(cc, q, d, stage)
	if v.Blocked {
		return
	}
	cc.slot.busy()
	start := time.Now()
	server, err := p.upstream.dialTunnel(ctx, q, v.Networks)
	if err != nil {
		p.failTunnel(ev, cc, err, reply)
		return
	}
	defer func() { _ = server.Close() }()
	if reply {
		if _, err := io.WriteString(cc.Conn, established); err != nil {
			return
		}
	}
	p.carry(ctx, cc, server, nil, ev, start)
}

// settleTunnel records d as the decision about bytes that nobody reads.
func (p *Proxy) settleTunnel(cc *clientConn, q *policy.Request, d policy.Decision, stage enforce.Stage) (*enforce.Event, enforce.Verdict) {
	ev := p.newEvent(stage, q, cc.shown)
	if d.Action != policy.Deny && !d.Passthrough {
		d = policy.Decision{Rule: d.Rule, Policy: d.Policy, Reason: "the host is allowed, but not what cannot be read: raw TCP takes a rule with schemes: [tcp]"}
	}
	ev.Allow = p.Gate.Proposal(q, d)
	return ev, p.Gate.Settle(ev, d)
}

// carry joins client and server, which has said some bytes already, until both
// are done, and records the end of what ev began.
func (p *Proxy) carry(ctx context.Context, cc *clientConn, server net.Conn, said []byte, ev *enforce.Event, start time.Time) {
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	defer closeWhenSilent(p.Limits.TunnelTimeout, cc, server)()
	up, down := join(cc, server, said)
	end := *ev
	end.Stage, end.RequestBytes, end.ResponseBytes = enforce.StageResponse, up, down
	end.Address = server.RemoteAddr().String()
	end.Time, end.DurationMS = time.Time{}, milliseconds(time.Since(start))
	_ = p.Gate.Record(&end)
}

// failTunnel tells the client, where it can still hear, and the log.
func (p *Proxy) failTunnel(ev *enforce.Event, cc *clientConn, err error, reply bool) {
	end := *ev
	end.Time = time.Time{}
	var refused *dialguard.Refused
	if errors.As(err, &refused) {
		end.Stage = enforce.StageConnect
		p.Gate.Settle(&end, refusedAddress(refused))
	} else {
		end.Stage, end.Error = enforce.StageResponse, err.Error()
		_ = p.Gate.Record(&end)
	}
	if reply {
		body := "proxaudit: " + enforce.Printable(err.Error()) + "\n"
		_, _ = io.WriteString(cc.Conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\nConnection: close\r\n\r\n"+body)
	}
}

// join copies both ways until both directions ended, passing on half-closes,
// and returns the bytes sent up and down. What the server has said goes first.
func join(client *clientConn, server net.Conn, said []byte) (up, down int64) {
	var wg sync.WaitGroup
	wg.Go(func() {
		up, _ = io.Copy(server, client)
		_ = closeWrite(server)
	})
	first, err := client.Conn.Write(said)
	if err == nil {
		down, _ = io.Copy(client.Conn, server)
	}
	_ = client.CloseWrite()
	wg.Wait()
	return up, down + int64(first)
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
