package rego

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func lint(t *testing.T, files map[string]string) string {
	t.Helper()
	found, err := Options{}.Lint(context.Background(), folder(t, files))
	if err != nil {
		t.Fatal(err)
	}
	var short []string
	for _, f := range found {
		f.File = filepath.Base(f.File)
		short = append(short, fmt.Sprintf("%s %s %s", f.Place(), f.Severity, f.ID))
		if f.Message == "" {
			t.Errorf("no message: %+v", f)
		}
	}
	return strings.Join(short, "\n")
}

// TestLint has for each finding a policy that has it and, as near to it as can
// be, one that has none.
func TestLint(t *testing.T) {
	const data = `{"globs": ["*.ok.test"], "hosts": {"ok.test": true}}`
	for _, tt := range []struct{ name, policy, want, clean string }{
		{"default allow", "default allow := true\nallow := false if input.host == \"evil.test\"", "gate.rego:2:1 warning default-allow", "default allow := false\nallow if input.host == \"ok.test\""},
		{"default decision", "default decision := {\"action\": \"log\"}\ndecision := {\"action\": \"deny\"} if input.host == \"evil.test\"", "gate.rego:2:1 warning default-allow", "default decision := {\"action\": \"deny\"}\ndecision := {\"action\": \"log\"} if input.host == \"ok.test\""},
		{"no condition", "allow := true", "gate.rego:2:1 warning always-allows", "allow := input.host == \"ok.test\""},
		{"decision without condition", "decision := {\"action\": \"allow\"}", "gate.rego:2:1 warning always-allows", "decision := {\"action\": \"deny\"}"},
		{"unused", "allow if input.host == \"ok.test\"\ndeny if input.method == \"PUT\"", "gate.rego:3:1 warning unused-rule", "allow if { input.host == \"ok.test\"; not deny }\ndeny if input.method == \"PUT\""},
		{"used by what is unused", "allow if input.host == \"ok.test\"\ndeny if write\nwrite if input.method == \"PUT\"", "gate.rego:3:1 warning unused-rule\ngate.rego:4:1 warning unused-rule", "allow if { input.host == \"ok.test\"; not deny }\ndeny if write\nwrite if input.method == \"PUT\""},
		{"unused set", "allow if input.host == \"ok.test\"\nhosts contains \"a\" if input.port == 1", "gate.rego:3:1 warning unused-rule", "allow if input.host in hosts\nhosts contains \"a\" if input.port == 1\nhosts contains \"b\" if input.port == 2"},
		{"globs, by some", "allow if { some g in data.globs; glob.match(g, [\".\"], input.host) }", "gate.rego:2:34 warning pattern-loop", "allow if { some g in globs; glob.match(g, [\".\"], input.host) }\nglobs := [\"*.ok.test\"]"},
		{"globs, by index", "allow if glob.match(data.globs[_], [\".\"], input.host)", "gate.rego:2:10 warning pattern-loop", "allow if glob.match(\"*.ok.test\", [\".\"], input.host)"},
		{"globs, in a comprehension", "allow if count([g | some g in data.globs; glob.match(g, [\".\"], input.host)]) > 0", "gate.rego:2:43 warning pattern-loop", "allow if count([h | some h in [\"ok.test\"]; data.hosts[h]; h == input.host]) > 0"},
		{"regexes", "allow if { some r in data.globs; regex.match(r, input.host) }", "gate.rego:2:34 warning pattern-loop", "allow if data.hosts[input.host]"},
		{"not a policy", "allow if input.hst == \"ok.test\"", "gate.rego:2:10 error invalid", "allow if input.host == \"ok.test\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := lint(t, map[string]string{"gate.rego": "package proxaudit\n" + tt.policy, "data.json": data}); got != tt.want {
				t.Errorf("found\n%s\nwant\n%s", got, tt.want)
			}
			if got := lint(t, map[string]string{"gate.rego": "package proxaudit\n" + tt.clean, "data.json": data}); got != "" {
				t.Errorf("in the clean one:\n%s", got)
			}
		})
	}
}

// TestLintLibrary has a file beside the policy: what a library offers need not
// all be used.
func TestLintLibrary(t *testing.T) {
	if got := lint(t, map[string]string{
		"gate.rego": "package proxaudit\nimport data.lib\nallow if lib.ok(input.host)",
		"lib.rego":  "package lib\nok(h) if h == \"ok.test\"\nother if input.port == 1",
	}); got != "" {
		t.Errorf("found:\n%s", got)
	}
}

func TestLintMissing(t *testing.T) {
	if found, err := (Options{}).Lint(context.Background(), filepath.Join(t.TempDir(), "none.rego")); err == nil {
		t.Errorf("found %+v and no error", found)
	}
}
