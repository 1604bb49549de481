package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// lockedProject is an example whose lockfile says all that a policy needs.
type lockedProject struct {
	project
	lockfile string
	// was is the version of project.pulled in the lockfile, is another one.
	was, is string
	// setup makes the lockfile, where the example has none that is small.
	setup string
	// ask prints the registry that the client is set up to use. Where it is empty,
	// what a first run reads from is asked.
	ask string
}

// lockedProjects run what a CI would run: with npm's advisories, with the checksum
// database and without.
var lockedProjects = []lockedProject{
	{
		project: project{
			dir: "npm", pulled: "pkg:npm/express", caches: []string{"npm_config_cache"},
			command: []string{"npm", "ci", "--ignore-scripts", "--audit", "--no-fund", "--loglevel=error"},
		},
		lockfile: "package-lock.json", was: "\"node_modules/express\": {\n      \"version\": \"4.21.2\"", is: "\"node_modules/express\": {\n      \"version\": \"4.21.1\"",
		// Some 70 packages: the example's own lockfile has eight times as many.
		setup: `rm package-lock.json; echo '{"dependencies": {"express": "4.21.2"}}' >package.json; npm install --package-lock-only --no-audit --no-fund --loglevel=error`,
		ask:   "npm config get registry",
	},
	{
		project: project{
			dir: "pip", pulled: "pkg:pypi/flask", caches: []string{"PIP_CACHE_DIR"},
			command: []string{"python3", "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "--target=installed", "-r", "requirements.txt"},
		},
		lockfile: "requirements.txt", was: "flask==3.1.0", is: "flask==3.0.3",
	},
	{
		project: project{
			dir: "go", pulled: "pkg:golang/github.com/google/uuid", caches: []string{"GOMODCACHE"},
			command: []string{"go", "build", "-o", os.DevNull, "./..."},
		},
		lockfile: "go.sum", was: "google/uuid v1.6.0", is: "google/uuid v1.5.0", ask: "go env GOPROXY | cut -d, -f1",
	},
	{
		project: project{
			dir: "go", pulled: "pkg:golang/github.com/google/uuid", caches: []string{"GOMODCACHE"},
			command: []string{"env", "GOSUMDB=off", "go", "build", "-o", os.DevNull, "./..."},
		},
		lockfile: "go.sum", was: "google/uuid v1.6.0", is: "google/uuid v1.5.0", ask: "go env GOPROXY | cut -d, -f1",
	},
	{
		project: project{
			dir: "cargo", pulled: "pkg:cargo/itoa", caches: []string{"CARGO_HOME"},
			command: []string{"cargo", "fetch", "--quiet", "--locked"},
		},
		lockfile: "Cargo.lock", was: "name = \"itoa\"\nversion = \"1.0.14\"", is: "name = \"itoa\"\nversion = \"1.0.13\"",
	},
}

// TestLockfile: a policy made of nothing but a lockfile and the registries lets the
// real client install what the lockfile names, and a version that is not in the
// lockfile is refused by name, by enforce that reads the lockfile itself too.
func TestLockfile(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for _, p := range lockedProjects {
		name := p.dir
		if p.command[0] == "env" {
			name += " " + p.command[1]
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needClient(t, p.command[0])
			if p.command[0] == "env" {
				needClient(t, p.command[2])
			}
			dir, registries := p.prepare(t, binary)
			lock := filepath.Join(dir, p.lockfile)
			policy := filepath.Join(t.TempDir(), "policy.yaml")

			learn := patientCommand(t, binary, append([]string{"learn", "-lockfile", lock, "-o", policy}, registries...)...)
			if out, err := learn.CombinedOutput(); err != nil || strings.Contains(string(out), "warning") {
				t.Fatalf("learn: %v\n%s", err, out)
			}
			if out, code := p.runIn(t, dir, binary, "enforce", "-policy", policy, "--"); code != 0 {
				t.Fatalf("enforce with the policy made of the lockfile: exit code %d\n%s\n%s", code, out, read(t, policy))
			}

			whole := read(t, lock)
			changed := filepath.Join(t.TempDir(), p.lockfile)
			write(t, changed, strings.ReplaceAll(whole, p.was, p.is))
			if read(t, changed) == whole {
				t.Fatalf("%q is not in the lockfile", p.was)
			}
			out, code := p.runIn(t, dir, slices.Concat([]string{binary, "enforce", "-lockfile", changed}, registries, []string{"--"})...)
			if code == 0 || !strings.Contains(out, "denied: GET ") || !strings.Contains(out, "- "+p.pulled+"@") {
				t.Errorf("enforce with a lockfile that names another version: exit code %d, want a denial that names %s:\n%s", code, p.pulled, out)
			}
		})
	}
}

// prepare returns a copy of the project with its lockfile, which Cargo's is made
// for, and the flags that say which registries its client is set up to use.
func (p *lockedProject) prepare(t *testing.T, binary string) (dir string, registries []string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	typ := strings.TrimPrefix(strings.SplitN(p.pulled, "/", 2)[0], "pkg:")
	if p.setup != "" {
		p.shell(t, dir, p.setup)
	}
	if p.ask != "" {
		return dir, []string{"-registry", typ + "=" + p.shell(t, dir, p.ask)}
	}
	first := p.project
	if p.dir == "cargo" {
		first.command = slices.DeleteFunc(slices.Clone(p.command), func(s string) bool { return s == "--locked" })
	}
	learned := filepath.Join(t.TempDir(), "learned.yaml")
	if out, code := first.runIn(t, dir, binary, "learn", "-o", learned, "--"); code != 0 {
		if plain, bare := first.run(t); bare != 0 {
			skip(t, "the client fails without proxaudit too; is there no registry?\n"+plain)
		}
		t.Fatalf("learn: exit code %d\n%s", code, out)
	}
	for _, left := range []string{"node_modules", "installed", "target"} {
		_ = os.RemoveAll(filepath.Join(dir, left))
	}
	head, _, _ := strings.Cut(read(t, learned), "\nallow:")
	for _, m := range regexp.MustCompile(`(?:^|\s)(https?://\S+)`).FindAllStringSubmatch(head[strings.Index(head, "registries:"):], -1) {
		registries = append(registries, "-registry", typ+"="+m[1])
	}
	return dir, registries
}

// shell runs a line of shell in dir and returns what it printed.
func (p *lockedProject) shell(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := patientCommand(t, "sh", "-ec", line)
	cmd.Dir = dir
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		skip(t, "the client fails without proxaudit too; is there no registry?\n"+line+": "+err.Error()+"\n"+errors.String())
	}
	return strings.TrimSpace(string(out))
}
