package allowlist

import (
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestProcesses: a rule may be for what some program asks for, itself or by what
// it starts. Not to know who asked never earns anything.
func TestProcesses(t *testing.T) {
	p := mustParse(t, `
registries: {npm: "https://npm.example.org/"}
allow:
  - {host: ok.test, processes: [git]}
  - {host: ok.test, paths: [/node/**], processes: [/usr/bin/node, /opt/*/bin/node]}
  - {package: pkg:npm/lodash, processes: [npm]}
  - {host: db.test, ports: [5432], schemes: [tcp], processes: [psql]}
  - {host: pinned.test, tls: passthrough, processes: [agent]}
  - {host: other.test}
deny:
  - {host: other.test, processes: [curl]}
`)
	node := &policy.Process{PID: 1, Exe: "/usr/bin/node", Parents: []string{"/bin/sh", "/usr/bin/npm"}}
	tests := []struct {
		request string
		process *policy.Process
		want    policy.Action
	}{
		{"https://ok.test/", &policy.Process{Exe: "/usr/lib/git-core/git"}, policy.Allow},
		{"https://ok.test/", &policy.Process{Exe: "/usr/lib/git-core/git-remote-https", Parents: []string{"/usr/bin/git"}}, policy.Allow},
		{"https://ok.test/", &policy.Process{Exe: "/usr/bin/git-evil"}, policy.Deny},
		{"https://ok.test/", nil, policy.Deny},
		{"https://ok.test/node/x", node, policy.Allow},
		{"https://ok.test/node/x", &policy.Process{Exe: "/opt/v20/bin/node"}, policy.Allow},
		{"https://ok.test/node/x", &policy.Process{Exe: "/tmp/usr/bin/node"}, policy.Deny},
		{"https://ok.test/node/x", &policy.Process{Exe: "/opt/a/b/bin/node"}, policy.Deny},
		{"tcp://db.test:5432", &policy.Process{Exe: "/usr/bin/psql"}, policy.Allow},
		{"tcp://db.test:5432", node, policy.Deny},
		{"CONNECT https://pinned.test", &policy.Process{Exe: "/usr/bin/agent"}, policy.Allow},
		{"CONNECT https://pinned.test", node, policy.Deny},
		{"https://other.test/", node, policy.Allow},
		{"https://other.test/", &policy.Process{Exe: "/usr/bin/curl"}, policy.Deny},
		{"https://other.test/", nil, policy.Deny},
	}
	for _, tt := range tests {
		q := request(t, tt.request)
		q.Process = tt.process
		if d := decide(t, p, q); d.Action != tt.want {
			t.Errorf("%s by %+v: %+v, want %s", tt.request, tt.process, d, tt.want)
		}
	}
	q := &policy.Request{Method: "GET", Scheme: "https", Host: "npm.example.org", Port: 443, Path: "/lodash", Package: "pkg:npm/lodash", Registry: "https://npm.example.org/"}
	for process, want := range map[*policy.Process]policy.Action{node: policy.Allow, {Exe: "/bin/sh"}: policy.Deny, nil: policy.Deny} {
		q.Process = process
		if d := decide(t, p, q); d.Action != want {
			t.Errorf("package by %+v: %+v, want %s", process, d, want)
		}
	}
}

func TestBadProcesses(t *testing.T) {
	for _, bad := range []string{`""`, "'[a'", "bin/node", "[x]"} {
		if _, err := Parse("policy.yaml", []byte("version: 1\nallow:\n  - {host: ok.test, processes: ["+bad+"]}\n")); err == nil {
			t.Errorf("processes: [%s] was taken", bad)
		}
	}
}
