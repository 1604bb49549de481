package main

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/overdue"
)

// inDirectory runs proxaudit in a directory and returns what it said and its code.
func inDirectory(t *testing.T, dir string, env []string, args ...string) (string, int) {
	t.Helper()
	overdue.Watch(t)
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
// elsewhere, which under sudo root would do; but a build may make its folders.
func TestPolicyIsWrittenWhereItWasMeant(t *testing.T) {
	const replaced = "was moved or replaced meanwhile"
	for _, c := range []struct {
		name, output, before, script string
		sudo, plain                  string // the error under sudo, and else; "-" where that is not tried
	}{
		{"a link", "policy.yaml", "", "ln -sf $TARGET policy.yaml", "", ""},
		{"a link to a folder", "out/out.yaml", "", "mv out moved; ln -s $(dirname $TARGET) out", replaced, "was replaced meanwhile by a link"},
		{"the folder is moved", "policy.yaml", "", "cd ..; mv run moved", replaced, "no such file or directory"},
		{"the folder is made anew", "out/out.yaml", "", "rm -r out; mkdir out", replaced, ""},
		{"the folder is made", "new/out.yaml", "", "mkdir new", "no such file or directory", ""},
		{"a link that was there", "policy.yaml", "ln -s $TARGET policy.yaml", "", "is a link of user", "-"},
		{"a link to a folder that was there", "out/out.yaml", "rm -r out; ln -s $(dirname $TARGET) out", "", "is a link of user", "-"},
	} {
		for _, how := range []struct{ name, want string }{{"sudo", c.sudo}, {"plain", c.plain}} {
			t.Run(c.name+"/"+how.name, func(t *testing.T) {
				if how.want == "-" {
					return // what led there before is the user's own
				}
				sudo := how.name == "sudo"
				if sudo && os.Geteuid() != 0 {
					t.Skip("this case is for root")
				}
				top := folders(t, c.before, sudo)
				var env []string
				if sudo {
					env = []string{"SUDO_UID=65534", "SUDO_GID=65534"}
				}
				run := filepath.Join(top, "run")
				said, code := inDirectory(t, run, env, "learn", "-isolation=netns", "-o", c.output, "--", "sh", "-c", c.script+"; exit 0")
				if failed := code == exitFailed; failed != (how.want != "") || !strings.Contains(said, how.want) {
					t.Errorf("code %d, said %s", code, said)
				}
				if got, err := os.ReadFile(os.Getenv("TARGET")); err != nil || string(got) != "untouched\n" {
					t.Errorf("ESCAPED: the target is %s, %v", got, err)
				}
				if how.want != "" {
					return
				}
				if policy, err := os.ReadFile(filepath.Join(run, c.output)); err != nil || !strings.Contains(string(policy), "version: 1") {
					t.Errorf("the policy is %s, %v", policy, err)
				}
			})
		}
	}
}

// folders makes the folder of a run and one outside of it with $TARGET, and returns
// what holds both; under sudo the first is the caller's.
func folders(t *testing.T, before string, sudo bool) string {
	t.Helper()
	top, err := os.MkdirTemp("", "proxaudit-place") // where the caller may go
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	t.Setenv("TARGET", filepath.Join(top, "roots", "out.yaml"))
	script := "cd $0; mkdir roots run run/out; echo untouched > $TARGET; chmod 755 . roots; cd run; " + cmp.Or(before, "true")
	if sudo {
		script += "; chown -h 65534:65534 .. . out; test ! -L policy.yaml || chown -h 65534:65534 policy.yaml"
	}
	if out, err := exec.Command("sh", "-c", script, top).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return top
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
