package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

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
		return min(p.speaksAfter, p.Limits.IdleTimeout)
	default:
		return time.Second
	}
}

// silent decides about a client that has said nothing for as long as one takes
// that speaks first. No rule lets raw TCP pass there, see passRaw; where nothing
// is blocked, or by default, it may, and who speaks first tells what it is: passed
// unread for its silence alone, TLS would be past every rule about what it holds.
//
// Where raw TCP may not pass, nobody is asked. At a destination at which this run
// has spoken TLS or HTTP, the connection is a spare one: pools open some in advance,
// and a denial would be a false one. Anywhere else it is most likely one that waits
// for its server. That is denied at once: a build that hangs for minutes is worse
// than one that stops and says which rule is missing, and a client of TLS or HTTP
// that was only slow tries again.
func (p *Proxy) silent(ctx context.Context, cc *clientConn) {
	d := p.Gate.Ask(ctx, cc.rawRequest())
	switch {
	case p.Gate.Mode == enforce.Enforce && p.spoke.has(cc.target):
		p.spare(ctx, cc)
	case p.Gate.Mode != enforce.Enforce || d.Action != policy.Deny && d.Passthrough:
		p.askServer(ctx, cc, d)
	default:
		if d.Default {
			d.Reason = fmt.Sprintf("%s; the client said nothing for %v, as where the server speaks first", d.Reason, p.patience(cc.target.port))
		}
		p.tunnel(ctx, cc, cc.rawRequest(), d, false)
	}
}

// spare waits for what a client may still send.
func (p *Proxy) spare(ctx context.Context, cc *clientConn) {
	held, err := cc.wait(p.Limits.IdleTimeout)
	if held != holdsNothing {
		p.handOn(ctx, cc, held)
		return
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		_ = cc.Close() // never used
		return
	}
	p.unused(cc)
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

// maxSpoke bounds how many destinations are remembered. A run that has more of
// them on ports of their own is denied a spare connection to one.
const maxSpoke = 1024

// destinations are those at which clients have spoken first. The zero value is
// empty and ready; it is safe for concurrent use.
type destinations struct {
	mu  sync.Mutex
	all map[string]struct{}
}

func (s *destinations) add(t target) {
	if clientSpeaksFirst(t.port) {
		return // known without
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]struct{}{}
	}
	if len(s.all) < maxSpoke {
		s.all[t.full] = struct{}{}
	}
}

func (s *destinations) has(t target) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.all[t.full]
	return ok
}
