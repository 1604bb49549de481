package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/attack"
)

// attackedBuild is a build in which something attacks, once what it depends on is
// there: a real project, its real client, and the real registry until then.
type attackedBuild struct {
	project
	// hooked is true where the build itself runs attack.mjs, as npm runs a
	// postinstall. Where it is not, attack.mjs is run behind the build.
	hooked bool
}

// meant is what the build downloads besides packages: code hosts are where the
// attacks on record went.
var meant = []string{
	"https://github.com/example/tool/releases/download/v1.2.3/tool-1.2.3.tgz",
	"https://api.github.com/repos/example/tool/releases/latest",
	"https://raw.githubusercontent.com/example/tool/main/install.sh",
}

// ownHosts are the hosts of meant.
func ownHosts() []string {
	var hosts []string
	for _, m := range meant {
		u, _ := url.Parse(m)
		hosts = append(hosts, u.Host)
	}
	return hosts
}

// attacksVariable names the file that the table of TestAttacksInsideABuild is
// written to. Where it is set, every example is attacked.
const attacksVariable = "PROXAUDIT_ATTACKS_TABLE"

// attackedBuilds are those that every test run attacks: one, of the client that
// runs scripts of its packages, and small.
func attackedBuilds() []attackedBuild {
	if os.Getenv(attacksVariable) != "" {
		var all []attackedBuild
		for _, p := range projects {
			all = append(all, attackedBuild{project: p})
		}
		return all
	}
	return []attackedBuild{{hooked: true, project: project{
		dir:     filepath.Join("testdata", "attacked"),
		command: []string{"npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", "--foreground-scripts"},
		caches:  []string{"npm_config_cache"},
	}}}
}

// TestAttacksInsideABuild is what a learned policy is for. A build is learned, and
// then attacked from within by a program that knows the policy: nothing of the
// corpus and its mutations arrives anywhere, but for what no rule can tell from
// what is meant. Under an allowlist of the same hosts most of it does.
func TestAttacksInsideABuild(t *testing.T) {
	t.Parallel()
	binary := build(t)
	needClient(t, "node")
	table := "| project | attacks sent | class a arrived | class b arrived | class c arrived | by hosts alone: a | b | c |\n|---|---|---|---|---|---|---|---|\n"
	for _, b := range attackedBuilds() {
		t.Run(b.command[0], func(t *testing.T) {
			needClient(t, b.command[0])
			learned, hosts := b.attacked(t, binary)
			table += learned.row(b.dir, hosts)
			if len(learned.leaks) > 0 {
				t.Errorf("what arrived and should not have:\n  %s", strings.Join(learned.leaks, "\n  "))
			}
			if learned.asked["a"]+learned.asked["b"] < 100 || learned.mutations < 50 || learned.reached["c"] == 0 {
				t.Errorf("%s: too few to say anything, or nothing arrives at all", learned)
			}
			if hosts.reached["b"] < learned.asked["b"]/2 {
				t.Errorf("under an allowlist of hosts, %d of %d of class b arrived: this test would not notice a leak", hosts.reached["b"], hosts.asked["b"])
			}
		})
	}
	t.Log("\n" + table)
	if path := os.Getenv(attacksVariable); path != "" {
		write(t, path, table)
	}
}

