package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestLearnThenEnforceAsAUser is the main job where root runs the tests, by a
// user that owns nothing but a home: confined without a privilege, on the real
// registries. Where a user runs them, TestBaseline is that already.
func TestLearnThenEnforceAsAUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("TestBaseline ran as an ordinary user")
	}
	t.Parallel()
	dir := commonDir(t)
	binary := filepath.Join(dir, "proxaudit")
	if err := os.Rename(build(t), binary); err != nil {
		t.Fatal(err)
	}
	linkRust(t, filepath.Join(dir, "tools"))
	for _, p := range projects {
		if p.dir != "npm" && p.dir != "cargo" {
			continue // the others differ from these by their client alone
		}
		t.Run(p.dir, func(t *testing.T) {
			t.Parallel()
			needClient(t, p.command[0])
			if p.dir == "npm" {
				// How many packages there are says nothing of the user.
				small := t.TempDir()
				copyTo(t, small, p.dir)
				shell(t, small, lockedProjects[0].setup)
				p.dir = small
			}
			policy := filepath.Join(commonDir(t), "policy.yaml")
			give(t, filepath.Dir(policy))
			out, code := p.runAsUser(t, dir, binary, "learn", "-o", policy, "--")
			if code != 0 {
				t.Fatalf("learn: exit code %d\n%s", code, out)
			}
			if out, code := p.runAsUser(t, dir, binary, "enforce", "-policy", policy, "--"); code != 0 || !strings.Contains(out, " 0 denied") {
				t.Fatalf("enforce with the learned policy: exit code %d\n%s\n%s", code, out, read(t, policy))
			}
			cut, rules := p.without(read(t, policy))
			if rules == 0 {
				t.Fatalf("the policy has no rule for %s:\n%s", p.pulled, read(t, policy))
			}
			write(t, policy, cut)
			if out, code := p.runAsUser(t, dir, binary, "enforce", "-policy", policy, "--"); code == 0 || !strings.Contains(out, "- "+p.pulled) {
				t.Errorf("enforce without the rules for %s: exit code %d\n%s", p.pulled, code, out)
			}
		})
	}
}

// runAsUser runs the client of p, behind the words of wrap, in a fresh copy of the
// project that is the user's, with an empty home.
func (p project) runAsUser(t *testing.T, dir string, wrap ...string) (string, int) {
	t.Helper()
	home := commonDir(t)
	if err := os.CopyFS(filepath.Join(home, "project"), os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	give(t, home)
	args := slices.Concat(wrap, p.command)
	cmd := patientCommand(t, args[0], args[1:]...)
	cmd.Dir = filepath.Join(home, "project")
	cmd.Env = []string{"PATH=" + clientPath(dir), "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8"}
	cmd.Env = append(cmd.Env, persistence()...)
	if registry, err := exec.CommandContext(t.Context(), "npm", "config", "get", "registry").Output(); err == nil {
		cmd.Env = append(cmd.Env, "npm_config_registry="+strings.TrimSpace(string(registry)))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended(t, cmd, cmd.Run(), &out)
	return out.String(), cmd.ProcessState.ExitCode()
}
