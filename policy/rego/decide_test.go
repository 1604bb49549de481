package rego

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/policy"
)

// comparePrefix lets cmp look at prefixes.
var comparePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		rules string
		want  policy.Decision
	}{
		"allow is true": {
			`allow := true`,
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:2"},
		},
		"allow is false": {
			`allow := false`,
			policy.Decision{Rule: "gate.rego:2", Reason: "allow is false"},
		},
		"allow by the default rule": {
			"default allow := false\nallow if input.host == \"other.test\"",
			policy.Decision{Rule: "gate.rego:2", Reason: "allow is false"},
		},
		"allow by the second rule": {
			"allow if input.host == \"other.test\"\nallow if input.host == \"ok.test\"",
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:3"},
		},
		"allow by an else branch": {
			"allow if {\n input.host == \"other.test\"\n} else := true if {\n input.host == \"ok.test\"\n}",
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:4"},
		},
		"allow by a rule with a title": {
			"# METADATA\n# title: the mirror\nallow if input.host == \"ok.test\"",
			policy.Decision{Action: policy.Allow, Rule: "the mirror"},
		},
		"allow by a rule with a title of proxaudit's own": {
			"# METADATA\n# title: proxaudit:identity\nallow if input.host == \"ok.test\"",
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:4"},
		},
		"allow with labels of the author's own": {
			"# METADATA\n# labels:\n#   team: build\nallow if ok\n\n# METADATA\n# labels: {team: web}\nok if input.host == \"ok.test\"",
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:5"},
		},
		"allow is undefined": {
			`allow if input.host == "other.test"`,
			policy.Decision{Rule: "allow", Reason: "the policy is undefined for this request"},
		},
		"allow is the string true": {
			`allow := "true"`,
			policy.Decision{Rule: "gate.rego:2", Reason: "allow is a string, want true or false"},
		},
		"allow is the string false": {
			`allow := "false"`,
			policy.Decision{Rule: "gate.rego:2", Reason: "allow is a string, want true or false"},
		},
		"allow is a number": {
			`allow := 1`,
			policy.Decision{Rule: "gate.rego:2", Reason: "allow is a number, want true or false"},
		},
		"allow is an object in Envoy's manner": {
			`allow := {"allowed": true}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "allow is an object, want true or false"},
		},
		"allow gives no passthrough": {
			`allow if input.method == "GET"`,
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:2"},
		},
		"decision allow": {
			`decision := {"action": "allow", "reason": "pinned", "rule": "npm"}`,
			policy.Decision{Action: policy.Allow, Rule: "npm", Reason: "pinned"},
		},
		"decision log": {
			`decision := {"action": "log"}`,
			policy.Decision{Action: policy.Log, Rule: "gate.rego:2"},
		},
		"decision deny": {
			`decision := {"action": "deny", "reason": "never"}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "never"},
		},
		"decision put together by key": {
			"decision.action := \"allow\"\ndecision.reason := \"both\"",
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:2", Reason: "both"},
		},
		"decision with an empty rule": {
			`decision := {"action": "allow", "rule": ""}`,
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:2"},
		},
		"decision with a rule and a mistake": {
			`decision := {"action": "allow", "another": 1, "rule": "npm"}`,
			policy.Decision{Rule: "npm", Reason: `decision has an unknown key "another": want action, reason, rule, tls, tcp or networks`},
		},
		"decision with a rule that is made up": {
			"decision := {\"action\": \"allow\", \"rule\": r} if r := sprintf(\"%s\", [\"\"])",
			policy.Decision{Action: policy.Allow, Rule: "decision"},
		},
		"the same decision by two rules": {
			"decision := {\"action\": \"allow\"} if input.host == \"other.test\"\ndecision := {\"action\": \"allow\"} if input.host == \"ok.test\"",
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:3"},
		},
		"different decisions by two rules": {
			"decision := {\"action\": \"deny\"} if input.host == \"other.test\"\ndecision := {\"action\": \"allow\"} if input.host == \"ok.test\"",
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:3"},
		},
		"a decision that is computed": {
			"default decision := {\"action\": \"deny\"}\ndecision := {\"action\": \"allow\", \"reason\": input.host} if input.host == \"ok.test\"",
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:3", Reason: "ok.test"},
		},
		"decision is undefined": {
			`decision := {"action": "allow"} if input.host == "other.test"`,
			policy.Decision{Rule: "decision", Reason: "the policy is undefined for this request"},
		},
		"decision is a boolean": {
			`decision := true`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision is a boolean, want an object"},
		},
		"decision is the string allow": {
			`decision := "allow"`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision is a string, want an object"},
		},
		"decision is null": {
			`decision := null`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision is null, want an object"},
		},
		"decision without an action": {
			`decision := {"reason": "why"}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision has no "action": want allow, deny or log`},
		},
		"decision with an unknown action": {
			`decision := {"action": "ALLOW"}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision.action: unknown action "ALLOW": want allow, deny or log`},
		},
		"decision with a boolean action": {
			`decision := {"action": true}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision.action is a boolean, want a string"},
		},
		"decision with an unknown key": {
			`decision := {"action": "allow", "network": ["10.0.0.0/8"]}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision has an unknown key "network": want action, reason, rule, tls, tcp or networks`},
		},
		"decision with a key that is no string": {
			`decision := {"action": "allow", 1: "x"}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision has a key that is a number, want strings"},
		},
		"decision with a reason that is no string": {
			`decision := {"action": "allow", "reason": ["x"]}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision.reason is an array, want a string"},
		},
		"decision with a rule that is no string": {
			`decision := {"action": "allow", "rule": 3}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision.rule is a number, want a string"},
		},
		"passthrough as an answer to a request": {
			`decision := {"action": "allow", "tls": "passthrough", "tcp": "passthrough", "networks": ["10.0.0.0/8"]}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "the answer is about what nobody reads (passthrough), and this is a request: answer it without that word"},
		},
		"a name of proxaudit's own": {
			`decision := {"action": "deny", "rule": "proxaudit:identity"}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision.rule is "proxaudit:identity": names that begin with proxaudit: are those of denials that no policy makes`},
		},
		"passthrough means nothing with deny": {
			`decision := {"action": "deny", "tls": "passthrough", "networks": ["10.0.0.0/8"]}`,
			policy.Decision{Rule: "gate.rego:2"},
		},
		"passthrough misspelled": {
			`decision := {"action": "allow", "tls": "pass-through"}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision.tls is "pass-through": want passthrough, or no tls at all`},
		},
		"passthrough as a boolean": {
			`decision := {"action": "allow", "tls": true}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision.tls is a boolean, want a string"},
		},
		"tcp misspelled": {
			`decision := {"action": "allow", "tcp": "raw"}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision.tcp is "raw": want passthrough, or no tcp at all`},
		},
		"networks as an array": {
			`decision := {"action": "allow", "networks": ["10.0.0.0/8", "fd00::/8"]}`,
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:2", Networks: prefixes("10.0.0.0/8", "fd00::/8")},
		},
		"networks as a set": {
			`decision := {"action": "allow", "networks": {"10.0.0.0/8"}}`,
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:2", Networks: prefixes("10.0.0.0/8")},
		},
		"networks as a string": {
			`decision := {"action": "allow", "networks": "10.0.0.0/8"}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision.networks is a string, want an array or a set of prefixes"},
		},
		"networks with a bare address": {
			`decision := {"action": "allow", "networks": ["10.0.0.1"]}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision.networks holds "10.0.0.1": want a prefix such as 10.0.0.0/8`},
		},
		"networks with stray bits": {
			`decision := {"action": "allow", "networks": ["10.0.0.1/8"]}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision.networks holds "10.0.0.1/8", which has bits beyond its length: want 10.0.0.0/8`},
		},
		"networks with a mapped address": {
			`decision := {"action": "allow", "networks": ["::ffff:10.0.0.0/104"]}`,
			policy.Decision{Rule: "gate.rego:2", Reason: `decision.networks holds "::ffff:10.0.0.0/104": want a prefix such as 10.0.0.0/8`},
		},
		"networks with a number": {
			`decision := {"action": "allow", "networks": [10]}`,
			policy.Decision{Rule: "gate.rego:2", Reason: "decision.networks holds a number, want strings"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, tt.rules).Decide(context.Background(), get())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, comparePrefix); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// TestDecideFails has the policies whose evaluation ends in an error. In each a
// careless engine would find its way to allow.
func TestDecideFails(t *testing.T) {
	tests := map[string]struct{ rules, want string }{
		"two different decisions": {
			"decision := {\"action\": \"allow\"} if input.port == 443\ndecision := {\"action\": \"deny\"} if input.host == \"ok.test\"",
			`gate.rego:3:1: rule data.proxaudit.decision produced conflicting values: {"action": "allow"} at gate.rego:2, {"action": "deny"} at gate.rego:3`,
		},
		"two different allows": {
			"allow := true if input.port == 443\nallow := false if input.host == \"ok.test\"",
			"gate.rego:3:1: rule data.proxaudit.allow produced conflicting values: true at gate.rego:2, false at gate.rego:3",
		},
		"division by zero": {
			"allow if count(deny) == 0\ndeny contains \"x\" if 1 / (input.port - 443) == 1",
			"gate.rego:3:22: div: divide by zero",
		},
		"not of a failing builtin": {
			"allow if not evil\nevil if to_number(input.host) == 1",
			"gate.rego:3:9: to_number: strconv.ParseFloat: parsing \"ok.test\": invalid syntax",
		},
		"error of a builtin beside an allow": {
			"allow if to_number(input.host) == 1\nallow if input.host == \"ok.test\"",
			"gate.rego:2:10: to_number: strconv.ParseFloat: parsing \"ok.test\": invalid syntax",
		},
		"a query that is read in two ways": {
			"allow if not input.parsed_query.token",
			"the query cannot be read in one way only: invalid semicolon separator in query",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := get()
			r.Query = "a=1;token=2"
			path := gate(t, "package proxaudit\n"+tt.rules)
			p, err := Load(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Decide(context.Background(), r)
			if err == nil {
				t.Fatalf("no error: %+v", got)
			}
			if message := strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""); message != tt.want {
				t.Errorf("error %q, want %q", message, tt.want)
			}
			if got.Action != policy.Deny || got.Default || got.Reason != err.Error() {
				t.Errorf("decision %+v, want deny for the error's reason", got)
			}
		})
	}
}

// TestUndefinedIsNoDefault has the case for which undefined is not a default:
// the allow of another policy must not override it.
func TestUndefinedIsNoDefault(t *testing.T) {
	p := load(t, `allow if input.host == "other.test"`)
	generous := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Rule: "generous"}, nil
	})
	got, err := policy.Combine(generous, p).Decide(context.Background(), get())
	if err != nil {
		t.Fatal(err)
	}
	if got.Action != policy.Deny {
		t.Errorf("decision %+v, want deny", got)
	}
}

// TestQuestions asks about what is not an ordinary request.
func TestQuestions(t *testing.T) {
	const rules = `
decision := {"action": "allow", "tls": "passthrough"} if { input.method == "CONNECT"; input.host == "pinned.test" }
decision := {"action": "allow"} if { input.method == "CONNECT"; input.host == "ok.test" }
decision := {"action": "allow"} if { input.scheme == "tcp"; input.port == 22; input.method == "" }
decision := {"action": "log", "tcp": "passthrough"} if input.port == 5432
decision := {"action": "allow", "tls": "passthrough", "tcp": "passthrough"} if input.host == "both.test"`
	tests := map[string]struct {
		r    policy.Request
		want policy.Decision
	}{
		"CONNECT, passed through": {
			policy.Request{Method: "CONNECT", Scheme: "https", Host: "pinned.test", Port: 443},
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:3", Passthrough: true},
		},
		"CONNECT, allowed": {
			policy.Request{Method: "CONNECT", Scheme: "https", Host: "ok.test", Port: 443},
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:4"},
		},
		"CONNECT, unknown": {
			policy.Request{Method: "CONNECT", Scheme: "https", Host: "evil.test", Port: 443},
			policy.Decision{Rule: "decision", Reason: "the policy is undefined for this request"},
		},
		"raw TCP": {
			policy.Request{Scheme: "tcp", Host: "git.test", Port: 22},
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:5"},
		},
		"raw TCP, passed through": {
			policy.Request{Scheme: "tcp", Host: "db.test", Port: 5432},
			policy.Decision{Action: policy.Log, Rule: "gate.rego:6", Passthrough: true},
		},
		"CONNECT, answered for raw TCP": {
			policy.Request{Method: "CONNECT", Scheme: "https", Host: "db.test", Port: 5432},
			policy.Decision{Rule: "gate.rego:6", Reason: `"tcp": "passthrough" is about raw TCP alone: for TLS that is not decrypted answer "tls": "passthrough"`},
		},
		"CONNECT, by either": {
			policy.Request{Method: "CONNECT", Scheme: "https", Host: "both.test", Port: 443},
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:7", Passthrough: true},
		},
		"raw TCP, by either": {
			policy.Request{Scheme: "tcp", Host: "both.test", Port: 1},
			policy.Decision{Action: policy.Allow, Rule: "gate.rego:7", Passthrough: true},
		},
		"a CONNECT that is of no TLS": {
			policy.Request{Method: "CONNECT", Scheme: "http", Host: "both.test", Port: 443},
			policy.Decision{Rule: "gate.rego:7", Reason: "the answer is about what nobody reads (passthrough), and this is a request: answer it without that word"},
		},
	}
	p := load(t, rules)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := p.Decide(context.Background(), &tt.r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, comparePrefix); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoRequest(t *testing.T) {
	if got, err := load(t, `allow := true`).Decide(context.Background(), nil); err == nil || got.Action != policy.Deny {
		t.Errorf("decision %+v, error %v: want an error", got, err)
	}
}
