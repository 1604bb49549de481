package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// TestREADME runs every command of the shell blocks of the README and docs. A
// block that is not known here fails: its commands would be run by nobody.
func TestREADME(t *testing.T) {
	t.Parallel()
	const (
		install = "go install ./cmd/proxaudit"
		inCI    = "proxaudit check -policy policy.yaml\n" +
			"proxaudit enforce -policy policy.yaml -output events.jsonl -- npm ci\n" +
			"proxaudit learn -diff policy.yaml -from events.jsonl"
		mainJob = "sh examples/npm/learn-and-enforce.sh"
		tests   = "go test ./..."
		use     = "proxaudit learn -o policy.yaml -- npm ci\n" +
			"proxaudit enforce -policy policy.yaml -- npm ci\n" +
			"proxaudit audit -output events.jsonl -- npm ci"
		learning = "proxaudit audit -output run-1.jsonl -- npm ci\n" +
			"proxaudit learn -from run-*.jsonl -o policy.yaml\n" +
			"proxaudit learn -merge policy.yaml -o policy.yaml -- npm ci\n" +
			"proxaudit learn -diff policy.yaml -fail-on-drift -from run-1.jsonl\n" +
			"proxaudit learn -lockfile package-lock.json -registry npm=$(npm config get registry) -o lock.yaml\n" +
			"proxaudit enforce -policy policy.yaml -lockfile package-lock.json -- npm ci\n" +
			"proxaudit score -policy policy.yaml"
	)
	run := map[string]func(*testing.T){
		install: func(t *testing.T) {
			bin := t.TempDir()
			shell(t, "..", install, "GOBIN="+bin)
			if out := shell(t, bin, "./proxaudit help"); !strings.Contains(out, "proxaudit enforce") {
				t.Errorf("got %s", out)
			}
		},
		mainJob: func(t *testing.T) {
			needNpm(t)
			if out := shell(t, "..", mainJob); !strings.Contains(out, "the second npm ci passed under the learned policy") {
				t.Errorf("it ended without saying so:\n%s", out)
			}
		},
		tests: func(t *testing.T) {
			if !regexp.MustCompile(`(?m)\bgo test \./\.\.\.$`).MatchString(read(t, filepath.Join("..", ".ci", "run"))) {
				t.Errorf(".ci/run does not call %q", tests)
			}
		},
		use: func(t *testing.T) {
			dir := runAroundNpm(t, use)
			if log := read(t, filepath.Join(dir, "events.jsonl")); !strings.Contains(log, "is-number") {
				t.Errorf("the recording does not name the package:\n%s", log)
			}
		},
		inCI: func(t *testing.T) {
			dir := runAroundNpm(t, "proxaudit learn -o policy.yaml -- npm ci\nrm -r cache\n"+inCI)
			if log := read(t, filepath.Join(dir, "events.jsonl")); !strings.Contains(log, `"mode":"enforce"`) || !strings.Contains(log, "is-number") {
				t.Errorf("the recording does not name the package:\n%s", log)
			}
		},
		learning: func(t *testing.T) {
			dir := runAroundNpm(t, learning)
			for _, name := range []string{"policy.yaml", "lock.yaml"} {
				if policy := read(t, filepath.Join(dir, name)); !strings.Contains(policy, "- pkg:npm/is-number@7.0.0") {
					t.Errorf("%s does not name the package:\n%s", name, policy)
				}
			}
		},
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindAllStringSubmatch(manual(t), -1)
	for _, b := range blocks {
		f, known := run[b[1]]
		if !known {
			t.Errorf("no test runs this block:\n%s", b[1])
			continue
		}
		delete(run, b[1])
		t.Run(strings.Fields(b[1])[1], func(t *testing.T) {
			t.Parallel()
			f(t)
		})
	}
	for block := range run {
		t.Errorf("neither the README nor docs have the block\n%s", block)
	}
}

// runAroundNpm runs lines that wrap npm ci in a project of one package, and returns
// where. Not every registry answers audits, and what fails is not learned.
func runAroundNpm(t *testing.T, lines string) (dir string) {
	t.Helper()
	needNpm(t)
	dir = t.TempDir()
	write(t, filepath.Join(dir, "package.json"), `{"private": true, "dependencies": {"is-number": "7.0.0"}}`)
	shell(t, dir, "npm install --package-lock-only --no-audit --no-fund")
	shell(t, dir, "set -e\nexport npm_config_cache=$PWD/cache npm_config_audit=false\n"+lines, pathTo(build(t)))
	return dir
}

// TestLinks: what the README and docs refer to is there.
func TestLinks(t *testing.T) {
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(docs, "../README.md") {
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(read(t, file), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), link[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// pathTo is a PATH on which a program comes first.
func pathTo(program string) string {
	return "PATH=" + filepath.Dir(program) + string(os.PathListSeparator) + os.Getenv("PATH")
}

// needNpm skips where npm or its registry is not there, proxaudit or not.
func needNpm(t *testing.T) {
	t.Helper()
	needClient(t, "npm")
	if err := askNpm(); err != nil {
		skip(t, err.Error())
	}
}

// askNpm asks npm's registry, once for all tests.
var askNpm = sync.OnceValue(func() error {
	if out, err := exec.Command("npm", "view", "is-number", "version").CombinedOutput(); err != nil {
		return fmt.Errorf("npm reaches no registry: %s", out)
	}
	return nil
})

// shell runs a script, with variables besides those that there are, and returns
// what it printed.
func shell(t *testing.T, dir, script string, env ...string) string {
	t.Helper()
	cmd := patientCommand(t, "sh", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// manual is the README and what is in docs.
func manual(t *testing.T) string {
	t.Helper()
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("%v, %d files in docs", err, len(docs))
	}
	text := read(t, "../README.md")
	for _, file := range docs {
		text += "\n" + read(t, file)
	}
	return text
}

// TestREADMEPolicy reads each policy of the README and docs.
func TestREADMEPolicy(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(manual(t), -1)
	if len(blocks) < 2 {
		t.Errorf("the README and docs show %d policies", len(blocks))
	}
	for _, b := range blocks {
		file := filepath.Join(t.TempDir(), "policy.yaml")
		write(t, file, b[1])
		if _, err := allowlist.Load(file); err != nil {
			t.Error(err)
		}
	}
}
