package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

func record(t *testing.T, s *Summary, evs ...enforce.Event) string {
	t.Helper()
	for i, ev := range evs {
		ev.Time = time.Unix(int64(i), 0)
		if err := s.Record(ev); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if _, err := s.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func request(action policy.Action, url string) enforce.Event {
	return enforce.Event{
		Stage: enforce.StageRequest, Method: "GET", Host: "npm.example.org", URL: url,
		Action: action, Blocked: action == policy.Deny, Reason: "no rule matches",
	}
}

// TestSummary is the whole text, to the byte.
func TestSummary(t *testing.T) {
	read, meta := request(policy.Allow, "https://npm.example.org/a/-/a-1.0.0.tgz"), request(policy.Allow, "https://npm.example.org/a")
	read.Package, meta.Package = "pkg:npm/%40s/a@1.0.0", "pkg:npm/%40s/a"
	denied := request(policy.Deny, "https://npm.example.org/b")
	denied.Allow = "- GET https://npm.example.org/b"
	denied.Process = &policy.Process{PID: 7, Exe: "/usr/bin/node", Argv: []string{"node", "postinstall.js"}}
	review := request(policy.Log, "https://telemetry.example.com/")
	review.Host, review.Rule, review.Reason = "telemetry.example.com", "policy.yaml:9", "logged by rule"
	failed := enforce.Event{Stage: enforce.StageResponse, Host: "npm.example.org", Port: 443, Status: 502, Error: "connection refused"}

	s := &Summary{Mode: enforce.Enforce, Isolation: "env", Advisory: true, PolicyName: "policy.yaml", Weaknesses: []string{"-allow-socket /run/a\x1b.sock: why"}}
	silent := enforce.Event{Stage: enforce.StageTCP, Host: "quiet.example.org", URL: "tcp://quiet.example.org:8443", Action: policy.Log, Rule: enforce.RuleSilence}
	got := record(t, s, meta, read, denied, denied, review, failed, silent)
	want := `proxaudit: enforce: 5 requests, 3 hosts, 1 package, 1 failed, 2 denied
proxaudit: isolation env is advisory: a program that ignores proxy variables was neither seen nor stopped
proxaudit: weakened: -allow-socket /run/a\x1b.sock: why
proxaudit: denied: GET https://npm.example.org/b (2 times)
  reason: no rule matches
  asked by: node postinstall.js (pid 7)
  to allow it, add under "allow:" in policy.yaml: - GET https://npm.example.org/b
proxaudit: failed, though allowed: npm.example.org:443
  what: connection refused
proxaudit: to review: GET https://telemetry.example.com/
  reason: logged by rule
  rule: policy.yaml:9
  hosts:
         4  npm.example.org
         1  quiet.example.org
         1  telemetry.example.com
  packages:
    pkg:npm/%40s/a@1.0.0
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if s.Blocked() != 2 {
		t.Errorf("Blocked() = %d, want 2", s.Blocked())
	}
}

// TestHostileText: nothing from the wire reaches the terminal raw, and nothing
// begins a line of its own.
func TestHostileText(t *testing.T) {
	ev := request(policy.Deny, "https://ok.test/\x1b[2J\r\n::add-mask::x")
	ev.Reason = "a\u202eb\x00"
	ev.Process = &policy.Process{PID: 1, Argv: []string{"sh\n::stop-commands::x"}}
	got := record(t, &Summary{Mode: enforce.Enforce}, ev)
	if strings.ContainsAny(got, "\x1b\r\x00\u202e") {
		t.Errorf("raw control characters: %q", got)
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("a workflow command: %q", line)
		}
	}
}

// TestBounded: more names than are remembered are said to be more.
func TestBounded(t *testing.T) {
	s := &Summary{Mode: enforce.Audit}
	for i := range maxRemembered + 5 {
		ev := request(policy.Deny, fmt.Sprintf("https://ok.test/%d", i))
		ev.Host = fmt.Sprintf("h%d.test", i)
		_ = s.Record(ev)
	}
	got := record(t, s)
	if len(s.hosts.count) != maxRemembered || len(s.denials.byKey) != maxRemembered {
		t.Errorf("%d hosts and %d denials remembered", len(s.hosts.count), len(s.denials.byKey))
	}
	for _, want := range []string{"more than 10000 hosts", "and 9985 more"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%.2000s", want, got)
		}
	}
}
