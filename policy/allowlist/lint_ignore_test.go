package allowlist

import (
	"slices"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestIgnore has policies with a finding that a comment silences, and comments that
// silence nothing. Findings that do not count have their reason behind them.
func TestIgnore(t *testing.T) {
	const (
		wide    = "allow:\n  - {host: raw.githubusercontent.com, networks: [10.0.0.0/8]}"
		network = head + "allow:\n  - {host: ok.test, networks: [10.0.0.0/8]}"
	)
	for _, tt := range []struct{ name, policy, want string }{
		{"behind a rule of one line", head + wide + " # proxaudit:ignore wide-network it is ours\n", "a.yaml:4:6 warning shared-host; (it is ours)"},
		{"behind other words", network + "  # seen in 1 of 1 runs # proxaudit:ignore wide-network it is ours\n", "(it is ours)"},
		{"above it", head + "allow:\n  # why\n  # proxaudit:ignore wide-network it is ours\n\n  - {host: ok.test, networks: [10.0.0.0/8]}\n", "(it is ours)"},
		{"on the first line of a rule", head + "allow:\n  - host: ok.test # proxaudit:ignore wide-network it is ours\n    networks: [10.0.0.0/8]\n", "(it is ours)"},
		{"on the line found", head + "allow:\n  - host: ok.test\n    networks: [10.0.0.0/8] # proxaudit:ignore wide-network it is ours\n", "(it is ours)"},
		{"on another line of the rule", head + "allow:\n  - host: ok.test\n    networks: [10.0.0.0/8]\n    paths: [/a] # proxaudit:ignore wide-network no\n", "a.yaml:5:5 warning wide-network; a.yaml:6:17 warning unused-ignore"},
		{"on the rule before", head + "allow:\n  - https://ok.example.org/a # proxaudit:ignore wide-network no\n  - {host: ok.test, networks: [10.0.0.0/8]}\n", "a.yaml:4:30 warning unused-ignore; a.yaml:5:21 warning wide-network"},
		{"two above one", head + "allow:\n  # proxaudit:ignore wide-network a\n  # proxaudit:ignore shared-host b\n  - {host: raw.githubusercontent.com, networks: [10.0.0.0/8]}\n", "(b); (a)"},
		{"no rule", "version: 1\ndefault: log # proxaudit:ignore open-default for a week\n", "(for a week)"},
		{"another name", network + " # proxaudit:ignore shared-host no\n", "a.yaml:4:21 warning wide-network; a.yaml:4:45 warning unused-ignore"},
		{"nothing to silence", head + "allow:\n  - https://ok.test/a # proxaudit:ignore shared-host no\n", "a.yaml:4:23 warning unused-ignore"},
		{"no reason", network + " # proxaudit:ignore wide-network \n", "a.yaml:4:21 warning wide-network; a.yaml:4:45 error bad-ignore"},
		{"no name", network + " #proxaudit:ignore\n", "a.yaml:4:21 warning wide-network; a.yaml:4:45 error bad-ignore"},
		{"an error", head + "allow:\n  - {host: ok.test, expires: 2020-01-01} # proxaudit:ignore expired no\n", "a.yaml:4:21 error expired; a.yaml:4:42 error bad-ignore"},
		{"an ignore", head + "allow:\n  # proxaudit:ignore unused-ignore no\n  - https://ok.test/a # proxaudit:ignore shared-host no\n", "a.yaml:4:3 warning unused-ignore; a.yaml:5:23 warning unused-ignore"},
		{"in a text", head + "allow:\n  - {host: ok.test, networks: [10.0.0.0/8], reason: 'x # proxaudit:ignore wide-network no'}\n", "a.yaml:4:21 warning wide-network"},
		{"in a text of lines", head + "allow:\n  - host: ok.test\n    networks: [10.0.0.0/8]\n    reason: |\n      x\n      # proxaudit:ignore wide-network no\n", "a.yaml:5:5 warning wide-network"},
		{"behind a plain text", head + "allow:\n  - https://ok.test/a#proxaudit:ignore\n", "a.yaml:4:22 error invalid"},
		{"beside a mistake", head + "allow:\n  - ftp://ok.test # proxaudit:ignore invalid no\n", "a.yaml:4:5 error invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			short, found := lint(t, tt.policy)
			got := []string{}
			for i, f := range found {
				for _, s := range f.Suppressions {
					if s.Kind != "inSource" {
						t.Errorf("kind %q", s.Kind)
					}
					short[i] = "(" + s.Justification + ")"
				}
				got = append(got, short[i])
			}
			if strings.Join(got, "; ") != tt.want {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			if n := slices.IndexFunc(found, func(f policy.Finding) bool { return !f.Counts() && f.Severity == policy.Error }); n >= 0 {
				t.Errorf("an error does not count: %+v", found[n])
			}
		})
	}
}
