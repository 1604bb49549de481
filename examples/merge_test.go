package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMergeUpdate is a policy's second week: learned, signed with words of a
// person's own, and then one dependency is updated. What a reviewer sees is that
// package and nothing else; merged, it passes, and the words are where they were.
func TestMergeUpdate(t *testing.T) {
	t.Parallel()
	needNpm(t)
	binary := build(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	install := func(want int, version string, args ...string) (out string) {
		t.Helper()
		project := t.TempDir()
		write(t, filepath.Join(project, "package.json"), `{"private": true}`)
		args = append(args, "--", "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "is-odd@3.0.1", "ms@"+version)
		cmd := patientCommand(t, binary, args...)
		cmd.Dir, cmd.Env = project, append(os.Environ(), "npm_config_cache="+t.TempDir())
		var stderr strings.Builder
		cmd.Stderr = &stderr
		stdout, _ := cmd.Output()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, want, stdout, stderr.String())
		}
		return string(stdout) + stderr.String()
	}
	install(0, "2.1.2", "learn", "-o", path("policy.yaml"))
	signed := strings.Replace(read(t, path("policy.yaml")), "  - pkg:npm/ms@", "  # Ann: used by the nightly job\n  - pkg:npm/ms@", 1) +
		"\n# by hand\nlog:\n  - https://nightly.example.org/**  # ours\n"
	write(t, path("policy.yaml"), signed)

	diff := install(3, "2.1.3", "learn", "-diff", path("policy.yaml"), "-o", path("drift.diff"), "-fail-on-drift", "-output", path("events.jsonl"))
	if want := "says nothing about 1 request, 1 new package; 1 rule no longer seen"; !strings.Contains(diff, want) {
		t.Errorf("want %q in\n%s", want, diff)
	}
	var changed []string
	for line := range strings.Lines(read(t, path("drift.diff"))) {
		if regexp.MustCompile(`^[-+][^-+]`).MatchString(line) {
			changed = append(changed, regexp.MustCompile(`# seen in 1 of 1 run, [^;\n]*`).ReplaceAllString(line, "#"))
		}
	}
	if got := regexp.MustCompile(`\d{4}-\d\d-\d\d`).ReplaceAllString(strings.Join(changed, ""), "DATE"); got != `-  - pkg:npm/ms@2.1.2  #
+  - pkg:npm/ms@2.1.2  #; not seen since DATE
+  - pkg:npm/ms@2.1.3  #
` {
		t.Errorf("a reviewer sees:\n%s", read(t, path("drift.diff")))
	}

	if out := install(1, "2.1.3", "enforce", "-policy", path("policy.yaml")); !strings.Contains(out, "pkg:npm/ms@2.1.3") {
		t.Errorf("the new package is not named:\n%s", out)
	}
	merge := patientCommand(t, binary, "learn", "-merge", path("policy.yaml"), "-o", path("policy.yaml"), "-from", path("events.jsonl"))
	if out, err := merge.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	merged := read(t, path("policy.yaml"))
	for line := range strings.Lines(signed) {
		if !strings.Contains(merged, strings.TrimSuffix(line, "\n")) {
			t.Errorf("the line %q is lost from\n%s", line, merged)
		}
	}
	install(0, "2.1.3", "enforce", "-policy", path("policy.yaml"))
	again := install(0, "2.1.3", "learn", "-diff", path("policy.yaml"), "-o", path("again.diff"), "-fail-on-drift")
	if rest := read(t, path("again.diff")); rest != "" {
		t.Errorf("still drift:\n%s%s", rest, again)
	}
}
