package main

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inDirectory runs proxaudit in a directory and returns what it said and its code.
func inDirectory(t *testing.T, dir string, env []string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "proxaudit", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestEventsAreWhereTheyWereNamed: a command that moves their folder away has left
// something else there.
func TestEventsAreWhereTheyWereNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	said, code := inDirectory(t, dir, nil, "audit", "-isolation=netns", "-output", "events.jsonl",
		"--", "sh", "-c", "cd ..; mv run moved; mkdir run; echo forged > run/events.jsonl")
	if code != exitFailed || !strings.Contains(said, "events.jsonl was replaced meanwhile") {
		t.Errorf("code %d, said %s", code, said)
	}
}

// TestPolicyIsWrittenWhereItWasMeant: the command cannot have the policy written
// elsewhere, which under sudo root would do.
func TestPolicyIsWrittenWhereItWasMeant(t *testing.T) {
	for _, c := range []struct{ name, before, script, want string }{
		{name: "a link", script: "ln -sf $TARGET policy.yaml", want: ""},
		{name: "a link to a directory", script: "mv out moved; ln -s $(dirname $TARGET) out", want: "was moved or replaced meanwhile"},
		{name: "the directory", script: "cd ..; mv run moved", want: "was moved or replaced meanwhile"},
		{name: "a link that was there", before: "ln -s $TARGET policy.yaml", want: "is a link of user"},
		{name: "a link that was there to the directory", before: "rm -r out; ln -s $(dirname $TARGET) out", want: "is a link of user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var env []string
			root := os.Geteuid() == 0
			if root {
				env = []string{"SUDO_UID=65534", "SUDO_GID=65534"}
			} else if c.before != "" {
				t.Skip("this case is for root")
			}
			top, err := os.MkdirTemp("", "proxaudit-place") // where the caller may go
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(top) })
			target := filepath.Join(top, "roots", "out.yaml")
			t.Setenv("TARGET", target)
			const prepare = `cd $0; mkdir roots run run/out; echo untouched > $TARGET; chmod 755 . roots; cd run; `
			script := prepare + cmp.Or(c.before, "true")
			if root {
				script += "; chown -h 65534:65534 .. . out; test ! -L policy.yaml || chown -h 65534:65534 policy.yaml"
			}
			if out, err := exec.Command("sh", "-c", script, top).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			output := "policy.yaml"
			if strings.Contains(c.name, "to a directory") || strings.Contains(c.name, "to the directory") {
				output = "out/out.yaml"
			}
			said, code := inDirectory(t, filepath.Join(top, "run"), env, "learn", "-isolation=netns", "-o", output, "--", "sh", "-c", c.script+"; exit 0")
			if failed := code == exitFailed; failed != (c.want != "") || !strings.Contains(said, c.want) {
				t.Errorf("code %d, said %s", code, said)
			}
			if got, err := os.ReadFile(target); err != nil || string(got) != "untouched\n" {
				t.Errorf("ESCAPED: the target is %s, %v", got, err)
			}
		})
	}
}

// TestEventsAreWrittenWhereTheyAreMeant: a link that an earlier command left does not
// lead root elsewhere.
func TestEventsAreWrittenWhereTheyAreMeant(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this case is for root")
	}
	dir, err := os.MkdirTemp("", "proxaudit-place")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	target, link := filepath.Join(dir, "roots"), filepath.Join(dir, "events.jsonl")
	if err := errors.Join(os.WriteFile(target, []byte("untouched"), 0o644), os.Symlink("roots", link), os.Lchown(link, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	said, code := inDirectory(t, dir, []string{"SUDO_UID=65534", "SUDO_GID=65534"}, "audit", "-output", "events.jsonl", "--", "true")
	if got, err := os.ReadFile(target); err != nil || string(got) != "untouched" || code != exitFailed || !strings.Contains(said, "is a link of user 65534") {
		t.Errorf("code %d, the target is %s, %v; said %s", code, got, err, said)
	}
}

// TestPolicyIntoAPipe: what is no file is written to, and stays what it is.
func TestPolicyIntoAPipe(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "proxaudit learn -isolation=env -o /dev/fd/3 -- true 3>&1 >/dev/null 2>&1 | cat").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "version: 1") {
		t.Errorf("%v: %s", err, out)
	}
}
