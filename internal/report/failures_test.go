package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

func response(url string, status int, failure, err, hint string) enforce.Event {
	return enforce.Event{
		Stage: enforce.StageResponse, Method: "GET", Host: "npm.example.org", Port: 443, URL: url, Action: policy.Allow,
		Status: status, Failure: failure, Error: err, Hint: hint, Process: &policy.Process{PID: 7, Exe: "/usr/bin/node", Argv: []string{"npm", "ci"}},
	}
}

// TestFailures is the whole text, to the byte: what was refused, what failed though
// it was allowed, and what a client itself ended, each apart.
func TestFailures(t *testing.T) {
	refused := func(n int) enforce.Event {
		return response(fmt.Sprintf("https://npm.example.org/%d", n), 502, "the connection was refused", fmt.Sprintf("dial tcp 192.0.2.7:%d: connect: connection refused", n), "")
	}
	other := refused(1)
	other.Process = &policy.Process{PID: 9, Exe: "/usr/bin/curl"}
	unknown := response("https://npm.example.org/x", 502, "the server's certificate is not trusted", "x509: unknown authority", "name its file with -upstream-ca")
	raw := enforce.Event{Stage: enforce.StageResponse, Host: "2001:db8::1", Port: 22, URL: "tcp://[2001:db8::1]:22", Failure: "the name was not found", Error: "no such host"}
	answered := response("https://npm.example.org/down", 503, "", "", "")
	pinned := enforce.Event{
		Stage: enforce.StageConnect, Method: "CONNECT", Host: "npm.example.org", Port: 443, URL: "https://npm.example.org/", Blocked: true,
		Rule: enforce.RuleTLS, Reason: "the client does not trust the authority of this run", Failure: "the client does not trust the authority of this run",
		Error: "remote error: tls: unknown certificate authority", Hint: "leave --cacert out",
		Process: &policy.Process{PID: 8, Exe: "/usr/bin/curl", Argv: []string{"curl", "--cacert", "x"}},
	}
	tests := []struct {
		name string
		mode enforce.Mode
		evs  []enforce.Event
		want string
	}{
		{"enforce", enforce.Enforce, []enforce.Event{request(policy.Deny, "https://npm.example.org/b"), refused(1), refused(2), other, unknown, raw, answered, pinned, pinned}, `proxaudit: enforce: 1 request, 1 host, 0 packages, 6 failed, 2 refused by the client, 1 denied
proxaudit: denied: GET https://npm.example.org/b
  reason: no rule matches
proxaudit: failed, though allowed: npm.example.org:443 (2 times)
  what: the connection was refused
  as in: GET https://npm.example.org/1
  error: dial tcp 192.0.2.7:1: connect: connection refused
  asked by: npm ci (pid 7)
proxaudit: failed, though allowed: npm.example.org:443
  what: the connection was refused
  as in: GET https://npm.example.org/1
  error: dial tcp 192.0.2.7:1: connect: connection refused
  asked by: /usr/bin/curl (pid 9)
proxaudit: failed, though allowed: npm.example.org:443
  what: the server's certificate is not trusted
  as in: GET https://npm.example.org/x
  error: x509: unknown authority
  asked by: npm ci (pid 7)
  what to do: name its file with -upstream-ca
proxaudit: failed, though allowed: [2001:db8::1]:22
  what: the name was not found
  as in: tcp://[2001:db8::1]:22
  error: no such host
proxaudit: failed, though allowed: npm.example.org:443
  what: the server answered 503 Service Unavailable
  as in: GET https://npm.example.org/down
  asked by: npm ci (pid 7)
proxaudit: refused by the client: npm.example.org:443 (2 times)
  what: the client does not trust the authority of this run
  error: remote error: tls: unknown certificate authority
  asked by: curl --cacert x (pid 8)
  what to do: leave --cacert out
  hosts:
         3  npm.example.org
`},
		{"audit", enforce.Audit, []enforce.Event{refused(1), response("https://npm.example.org/ok", 404, "", "", "")}, `proxaudit: audit: 0 requests, 0 hosts, 0 packages, 1 failed, 0 denied
proxaudit: failed: npm.example.org:443
  what: the connection was refused
  as in: GET https://npm.example.org/1
  error: dial tcp 192.0.2.7:1: connect: connection refused
  asked by: npm ci (pid 7)
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := record(t, &Summary{Mode: tt.mode}, tt.evs...); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// TestClientsRefusalCounts: a connection that a client ended did not pass, so the run
// does not end as if nothing had been stopped.
func TestClientsRefusalCounts(t *testing.T) {
	s := &Summary{Mode: enforce.Enforce}
	record(t, s, enforce.Event{Stage: enforce.StageConnect, Rule: enforce.RuleTLS, Blocked: true})
	if s.Blocked() != 1 {
		t.Errorf("Blocked() = %d, want 1", s.Blocked())
	}
}

// TestSuspicion: what may mean nothing is told only where the command failed.
func TestSuspicion(t *testing.T) {
	left := enforce.Event{Stage: enforce.StageConnect, Host: "h.test", Port: 443, Action: policy.Log, Rule: enforce.RuleSilence, Failure: "the client left"}
	for _, failed := range []bool{false, true} {
		got := record(t, &Summary{Mode: enforce.Enforce, CommandFailed: failed}, left)
		if strings.Contains(got, "proxaudit: perhaps refused by the client: h.test:443\n  what: the client left\n") != failed {
			t.Errorf("failed %v: %s", failed, got)
		}
	}
}

// TestFailuresAreHostile: what a server or a program says reaches the terminal
// escaped, and however many failures there are, little is kept and less is shown.
func TestFailuresAreHostile(t *testing.T) {
	s := &Summary{Mode: enforce.Enforce}
	for i := range maxRemembered + 5 {
		ev := response("https://ok.test/\x1b[2J\n::add-mask::x", 502, "f\r\n::error::", "e\x00\u202e", "h\n::stop-commands::x")
		ev.Host, ev.Process = fmt.Sprintf("h%d.test\x1b]0;x", i), &policy.Process{Argv: []string{"a\n::set-env"}}
		_ = s.Record(ev)
	}
	got := record(t, s)
	if strings.ContainsAny(got, "\x1b\r\x00\u202e") {
		t.Errorf("raw control characters: %.3000q", got)
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("a workflow command: %q", line)
		}
	}
	if len(s.failed.byKey) != maxRemembered || strings.Count(got, "\n") > 8*maxShown || !strings.Contains(got, "failed, though allowed: and 9985 more") {
		t.Errorf("%d remembered:\n%.3000s", len(s.failed.byKey), got)
	}
}
