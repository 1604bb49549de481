package examples

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// baseline is a project whose build is learned once and then held to that, as
// time goes by.
type baseline struct {
	project
	// lock pins what the project does not pin by itself; update makes a minor
	// update of one dependency, within its range. Both are shell scripts, run in a
	// copy of the project, and not wrapped.
	lock, update string
}

var baselines = []baseline{
	{
		project: named("npm"),
		update:  `npm install express@4.22.2 --save-exact --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel=error`,
	},
	{
		project: named("pip"),
		update: `grep -E '^[a-z0-9-]+==' requirements.txt | sed 's/ .*//; /^flask==/d' >constraints.txt
python3 -m pip install --quiet --dry-run --ignore-installed --only-binary=:all: --report report.json -c constraints.txt flask==3.1.1 requests
python3 - <<'END' > requirements.txt
import json
for p in json.load(open("report.json"))["install"]:
    hashes = p["download_info"]["archive_info"]["hashes"]
    print(p["metadata"]["name"] + "==" + p["metadata"]["version"], "--hash=sha256:" + hashes["sha256"])
END`,
	},
	{
		project: named("go"),
		update:  `go get golang.org/x/text@v0.23.0 && go mod tidy`,
	},
	{
		project: named("cargo", "--locked"),
		lock:    `cargo generate-lockfile --quiet`,
		update:  `sed -i 's/^itoa = "=1.0.14"/itoa = "=1.0.15"/' Cargo.toml && cargo update --quiet itoa`,
	},
	{
		project: named("maven"),
		update:  `sed -i 's/3\.17\.0/3.18.0/' pom.xml`,
	},
}

// named is the project in dir, its command with more arguments.
func named(dir string, more ...string) project {
	for _, p := range projects {
		if p.dir == dir {
			p.command = slices.Concat(p.command, more)
			return p
		}
	}
	panic("no project " + dir)
}

// prepare returns a copy of the project, pinned, and a second one of which one
// dependency was updated.
func (b baseline) prepare(t *testing.T) (first, updated string) {
	t.Helper()
	first, updated = t.TempDir(), t.TempDir()
	copyTo(t, first, b.dir)
	b.script(t, first, b.lock)
	copyTo(t, updated, first)
	b.script(t, updated, b.update)
	return first, updated
}

func copyTo(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func (b baseline) script(t *testing.T, dir, script string) {
	t.Helper()
	cmd := patientCommand(t, "sh", "-ec", script)
	cmd.Dir, cmd.Env = dir, b.environ(t, nil)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// caches are the folders of a client's caches, by the variable that names them.
type caches map[string]string

func (b baseline) newCaches(t *testing.T) caches {
	c := caches{}
	for _, name := range b.caches {
		c[name] = t.TempDir()
	}
	return c
}

func (b baseline) environ(t *testing.T, c caches) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PIP_FIND_LINKS=") })
	env = append(env, "GOFLAGS=-modcacherw", "GOWORK=off")
	for name, dir := range c {
		env = append(env, name+"="+dir)
	}
	return env
}

// built is what came of one build.
type built struct {
	code   int
	out    string
	events []enforce.Event
}

// build builds a fresh copy of the project in from, behind proxaudit with the
// given words, with further variables.
func (b baseline) build(t *testing.T, binary, from string, c caches, env []string, words ...string) built {
	t.Helper()
	dir, log := t.TempDir(), filepath.Join(t.TempDir(), "events.jsonl")
	copyTo(t, dir, from)
	args := slices.Concat(words, []string{"-output", log, "--"}, b.command)
	if repository := c["MAVEN_REPOSITORY"]; repository != "" {
		args = append(args, "-Dmaven.repo.local="+repository)
	}
	cmd := patientCommand(t, binary, args...)
	cmd.Dir, cmd.Env = dir, append(b.environ(t, c), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended(t, cmd, cmd.Run(), &out)
	return built{cmd.ProcessState.ExitCode(), out.String(), readEvents(t, log)}
}

func readEvents(t *testing.T, log string) []enforce.Event {
	t.Helper()
	var events []enforce.Event
	for line := range strings.Lines(read(t, log)) {
		var ev enforce.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		events = append(events, ev)
	}
	return events
}

// denials are the requests that the policy refused, or would have.
func (b built) denials() []enforce.Event {
	return slices.DeleteFunc(slices.Clone(b.events), func(ev enforce.Event) bool {
		return ev.Action != policy.Deny || ev.Stage != enforce.StageRequest && ev.Stage != enforce.StageConnect && ev.Stage != enforce.StageTCP
	})
}

// requests is how many requests were decided.
func (b built) requests() int {
	n := 0
	for _, ev := range b.events {
		if ev.Stage == enforce.StageRequest {
			n++
		}
	}
	return n
}

// packages are the purls of what was pulled.
func (b built) packages() []string {
	seen := map[string]bool{}
	for _, ev := range b.events {
		if ev.Package != "" {
			seen[ev.Package] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
