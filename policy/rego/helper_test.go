package rego

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// folder writes files, by slash name, below a new folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// gate writes one module and returns its path.
func gate(t testing.TB, source string) string {
	t.Helper()
	return filepath.Join(folder(t, map[string]string{"gate.rego": source}), "gate.rego")
}

// load loads one module, which must succeed. The package clause is added. A
// decision gets all the time a busy machine may need.
func load(t testing.TB, rules string) *Policy {
	t.Helper()
	p, err := Load(context.Background(), gate(t, "package proxaudit\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	p.timeout = time.Minute
	return p
}

// get is an ordinary request.
func get() *policy.Request {
	return &policy.Request{
		Method: "GET", Scheme: "https", Host: "ok.test", Port: 443,
		Path: "/a/b", Query: "q=1&q=2&r=x%20y",
		Header: map[string][]string{
			"Accept":     {"text/html", "text/plain"},
			"User-Agent": {"client/1.0"},
		},
	}
}
