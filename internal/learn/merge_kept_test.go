package learn

import (
	"errors"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

const keptBefore = `# mine
version: 1
registries:
  npm: https://npm.example.org/  # ours
allow:
  # first
  - https://a.example.org/x
  - pkg:npm/lodash@4.17.20  # seen in 1 of 1 run, 1 request
deny:
  - host: evil.example.org
    reason: never
`

// TestKept: what a policy loses or gains by being merged into is found, whatever
// made it so.
func TestKept(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"a mark", "1 request\n", "1 request; not seen since 2026-11-24\n", ""},
		{"a rule", "deny:", "  - https://b.example.org/x\ndeny:", ""},
		{"the block", "never\n", "never\n\n" + notLearned + "\n# x\n" + endOfNotLearned + "\n", ""},
		{"an origin", "npm:", "npm2:", "line 4"},
		{"a comment lost", "# mine\n", "", "line 1"},
		{"a comment changed", "# first", "# First", "line 6"},
		{"spaces changed", "/x\n", "/x \n", "line 7"},
		{"line ends changed", "\n", "\r\n", "line 1"},
		{"an order changed", "  # first\n  - https://a.example.org/x\n", "  - https://a.example.org/x\n  # first\n", "line 7"},
		{"a rule lost", "  - https://a.example.org/x\n", "", "line 7"},
		{"a rule hidden", "  - https://a.example.org/x\n", "  - |-\n    https://b.example.org\n  - https://a.example.org/x\n", ""},
		{"a rule in other words", "  # first\n  - https://a", "  - >-\n    https://b.example.org/\n  # first\n  - https://a", ""},
		{"a rule swallowed", "  # first\n", "  # first\n  - |\n   words\n", ""},
		{"another denied", "deny:\n", "deny:\n  - https://b.example.org/x\n", "deny"},
		{"a reason changed", "never", "never\n      ever", "deny"},
		{"a key of its own", "deny:", "log: []\ndeny:", "log would be new"},
		{"a default", "version: 1", "version: 1\ndefault: allow", "default would be new"},
		{"a list begun", "allow:\n", "allow: # x\n", "line 5"},
	} {
		before, err := newPolicyText([]byte(keptBefore))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.ReplaceAll(keptBefore, tt.old, tt.new)
		if changed == keptBefore {
			t.Fatalf("%s: nothing changed", tt.name)
		}
		after, err := newPolicyText([]byte(changed))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		switch err := kept(before, after); {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v, want one about %q", tt.name, err, tt.want)
		}
	}
	// What YAML reads counts where every line is there.
	before, _ := newPolicyText([]byte("version: 1\nallow:\n  - https://a.example.org/x\nlog:\n  - https://b.example.org/x\n"))
	after, _ := newPolicyText([]byte("version: 1\nallow:\n  - |\n   x\n  - https://a.example.org/x\n  - |\n   log:\nlog:\n  - https://b.example.org/x\n  - https://c.example.org/x\n"))
	if err := kept(before, after); err == nil || !strings.Contains(err.Error(), "log") {
		t.Errorf("a rule under log is new: error %v", err)
	}
}

// TestMergeLooksAgain: a merged policy that does not permit what it was made for,
// or cannot be read, is an error.
func TestMergeLooksAgain(t *testing.T) {
	run := readRun(t, "GET https://build.example.org/a at=10.0.0.7:443")
	for _, tt := range []struct {
		name, want string
		decide     func(*policy.Request) policy.Decision
		err        error
	}{
		{"nothing permitted", "would not permit GET https://build.example.org/a", func(*policy.Request) policy.Decision { return policy.Decision{Default: true} }, nil},
		{"forwarded by default", "would not permit", func(*policy.Request) policy.Decision {
			return policy.Decision{Action: policy.Allow, Default: true}
		}, nil},
		{"not dialled", "would not permit", func(*policy.Request) policy.Decision { return policy.Decision{Action: policy.Allow} }, nil},
		{"unreadable", "reading the merged policy again: no", nil, errors.New("no")},
	} {
		b := newBase(t, "version: 1\n")
		l := New(Options{Existing: b})
		record(l, run)
		m, err := l.Merge(Existing{Source: []byte(b.source), KnowsHost: b.policy.KnowsHost, Load: func([]byte) (func(*policy.Request) policy.Decision, error) {
			return tt.decide, tt.err
		}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, %v; want an error about %q", tt.name, m, err, tt.want)
		}
	}
}

// TestMergePartial: a run that broke off marks nothing, and takes marks away.
func TestMergePartial(t *testing.T) {
	b := newBase(t, "version: 1\nallow:\n  - GET https://a.example.org/x  # seen in 1 of 1 run, 1 request; not seen since 2026-11-20\n  - GET https://b.example.org/x  # seen in 1 of 1 run, 1 request\n")
	b.partial = true
	m, err := b.merge(readRun(t, "GET https://a.example.org/x"))
	if err != nil || m.Again != 1 || m.Unseen != 0 || strings.Contains(string(m.Policy), "not seen since") {
		t.Errorf("%+v, %v\n%s", m, err, m.Policy)
	}
}

func record(l *Learner, events []enforce.Event) {
	for _, ev := range events {
		_ = l.Record(ev)
	}
}
