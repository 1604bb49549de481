package rego

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/juliendoutre/proxaudit/policy"
)

// reference is the policy that examples/rego shows.
const reference = "../../examples/rego"

const npmOrigin = "https://npm.example.org/"

// npmProcess is npm, and scriptProcess what npm runs for a package.
func npmProcess() *policy.Process {
	return &policy.Process{PID: 7, Exe: "/usr/bin/node", Argv: []string{"npm ci"}, Parents: []string{"/usr/bin/bash", "/usr/lib/systemd/systemd"}}
}

func scriptProcess() *policy.Process {
	return &policy.Process{PID: 8, Exe: "/usr/bin/node", Argv: []string{"node", "bundle.js"}, Parents: []string{"/usr/bin/dash", "/usr/bin/node", "/usr/bin/bash"}}
}

// ask makes a request as the proxy does.
func ask(t testing.TB, method, host, target, purl string, by *policy.Process) *policy.Request {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	path, err := policy.CanonicalPath(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &policy.Request{Method: method, Scheme: "https", Host: host, Port: 443, Path: path, Query: query, Process: by, Package: purl}
	if purl != "" && host == "npm.example.org" {
		r.Registry = npmOrigin
	}
	return r
}

// TestReference has what a build asks for, and what real payloads sent in its
// name between 2024 and 2026.
func TestReference(t *testing.T) {
	p, err := Load(context.Background(), reference)
	if err != nil {
		t.Fatal(err)
	}
	const npm, api = "npm.example.org", "api.github.com"
	for _, tt := range []struct {
		method, host, target, purl string
		by                         *policy.Process
		want                       string // the rule; "" where any that denies will do
	}{
		{"GET", npm, "/is-number", "pkg:npm/is-number", npmProcess(), "a package of the lockfile"},
		{"GET", npm, "/is-number/-/is-number-7.0.0.tgz", "pkg:npm/is-number@7.0.0", npmProcess(), "a package of the lockfile"},
		{"HEAD", npm, "/@babel%2Fcore", "pkg:npm/%40babel/core", npmProcess(), "a package of the lockfile"},
		{"GET", api, "/repos/example/app/releases/latest", "", npmProcess(), "a repository to read from"},
		{"GET", api, "/repos/example/app/releases/latest", "", nil, "a repository to read from"},

		// Look-alikes and what is not locked.
		{"GET", npm, "/is-numbers/-/is-numbers-7.0.0.tgz", "pkg:npm/is-numbers@7.0.0", npmProcess(), "not in the lockfile"},
		{"GET", npm, "/is-number/-/is-number-7.0.1.tgz", "pkg:npm/is-number@7.0.1", npmProcess(), "not in the lockfile"},
		{"GET", "evil.test", "/is-number/-/is-number-7.0.0.tgz", "pkg:npm/is-number@7.0.0", npmProcess(), "nothing allows it"},
		{"GET", npm, "/is-number", "pkg:npm/is-number", scriptProcess(), "no network for install scripts"},
		{"GET", npm, "/is-number", "pkg:npm/is-number", nil, "nothing allows it"},
		{"CONNECT", npm, "", "", npmProcess(), "nothing allows it"},
		{"CONNECT", api, "", "", npmProcess(), "nothing allows it"},

		// Shai-Hulud, 9/2025 and 11/2025.
		{"GET", npm, "/-/whoami", "", npmProcess(), ""},
		{"GET", npm, "/-/npm/v1/tokens", "", npmProcess(), ""},
		{"PUT", npm, "/is-number", "pkg:npm/is-number", npmProcess(), "nothing is published"},
		{"HEAD", api, "/user", "", npmProcess(), ""},
		{"POST", api, "/user/repos", "", npmProcess(), ""},
		{"PUT", api, "/repos/attacker/Shai-Hulud/contents/data.json", "", npmProcess(), ""},
		{"PUT", api, "/repos/example/app/contents/actionsSecrets.json", "", npmProcess(), ""},
		{"GET", api, "/search/commits?q=beacon", "", npmProcess(), ""},
		{"GET", "github.com", "/oven-sh/bun/releases/download/x/bun.zip", "", npmProcess(), ""},
		{"GET", "169.254.169.254", "/latest/meta-data/iam", "", npmProcess(), ""},
		{"POST", "secretsmanager.eu-west-1.amazonaws.com", "/", "", npmProcess(), ""},
		{"POST", "webhook.site", "/00000000-0000", "", npmProcess(), ""},
		// nx s1ngularity, 8/2025.
		{"PUT", api, "/repos/attacker/s1ngularity-repository-0/contents/results.b64", "", scriptProcess(), ""},
		// Ultralytics, 12/2024; tj-actions, 3/2025.
		{"GET", api, "/repos/ultralytics/ultralytics/git/blobs/0123", "", npmProcess(), ""},
		{"GET", "gist.githubusercontent.com", "/a/b/raw/memdump.py", "", npmProcess(), ""},
		// Trivy, KICS, LiteLLM, axios, 3/2026; Mini Shai-Hulud, 4/2026.
		{"POST", "scan.aquasecurtiy.org", "/", "", npmProcess(), ""},
		{"GET", "checkmarx.zone", "/raw", "", npmProcess(), ""},
		{"POST", "models.litellm.cloud", "/", "", npmProcess(), ""},
		{"POST", "sfrclak.com", "/6202033", "", npmProcess(), ""},
		{"POST", "filev2.getsession.org", "/upload", "", npmProcess(), ""},
		// Verbs of an allowed host.
		{"POST", api, "/repos/example/app/git/blobs", "", npmProcess(), ""},
		{"PATCH", api, "/repos/example/app/git/refs/heads/main", "", npmProcess(), ""},
		{"POST", api, "/repos/example/app/forks", "", npmProcess(), ""},
		{"POST", api, "/gists", "", npmProcess(), ""},
		{"POST", api, "/graphql", "", npmProcess(), ""},
		{"GET", api, "/repos/example%2Fapp/x", "", npmProcess(), ""},
		{"GET", api, "/REPOS/example/app", "", npmProcess(), ""},
	} {
		t.Run(tt.method+" "+tt.host+tt.target, func(t *testing.T) {
			d, err := p.Decide(context.Background(), ask(t, tt.method, tt.host, tt.target, tt.purl, tt.by))
			allow := strings.HasPrefix(tt.want, "a ")
			if err != nil || (d.Action == policy.Allow) != allow || tt.want != "" && d.Rule != tt.want {
				t.Errorf("%+v, %v; want the rule %q", d, err, tt.want)
			}
			if d.Passthrough || len(d.Networks) > 0 {
				t.Errorf("it opens more: %+v", d)
			}
		})
	}
}

// TestReferenceTests runs the policy's own tests, which must leave no line of it
// out.
func TestReferenceTests(t *testing.T) {
	modules := map[string]*ast.Module{}
	for _, name := range []string{"gate.rego", "gate_test.rego"} {
		text, err := os.ReadFile(filepath.Join(reference, name))
		if err != nil {
			t.Fatal(err)
		}
		m, err := ast.ParseModuleWithOpts(name, string(text), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		if err != nil {
			t.Fatal(err)
		}
		modules[name] = m
	}
	text, err := os.ReadFile(filepath.Join(reference, "data.json"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := parseJSON("data.json", text)
	if err != nil {
		t.Fatal(err)
	}
	coverage := cover.New()
	results, err := tester.NewRunner().
		SetStore(inmem.NewFromObject(data.(map[string]any))).
		SetModules(modules).
		SetCoverageQueryTracer(coverage).
		RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for r := range results {
		if ran++; !r.Pass() {
			t.Errorf("%s", r)
		}
	}
	if ran == 0 {
		t.Error("no test ran")
	}
	if report := coverage.Report(modules).Files["gate.rego"]; report == nil || report.Coverage < 100 {
		t.Errorf("lines that no test reaches: %+v", report)
	}
}

// BenchmarkDecideReference is what a wrapped run pays for each request: the input
// and the decision, for a package of the lockfile (in the middle of the policy)
// and for what nothing allows (at its end).
func BenchmarkDecideReference(b *testing.B) {
	p, err := Load(context.Background(), reference)
	if err != nil {
		b.Fatal(err)
	}
	p.timeout = time.Minute // a busy machine is not what this measures
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, r := range map[string]*policy.Request{
		"package":    ask(b, "GET", "npm.example.org", "/is-number/-/is-number-7.0.0.tgz", "pkg:npm/is-number@7.0.0", npmProcess()),
		"repository": ask(b, "GET", "api.github.com", "/repos/example/app/releases/latest", "", npmProcess()),
		"denied":     ask(b, "POST", "api.github.com", "/user/repos", "", npmProcess()),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Decide(ctx, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
