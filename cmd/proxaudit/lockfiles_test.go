package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLockfileDigest: a server that watches its policies sees that a lockfile has
// changed, and takes what it loads then for what it saw.
func TestLockfileDigest(t *testing.T) {
	dir := t.TempDir()
	lock, policy, floor := filepath.Join(dir, "go.sum"), filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "floor.yaml")
	for path, text := range map[string]string{
		lock:   "example.org/a v1.0.0 h1:AAAA=\n",
		policy: "version: 1\nregistries: {golang: https://proxy.example.org/}\n",
		floor:  "version: 1\ndefault: allow\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := newPolicyLoader(policySources{policies: list{policy}, floors: list{floor}, lockfileFlags: lockfileFlags{lockfiles: list{lock}}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]bool{}
	for range 2 {
		p, err := l.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		now, err := l.digest(t.Context())
		if err != nil || now != p.hash {
			t.Errorf("digest %s, %v, and what is loaded has %s", now, err, p.hash)
		}
		digests[now] = true
		if err := os.WriteFile(lock, []byte("example.org/a v1.1.0 h1:AAAA=\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(digests) != 2 {
		t.Error("the digest is the same with another lockfile")
	}
}
