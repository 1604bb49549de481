package policytest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
	"github.com/juliendoutre/proxaudit/policy/rego"
)

// backend is a language for policies.
type backend struct {
	file string // in the files of testdata, and the name that rules begin with
	load func(t testing.TB, file string, data []byte) policy.Policy
	// silent is true where a policy that says nothing about a request has no rule
	// to name for it.
	silent bool
}

func backends() []backend {
	return []backend{
		{"policy.yaml", loadYAML, true},
		{"policy.rego", loadRego, false},
	}
}

func loadYAML(t testing.TB, file string, data []byte) policy.Policy {
	t.Helper()
	p, err := allowlist.Parse(file, data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return p
}

func loadRego(t testing.TB, file string, data []byte) policy.Policy {
	t.Helper()
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := rego.Load(context.Background(), path)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return p
}
