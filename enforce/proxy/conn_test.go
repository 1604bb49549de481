package proxy

import (
	"slices"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestShow: what events show of a process is its own, whose ever was shown before,
// and without secrets. A process that was described anew is shown anew.
func TestShow(t *testing.T) {
	var p Proxy
	one := &policy.Process{PID: 1, Argv: []string{"push", "--token=abc"}}
	two := &policy.Process{PID: 2, Argv: []string{"curl", "-s"}}
	again := &policy.Process{PID: 1, Argv: []string{"pull", "--token=abc"}}
	for _, tc := range []struct {
		who  *policy.Process
		want []string
	}{
		{one, []string{"push", "--token=REDACTED"}},
		{one, []string{"push", "--token=REDACTED"}},
		{two, []string{"curl", "-s"}},
		{nil, nil},
		{one, []string{"push", "--token=REDACTED"}},
		{again, []string{"pull", "--token=REDACTED"}},
	} {
		got := p.show(tc.who)
		if tc.who == nil {
			if got != nil {
				t.Errorf("nobody is shown as %v", got)
			}
			continue
		}
		if got.PID != tc.who.PID || !slices.Equal(got.Argv, tc.want) {
			t.Errorf("%v is shown as %d %q, want %q", tc.who.Argv, got.PID, got.Argv, tc.want)
		}
	}
}
