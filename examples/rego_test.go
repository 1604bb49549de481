package examples

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRegoGate holds a real npm to the policy in Rego: what the lockfile names is
// installed, another package is refused, and so is all that an install script
// asks for.
func TestRegoGate(t *testing.T) {
	t.Parallel()
	needNpm(t)
	needClient(t, "node")
	needClient(t, "curl")
	binary, dir := build(t), t.TempDir()
	quiet := []string{"npm_config_audit=false", "npm_config_fund=false"}
	registry := strings.TrimSpace(shell(t, dir, "npm config get registry"))
	project := func(scripts string) {
		write(t, filepath.Join(dir, "package.json"), `{"private": true, "scripts": `+scripts+`, "dependencies": {"is-number": "7.0.0"}}`)
	}
	project("{}")
	shell(t, dir, "npm install --package-lock-only", quiet...)
	if err := os.CopyFS(filepath.Join(dir, "gate"), os.DirFS("rego")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "gate", "data.json"), shell(t, dir, "node gate/lock.mjs package-lock.json example/app"))
	write(t, filepath.Join(dir, "registries.yaml"), "version: 1\nregistries:\n  npm: "+registry+"\n")

	enforce := func(command ...string) (string, int) {
		cmd := patientCommand(t, binary, append([]string{"enforce", "-policy", "registries.yaml", "-policy", "gate", "--"}, command...)...)
		cmd.Dir = dir
		cmd.Env = slices.Concat(os.Environ(), quiet, []string{"npm_config_cache=" + t.TempDir()})
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		ended(t, cmd, cmd.Run(), &out)
		return out.String(), cmd.ProcessState.ExitCode()
	}
	if out, code := enforce("npm", "ci"); code != 0 {
		t.Fatalf("npm ci: exit code %d\n%s", code, out)
	}
	if out, code := enforce("npm", "install", "--no-save", "left-pad@1.3.0"); code == 0 || !strings.Contains(out, "rule: not in the lockfile") {
		t.Errorf("a package that is not locked: exit code %d\n%s", code, out)
	}
	project(`{"postinstall": "curl -sS ` + registry + `is-number || true"}`)
	out, code := enforce("npm", "ci", "--foreground-scripts")
	if code != 3 || !strings.Contains(out, "rule: no network for install scripts") {
		t.Errorf("an install script: exit code %d\n%s", code, out)
	}
}
