// Package examples holds projects whose dependencies proxaudit learns and then
// enforces, on the real package managers and whatever registries they are set
// up to use.
package examples

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// project is an example and the client that fetches its dependencies.
type project struct {
	dir     string
	command []string
	// caches are the variables that name the client's caches: each run gets
	// fresh ones, so that it fetches everything again.
	caches []string
	// pulled is a package that every run must have pulled; its rules are the
	// ones taken out of the policy. packages is how many there are at least.
	pulled   string
	packages int
}

var projects = []project{
	{
		dir: "npm", pulled: "pkg:npm/express", packages: 400,
		command: []string{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"},
		caches:  []string{"npm_config_cache"},
	},
	{
		dir: "pip", pulled: "pkg:pypi/flask", packages: 8,
		command: []string{"python3", "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "--target=installed", "-r", "requirements.txt"},
		caches:  []string{"PIP_CACHE_DIR"},
	},
	{
		dir: "go", pulled: "pkg:golang/github.com/google/uuid", packages: 3,
		command: []string{"go", "mod", "download"},
		caches:  []string{"GOMODCACHE"},
	},
	{
		dir: "cargo", pulled: "pkg:cargo/itoa", packages: 8,
		command: []string{"cargo", "fetch", "--quiet"},
		caches:  []string{"CARGO_HOME"},
	},
	{
		dir: "maven", pulled: "pkg:maven/com.google.guava/guava", packages: 30,
		command: []string{"mvn", "--batch-mode", "--quiet", "dependency:resolve"},
		caches:  []string{"MAVEN_REPOSITORY"}, // the test's own name; see run
	},
}

// run runs the client of p, behind the words of wrap, in a fresh copy of the
// project with empty caches, and returns what was printed.
func (p project) run(t *testing.T, wrap ...string) (string, int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	return p.runIn(t, dir, wrap...)
}

// runIn runs the client of p, behind the words of wrap, in dir with empty caches.
func (p project) runIn(t *testing.T, dir string, wrap ...string) (string, int) {
	t.Helper()
	args := slices.Concat(wrap, p.command)
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PIP_FIND_LINKS=") })
	env = append(env, "GOFLAGS=-modcacherw", "GOWORK=off")
	for _, name := range p.caches {
		cache := t.TempDir()
		if name == "MAVEN_REPOSITORY" {
			args = append(args, "-Dmaven.repo.local="+cache)
			continue
		}
		env = append(env, name+"="+cache)
	}
	cmd := patientCommand(t, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended(t, cmd, cmd.Run(), &out)
	return out.String(), cmd.ProcessState.ExitCode()
}

// without returns the policy less the rules for p.pulled, whatever their
// version, and how many those were.
func (p project) without(policy string) (string, int) {
	rule := regexp.MustCompile(`(?m)^\s*- "?` + regexp.QuoteMeta(p.pulled) + `(@\S*|"?)(\s.*)?\n`)
	return rule.ReplaceAllString(policy, ""), len(rule.FindAllString(policy, -1))
}

func (p project) isPulled(purl string) bool {
	return purl == p.pulled || strings.HasPrefix(purl, p.pulled+"@")
}

func needClient(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		skip(t, name+" is not installed")
	}
}

// skip skips with words; under CI, where everything is there, it fails.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("under CI this must run: %s", why)
	}
	t.Skip(why)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
