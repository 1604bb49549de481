package enforce

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

type recorderFunc func(Event) error

func (f recorderFunc) Record(ev Event) error { return f(ev) }

// TestGate: what each mode does with each decision, and that whatever goes
// wrong denies while enforcing and blocks nothing otherwise.
func TestGate(t *testing.T) {
	says := func(a policy.Action) policy.Policy {
		return policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
			return policy.Decision{Action: a, Rule: "r"}, nil
		})
	}
	broken := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow}, errors.New("broken")
	})
	panics := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) { panic("bug") })
	works := recorderFunc(func(Event) error { return nil })
	full := recorderFunc(func(Event) error { return errors.New("disk full") })
	bursts := recorderFunc(func(Event) error { panic("bug") })
	tests := []struct {
		name     string
		policy   policy.Policy
		recorder Recorder
		blocked  bool // while enforcing
		reason   string
	}{
		{"allow", says(policy.Allow), works, false, ""},
		{"log", says(policy.Log), works, false, ""},
		{"deny", says(policy.Deny), works, true, ""},
		{"an action that does not exist", says(policy.Action(7)), works, true, ""},
		{"no policy", nil, works, true, "no policy"},
		{"error", broken, works, true, "the policy failed: broken"},
		{"panic", panics, works, true, "the policy panicked: bug"},
		{"record fails", says(policy.Allow), full, true, "could not be recorded: disk full"},
		{"recorder panics", says(policy.Allow), bursts, true, "could not be recorded: the recorder panicked"},
	}
	for _, tt := range tests {
		for _, mode := range []Mode{Enforce, Learn, Audit} {
			t.Run(tt.name+" "+mode.String(), func(t *testing.T) {
				ev := Event{Stage: StageRequest}
				g := &Gate{Mode: mode, Policy: tt.policy, Recorder: tt.recorder, Propose: (*policy.Request).Line}
				v := g.Check(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "ok.test", Port: 443, Path: "/"}, &ev)
				if want := tt.blocked && mode == Enforce; v.Blocked != want || ev.Blocked != want {
					t.Errorf("blocked %v, in the event %v, want %v", v.Blocked, ev.Blocked, want)
				}
				if mode == Enforce && !strings.Contains(ev.Reason, tt.reason) {
					t.Errorf("reason %q, want %q", ev.Reason, tt.reason)
				}
				if ev.Mode != mode.String() {
					t.Errorf("mode %q", ev.Mode)
				}
			})
		}
	}
}

// TestZeroGateDenies: a Gate that was never filled in lets nothing pass.
func TestZeroGateDenies(t *testing.T) {
	var g Gate
	if v := g.Check(t.Context(), &policy.Request{}, &Event{}); !v.Blocked || v.Action != policy.Deny {
		t.Errorf("%+v", v)
	}
}
