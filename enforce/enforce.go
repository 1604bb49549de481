// Package enforce turns a policy's decision into what is done with a request,
// and records it. It is the only place where the mode counts.
//
// It must never dial, resolve or forward anything, and it must never let a
// request pass that it could not record while enforcing.
package enforce

import (
	"context"
	"fmt"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// Mode is what a run does with decisions. The zero value enforces them.
type Mode uint8

const (
	// Enforce blocks what the policy denies.
	Enforce Mode = iota
	// Learn blocks nothing and records for a policy to be written.
	Learn
	// Audit blocks nothing and records.
	Audit
)

// String returns the mode as the command line and the events spell it.
func (m Mode) String() string {
	switch m {
	case Learn:
		return "learn"
	case Audit:
		return "audit"
	default:
		return "enforce"
	}
}

// Gate asks the policy, records the answer and says what to do. It is safe for
// concurrent use.
type Gate struct {
	Mode     Mode
	Policy   policy.Policy
	Recorder Recorder
	// Propose returns what to add to the policy so that a denied request is allowed,
	// or "". It decides nothing. Where it is nil, nothing is proposed.
	Propose func(*policy.Request) string
}

// Verdict is a decision and what is done about it.
type Verdict struct {
	policy.Decision
	// Blocked is true when the request must not be forwarded. While auditing or
	// learning it stays false, whatever the policy said.
	Blocked bool
}

// Check decides r, writes the decision into ev and records ev. When it returns
// with Blocked false the decision has been recorded. An error or a panic of the
// policy denies; so does, while enforcing, a record that cannot be written.
func (g *Gate) Check(ctx context.Context, r *policy.Request, ev *Event) Verdict {
	d := g.Ask(ctx, r)
	ev.Allow = g.Proposal(r, d)
	return g.Settle(ev, d)
}

// Proposal returns what the user is told to add to the policy so that r, about
// which it decided d, is allowed: one line without secrets, or "".
func (g *Gate) Proposal(r *policy.Request, d policy.Decision) (line string) {
	defer func() {
		if recover() != nil {
			line = "" // it is advice, and no reason to decide otherwise
		}
	}()
	if g.Propose == nil || d.Action != policy.Deny || d.Final {
		return ""
	}
	return RedactURL(g.Propose(r))
}

// Ask returns the policy's decision and records nothing. It is for a question
// that comes before the one that counts: whether a connection may pass
// undecrypted.
func (g *Gate) Ask(ctx context.Context, r *policy.Request) (d policy.Decision) {
	defer func() {
		if p := recover(); p != nil {
			d = policy.Decision{Reason: fmt.Sprintf("the policy panicked: %v", p)}
		}
	}()
	if g.Policy == nil {
		return policy.Decision{Reason: "no policy"}
	}
	d, err := g.Policy.Decide(ctx, r)
	if err != nil {
		return policy.Decision{Reason: "the policy failed: " + err.Error(), Policy: d.Policy, Final: true}
	}
	return d
}

// Settle records d as the decision about ev. The proxy calls it directly for
// what no policy is asked about, such as a request that cannot be read in one
// way only.
func (g *Gate) Settle(ev *Event, d policy.Decision) Verdict {
	v := Verdict{Decision: d, Blocked: g.Mode == Enforce && d.Action != policy.Allow && d.Action != policy.Log}
	ev.Decide(g.Mode, v)
	if err := g.record(ev); err != nil && g.Mode == Enforce {
		v = Verdict{Decision: policy.Decision{Reason: "the event could not be recorded: " + err.Error()}, Blocked: true}
		ev.Decide(g.Mode, v)
	}
	return v
}

// Record records ev, which follows up on a decision already recorded: a
// response, the end of a connection.
func (g *Gate) Record(ev *Event) error { return g.record(ev) }

func (g *Gate) record(ev *Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the recorder panicked: %v", p)
		}
	}()
	if ev.Time.IsZero() {
		ev.Time = time.Now()
	}
	if g.Recorder == nil {
		return nil
	}
	return g.Recorder.Record(*ev)
}
