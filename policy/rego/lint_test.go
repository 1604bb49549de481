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
		{"allow is an object", "allow := {\"action\": \"allow\"} if input.host == \"ok.test\"", "gate.rego:2:10 error wrong-answer", "allow := input.host == \"ok.test\""},
		{"allow is a text", "allow := \"true\" if input.host == \"ok.test\"", "gate.rego:2:10 error wrong-answer", "allow := yes if input.host == \"ok.test\"\nyes := true"},
		{"allow is a set", "allow := {x | x := input.host}", "gate.rego:2:10 error wrong-answer", "allow := startswith(input.path, \"/\")"},
		{"allow in an else", "allow if input.host == \"ok.test\"\nelse := \"no\"", "gate.rego:3:9 error wrong-answer", "allow if input.host == \"ok.test\"\nelse := false"},
		{"decision is a boolean", "decision := true if input.host == \"ok.test\"", "gate.rego:2:13 error wrong-answer", "decision := d if input.host == \"ok.test\"\nd := {\"action\": \"allow\"}"},
		{"misspelled action", "decision := {\"action\": \"alow\"} if input.host == \"ok.test\"", "gate.rego:2:13 error wrong-answer", "decision := {\"action\": \"log\"} if input.host == \"ok.test\""},
		{"misspelled key", "decision := {\"acton\": \"allow\"} if input.host == \"ok.test\"", "gate.rego:2:13 error wrong-answer", "decision := {\"action\": \"allow\", \"reason\": sprintf(\"%s\", [input.host])} if input.host == \"ok.test\""},
		{"no action", "decision := {\"reason\": input.host} if input.host == \"ok.test\"", "gate.rego:2:13 error wrong-answer", "decision := {\"action\": a} if input.host == \"ok.test\"\na := \"allow\""},
		{"host bits in a network", "decision := {\"action\": \"allow\", \"networks\": [\"10.1.2.3/8\"]} if input.host == \"ok.test\"", "gate.rego:2:13 error wrong-answer", "decision := {\"action\": \"allow\", \"networks\": [\"10.0.0.0/8\"]} if input.host == \"ok.test\""},
		{"the word for TLS on raw TCP", "decision := {\"action\": \"allow\", \"tls\": \"passthrough\"} if { input.host == \"ok.test\"; input.scheme == \"tcp\" }", "gate.rego:2:13 error wrong-answer", "decision := {\"action\": \"allow\", \"tcp\": \"passthrough\"} if { input.host == \"ok.test\"; input.scheme == \"tcp\"; not input.method == \"GET\" }"},
		{"the word for raw TCP on TLS", "decision := {\"action\": \"allow\", \"tcp\": \"passthrough\"} if { \"https\" == input.scheme; input.host == \"ok.test\" }", "gate.rego:2:13 error wrong-answer", "decision := {\"action\": \"allow\", \"tls\": \"passthrough\"} if { \"https\" == input.scheme; input.host == \"ok.test\" }"},
		{"the word for TLS on a request", "decision := {\"action\": \"allow\", \"tls\": \"passthrough\", \"tcp\": \"passthrough\"} if { input.method == \"GET\"; input.host == \"ok.test\" }", "gate.rego:2:13 error wrong-answer", "decision := {\"action\": \"allow\", \"tls\": \"passthrough\", \"tcp\": \"passthrough\"} if { input.method == \"CONNECT\"; input.host == \"ok.test\" }"},
		{"two constants", "allow := true\nallow := false", "gate.rego:2:1 warning always-allows\ngate.rego:3:1 error conflicting-rules", "allow := false\nallow := false"},
		{"two decisions", "decision := {\"action\": \"allow\"} if input.port == 1\ndecision := {\"action\": \"deny\"} if input.port == 2", "gate.rego:3:1 note conflicting-rules", "decision := {\"action\": \"allow\"} if input.port == 1\nelse := {\"action\": \"deny\"} if input.port == 2"},
		{"missing data", "allow if input.host in data.allowed", "gate.rego:2:24 warning missing-data", "allow if input.host in data.globs"},
		{"missing data further in", "allow if data.hosts.listed[input.host]", "gate.rego:2:10 warning missing-data", "allow if data.hosts[input.host]"},
		{"missing data behind a variable", "allow if data.hots[input.host]", "gate.rego:2:10 warning missing-data", "allow if data.hosts[input.path]"},
		{"host with a port", "allow if input.host == \"ok.test:443\"", "gate.rego:2:24 warning never-equal", "allow if { input.host == \"ok.test\"; input.port == 443 }"},
		{"host in capitals", "allow if \"OK.test\" == input.attributes.request.http.host", "gate.rego:2:10 warning never-equal", "allow if \"ok.test:8443\" == input.attributes.request.http.host"},
		{"host with a star", "allow if input.host in {\"*.ok.test\", \"ok.test\"}", "gate.rego:2:25 warning never-equal", "allow if input.host in {\"a.ok.test\", \"ok.test\"}"},
		{"host that is a URL", "allow if input.host in [\"https://ok.test\"]", "gate.rego:2:25 warning never-equal", "allow if input.host in [\"ok.test\"]"},
		{"method in lower case", "allow if input.method == \"get\"", "gate.rego:2:26 warning never-equal", "allow if input.method == \"GET\""},
		{"path without a slash", "allow if input.path == \"v1\"", "gate.rego:2:24 warning never-equal", "allow if input.path == \"/v1\""},
		{"scheme with a colon", "allow if input.scheme == \"https:\"", "gate.rego:2:26 warning never-equal", "allow if input.scheme in {\"https\", \"http\", \"wss\", \"ws\", \"tcp\"}"},
		{"end of a host", "allow if endswith(input.host, \"ok.test\")", "gate.rego:2:31 warning loose-host", "allow if endswith(input.host, \".ok.test\")"},
		{"part of a host", "allow if contains(input.host, \"ok.test\")", "gate.rego:2:31 warning loose-host", "allow if contains(input.path, \"ok.test\")"},
		{"beginning of a host", "allow if startswith(input.host, \"ok.test\")", "gate.rego:2:33 warning loose-host", "allow if startswith(input.path, \"/a\")"},
		{"expression that finds a host", "allow if regex.match(`^ok\\.test`, input.host)", "gate.rego:2:22 warning loose-host", "allow if regex.match(`^ok\\.test$`, input.host)"},
		{"part of an authority", "allow if regex.match(\"ok\", input.attributes.request.http.host)", "gate.rego:2:22 warning loose-host", "allow if endswith(input.attributes.request.http.host, \".ok.test\")"},
		{"broken expression", "allow if regex.match(\"(\", input.path)", "gate.rego:2:22 error bad-pattern", "allow if regex.match(\"a\", input.path)"},
		{"header in capitals", "allow if input.headers[\"X-A\"] == \"a\"", "gate.rego:2:24 warning header-case", "allow if input.headers[\"x-a\"] == \"A\""},
		{"print of headers", "allow if { print(input.headers[\"a\"]); input.host == \"ok.test\" }", "gate.rego:2:12 warning prints-secrets", "allow if { print(input.host); input.host == \"ok.test\" }"},
		{"print of everything", "allow if { print(\"in\", input); input.host == \"ok.test\" }", "gate.rego:2:12 warning prints-secrets", "allow if { print(input.path); input.host == \"ok.test\" }"},
		{"print of the query", "allow if { print(input.query); input.host == \"ok.test\" }", "gate.rego:2:12 warning prints-secrets", "allow if { print(\"query\"); input.host == \"ok.test\" }"},
		{"a name with two values", "allow if input.host in hosts\nhosts := {\"a.test\"}\nhosts := {\"b.test\"}", "gate.rego:4:1 error conflicting-rules", "allow if { input.host == \"ok.test\"; input.port == port }\nport := 443 if input.scheme == \"https\"\nport := 80 if input.scheme == \"http\""},
		{"no condition in braces", "allow if {}", "gate.rego:2:1 warning always-allows", "allow if false"},
		{"in a text", "allow if input.method in \"GET\"", "gate.rego:2:10 warning never-equal", "allow if input.method in {\"GET\"}"},
		{"expression and host exchanged", "allow if regex.match(input.path, \"/a\")", "gate.rego:2:22 warning swapped-arguments", "allow if regex.match(\"^/a$\", input.path)"},
		{"text and part exchanged", "allow if startswith(\"/a/b\", input.path)", "gate.rego:2:29 warning swapped-arguments", "allow if startswith(input.path, \"/a/b\")"},
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
