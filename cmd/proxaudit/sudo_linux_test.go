package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/overdue"
)

// TestSudoCaller: what a run under sudo leaves belongs to who called, who cannot
// write to the events before it has ended; a file that was there stays whose it was.
func TestSudoCaller(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this case is for root")
	}
	overdue.Watch(t)
	const caller = 65534
	dir, err := os.MkdirTemp("", "proxaudit-sudo") // where the caller may go
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chown(dir, caller, caller); err != nil {
		t.Fatal(err)
	}
	run := func(script string, flags ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "proxaudit", append(flags, "--", "sh", "-c", script)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "SUDO_UID=65534", "SUDO_GID=65534")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	ownedBy := func(name string, want uint32) {
		t.Helper()
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t); got.Uid != want || got.Gid != want {
			t.Errorf("%s is owned by %d:%d, want %d", name, got.Uid, got.Gid, want)
		}
	}
	const forge = "id -u; test -e events.jsonl && (echo forged >> events.jsonl) && echo FORGED; true"
	if out := run(forge, "learn", "-o", "policy.yaml", "-output", "events.jsonl"); !strings.HasPrefix(out, "65534\n") || strings.Contains(out, "FORGED") {
		t.Errorf("got %s", out)
	}
	ownedBy("policy.yaml", caller)
	ownedBy("events.jsonl", caller)
	if err := os.WriteFile(filepath.Join(dir, "roots.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run("true", "audit", "-output", "roots.jsonl")
	ownedBy("roots.jsonl", 0)
	// What the command makes of the path is not followed with root's rights.
	elsewhere, above := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "mine"), []byte("root's"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("rm policy.yaml && ln -s "+elsewhere+"/mine policy.yaml", "learn", "-o", "policy.yaml")
	if data, err := os.ReadFile(filepath.Join(elsewhere, "mine")); err != nil || string(data) != "root's" {
		t.Errorf("ESCAPED: root's file is now %q, %v", data, err)
	}
	ownedBy("policy.yaml", caller)
	// Nor is a folder given away through a link that was there before.
	if err := os.Symlink(above, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	run("true", "learn", "-o", "link/policy.yaml", "-output", "link/events.jsonl")
	for _, name := range []string{"link/policy.yaml", "link/events.jsonl"} {
		ownedBy(name, 0)
	}
}