// row is a line of the table, with what arrived under an allowlist of hosts.
func (r attackedRun) row(project string, hosts attackedRun) string {
	sent := r.asked[attack.Unknown] + r.asked[attack.Misuse] + r.asked[attack.Unseen]
	cells := []string{project, strconv.Itoa(sent)}
	for _, run := range []attackedRun{r, hosts} {
		for _, c := range []attack.Class{attack.Unknown, attack.Misuse, attack.Unseen} {
			cells = append(cells, fmt.Sprintf("%d of %d", run.reached[c], run.asked[c]))
		}
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// attacked learns a policy for the build, and attacks it under that policy. For
// contrast, the attack alone runs under an allowlist of the same hosts.
func (b attackedBuild) attacked(t *testing.T, binary string) (learned, hosts attackedRun) {
	t.Helper()
	n := newAttackersNet(t, ownHosts()...)
	dir := t.TempDir()
	policyFile, hostsFile := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "hosts.yaml")
	if out, code, _ := b.run(t, n, plan{Requests: meantRequests()}, binary, "learn", "-o", policyFile); code != 0 {
		t.Fatalf("learn: exit code %d\n%s", code, out)
	}
	n.take()
	write(t, hostsFile, hostsOnly(t, policyFile))
	attacks := attacksOn(t, policyFile)
	alone := attackedBuild{hooked: true, project: project{dir: b.dir, command: []string{"node", "attack.mjs"}}}
	return b.attackedUnder(t, binary, n, policyFile, attacks), alone.attackedUnder(t, binary, n, hostsFile, attacks)
}

// attackedRun is what came of a build that was attacked from within.
type attackedRun struct {
	asked, reached map[attack.Class]int
	mutations      int
	refused        int // answered with a denial in so many words
	leaks          []string
}

func (r attackedRun) String() string {
	var parts []string
	for _, c := range []attack.Class{attack.Unknown, attack.Misuse, attack.Unseen} {
		parts = append(parts, fmt.Sprintf("class %s: %d of %d arrived", c, r.reached[c], r.asked[c]))
	}
	return strings.Join(parts, ", ") + fmt.Sprintf("; %d mutations; %d told that they were denied", r.mutations, r.refused)
}

// attackedUnder builds under a policy, with the attacks in it, and says what of
// them arrived. What the build is meant to download must arrive.
func (b attackedBuild) attackedUnder(t *testing.T, binary string, n *attackersNet, policyFile string, attacks []attack.Request) attackedRun {
	t.Helper()
	p := planOf(attacks)
	out, code, outcomes := b.run(t, n, p, binary, "enforce", "-policy", policyFile)
	if code != 3 || len(outcomes) != len(p.Requests) {
		t.Fatalf("enforce: exit code %d, want 3: the build works, and something is denied; %d of %d requests were made\n%s", code, len(outcomes), len(p.Requests), out)
	}
	return judge(t, n, policyFile, attacks, outcomes)
}

// run builds a fresh copy of the project behind proxaudit, with attack.mjs in it
// to send a plan, and returns what was printed, and what became of each request.
func (b attackedBuild) run(t *testing.T, n *attackersNet, p plan, words ...string) (string, int, []outcome) {
	t.Helper()
	dir := t.TempDir()
	copyTo(t, dir, b.dir)
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "plan.json"), string(text))
	write(t, filepath.Join(dir, "attack.mjs"), read(t, filepath.Join("testdata", "attack.mjs")))
	like := baseline{project: b.project}
	caches, command := like.newCaches(t), b.command
	if repository := caches["MAVEN_REPOSITORY"]; repository != "" {
		command = append(slices.Clone(command), "-Dmaven.repo.local="+repository)
	}
	if !b.hooked {
		command = append([]string{"sh", "-ec", `"$@"; node attack.mjs`, "sh"}, command...)
	}
	// The jail is what keeps the attack on this machine: without one, no run.
	args := slices.Concat(words, n.words(), []string{"-isolation=netns", "--"}, command)
	cmd := patientCommand(t, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(like.environ(t, caches), n.environ()...)
	over := waitForAttack(t, n, dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	over()
	ended(t, cmd, err, &out)
	var outcomes []outcome
	if text, err := os.ReadFile(filepath.Join(dir, "outcomes.json")); err == nil {
		if err := json.Unmarshal(text, &outcomes); err != nil {
			t.Fatal(err)
		}
	}
	return out.String(), cmd.ProcessState.ExitCode(), outcomes
}

// waitForAttack has n take over when attack.mjs in dir is about to begin. What it
// returns is called when the build is over.
func waitForAttack(t *testing.T, n *attackersNet, dir string) (over func()) {
	t.Helper()
	var ends []*os.File
	for _, name := range []string{"begin", "go"} {
		fifo := filepath.Join(dir, name)
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		// Both ends, so that nobody waits for somebody to open the other.
		f, err := os.OpenFile(fifo, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, f)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := ends[0].Read(make([]byte, 16)); err != nil {
			return // the build is over
		}
		n.attack()
		_, _ = ends[1].WriteString("go\n")
	}()
	return func() {
		_ = ends[0].Close()
		<-done
		_ = ends[1].Close()
	}
}
