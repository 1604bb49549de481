package learn

import (
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

// TestSilence: a connection on which the client said nothing is no reason for a
// rule, and least of all for one that lets raw TCP pass.
func TestSilence(t *testing.T) {
	silent := func(stage enforce.Stage, why string) []enforce.Event {
		ev := request("", "tcp://quiet.example.org:8443")
		ev.Stage, ev.Rule, ev.Error = stage, enforce.RuleSilence, why
		return []enforce.Event{ev}
	}
	late := get("https://late.example.org:8443/a")
	for _, tc := range []struct {
		name   string
		events []enforce.Event
		left   bool // the policy says that something was left out
	}{
		{"knocked", silent(enforce.StageTCP, ""), false},
		{"asked", silent(enforce.StageConnect, ""), false},
		{"asked in vain", join(silent(enforce.StageConnect, ""), silent(enforce.StageResponse, "connection refused")), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := learned(t, Options{}, join(tc.events, late))
			rules, comments, _ := strings.Cut(got, "\n\n#")
			if strings.Contains(rules, "quiet") || strings.Contains(rules, "schemes: [tcp]") || !strings.Contains(rules, "late.example.org") {
				t.Errorf("learned:\n%s", got)
			}
			if strings.Contains(got, "quiet") != tc.left {
				t.Errorf("said to be left out: %v, want %v:\n%s", !tc.left, tc.left, comments)
			}
		})
	}
}
