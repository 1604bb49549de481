package rego

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestIgnore has what comments silence in Rego; a finding that does not count is
// given by the reason in parentheses.
func TestIgnore(t *testing.T) {
	const gate = "package proxaudit\nallow if input.host == \"ok.test\"\n"
	for _, tt := range []struct{ name, policy, want string }{
		{"behind a rule of one line", gate + "deny if input.port == 1 # proxaudit:ignore unused-rule kept for later\n", "(kept for later)"},
		{"behind other words", gate + "deny if input.port == 1 # why # proxaudit:ignore unused-rule kept\n", "(kept)"},
		{"above it", gate + "# proxaudit:ignore unused-rule kept\n\n# why\ndeny if input.port == 1\n", "(kept)"},
		{"above its METADATA", gate + "# proxaudit:ignore unused-rule kept\n# METADATA\n# title: kept\ndeny if input.port == 1\n", "(kept)"},
		{"above a default", "package proxaudit\n# proxaudit:ignore default-allow for a week\ndefault allow := true\nallow := false if input.port == 1\n", "(for a week)"},
		{"on the first line, about a line below", "package proxaudit\nallow if { # proxaudit:ignore pattern-loop three of them\n\tsome g in data.globs\n\tglob.match(g, [], input.host)\n}\n", "(three of them)"},
		{"about a line of an else", "package proxaudit\nallow if { # proxaudit:ignore pattern-loop three\n\tinput.port == 1\n} else if {\n\tsome g in data.globs\n\tglob.match(g, [], input.host)\n}\n", "(three)"},
		{"on the line found", "package proxaudit\nallow if {\n\tsome g in data.globs\n\tglob.match(g, [], input.host) # proxaudit:ignore pattern-loop three\n}\n", "(three)"},
		{"on another line of the rule", "package proxaudit\nallow if {\n\tsome g in data.globs # proxaudit:ignore pattern-loop three\n\tglob.match(g, [], input.host)\n}\n", "gate.rego:3:23 warning unused-ignore; gate.rego:4:2 warning pattern-loop"},
		{"on the rule before", gate + "# a\na := 1 # proxaudit:ignore pattern-loop no\ndeny if input.port == 1\n", "gate.rego:4:1 warning unused-rule; gate.rego:4:8 warning unused-ignore; gate.rego:5:1 warning unused-rule"},
		{"two of one finding", gate + "# proxaudit:ignore unused-rule kept\ndeny if input.port == 1\nlater if input.port == 2\n", "(kept); gate.rego:5:1 warning unused-rule"},
		{"CRLF", strings.ReplaceAll(gate+"deny if input.port == 1 # proxaudit:ignore unused-rule kept\n", "\n", "\r\n"), "(kept)"},
		{"another name", gate + "deny if input.port == 1 # proxaudit:ignore always-allows no\n", "gate.rego:3:1 warning unused-rule; gate.rego:3:25 warning unused-ignore"},
		{"nothing to silence", "package proxaudit\nallow if input.host == \"ok.test\" # proxaudit:ignore unused-rule no\n", "gate.rego:2:34 warning unused-ignore"},
		{"in prose", gate + "# see proxaudit:ignore unused-rule no\ndeny := 1\n", "gate.rego:4:1 warning unused-rule"},
		{"without a blank", gate + "deny := 1#proxaudit:ignore unused-rule kept\n", "(kept)"},
		{"no reason", gate + "deny if input.port == 1 # proxaudit:ignore unused-rule \n", "gate.rego:3:1 warning unused-rule; gate.rego:3:25 error bad-ignore"},
		{"no name", gate + "deny if input.port == 1 #proxaudit:ignore\n", "gate.rego:3:1 warning unused-rule; gate.rego:3:25 error bad-ignore"},
		{"an ignore", gate + "# proxaudit:ignore unused-ignore no\ndeny := 1 # proxaudit:ignore always-allows no\n", "gate.rego:3:1 warning unused-ignore; gate.rego:4:1 warning unused-rule; gate.rego:4:11 warning unused-ignore"},
		{"in a text", gate + "deny := \" # proxaudit:ignore unused-rule no\"\n", "gate.rego:3:1 warning unused-rule"},
		{"in a text before a comment", gate + "deny := \" # proxaudit:ignore unused-rule no\" # why\n", "gate.rego:3:1 warning unused-rule"},
		{"in a text of lines", gate + "deny := `\n# proxaudit:ignore unused-rule no\n`\n", "gate.rego:3:1 warning unused-rule"},
		{"what cannot be seen", gate + "deny := 1 # proxaudit:ignore unused-rule a\u202eb\n", "(a\ufffdb)"},
		{"beside a mistake", gate + "deny if input.hst == 1 # proxaudit:ignore invalid no\n", "gate.rego:3:9 error invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := Options{}.Lint(context.Background(), folder(t, map[string]string{"gate.rego": tt.policy, "data.json": `{"globs": []}`}))
			if err != nil {
				t.Fatal(err)
			}
			if got := ignored(t, found); got != tt.want {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// TestIgnoreElsewhere has a comment in another file than what is found.
func TestIgnoreElsewhere(t *testing.T) {
	found, err := Options{}.Lint(context.Background(), folder(t, map[string]string{
		"a.rego": "package proxaudit\nallow if input.host == \"ok.test\"\n# proxaudit:ignore unused-rule no\nb := 1\n",
		"b.rego": "package proxaudit\n\n\nc := 1\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ignored(t, found), "(no); b.rego:4:1 warning unused-rule"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

// ignored returns findings in short, those that do not count by their reason.
func ignored(t *testing.T, found []policy.Finding) string {
	t.Helper()
	var out []string
	for _, f := range found {
		f.File = filepath.Base(f.File)
		one := f.Place() + " " + f.Severity.String() + " " + f.ID
		for _, s := range f.Suppressions {
			if s.Kind != "inSource" || f.Severity == policy.Error {
				t.Errorf("suppressed: %+v", f)
			}
			one = "(" + s.Justification + ")"
		}
		out = append(out, one)
	}
	return strings.Join(out, "; ")
}
