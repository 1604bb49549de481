package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/enforce/isolate"
)

// client is a program that fetches something, and how that is seen to have gone
// through proxaudit. In run, files and env, ORIGIN stands for the origin's URL,
// HOST for its name, TOOLS for the folder of what was installed for the test, and
// HERE for the working directory, in which files lie.
type client struct {
	name string
	// source is where the program comes from, program what must be on the PATH.
	source, program string
	// required is true for what .ci/run installs; every other client is run
	// where it is there, and said to be unchecked where it is not.
	required bool
	run      string // for sh -c
	files    map[string]string
	env      []string
	want     string // regular expression in what it writes
	// request is the method and the path, path alone where the row is for raw
	// TCP; asked is the base name of the program that asks. Regular expressions.
	request, asked string
	// tcp is the port of a row that is never decrypted.
	tcp string
	// literal asks for the origin by its IPv6 address.
	literal bool
	// types is what a person types: the client has a terminal then.
	types string
	// deny, where the client is to be denied less than the whole host, is the
	// entry of a policy that denies it.
	deny string
	// reached, with deny, are the requests that the origin may see all the same.
	reached string
	// tolerates is why a client that was denied ends with no error of its own:
	// proxaudit's code is 3 then, and what it wrote must show the denial.
	tolerates string
	// chatty is true for a client that asks its maker's servers things too.
	chatty bool
	// only is "root" or "user" where the client is of use to one of them.
	only string
	// heavy is true where a run takes seconds of CPU: what it is denied is tried
	// by one user alone.
	heavy bool
}

// unavailable are the clients that cannot be had from the registries that tests
// may use, or that need more than one of them to do anything.
var unavailable = map[string]string{
	"az":                     "is 600 MB of Python; it uses requests, which has a row",
	"conda, rustup":          "come from servers of their own",
	"docker, podman, buildx": "act through a daemon outside and are to be refused",
	"dotnet":                 "is not in Debian; NuGet's older client is, see TestEcosystems",
	"gh, helm":               "are not in Debian; they use Go's net/http, which has a row",
	"hex":                    "mix fetches hex itself from a server of its own",
	"sbt":                    "is not in Debian, and fetches Scala before anything else; java has a row",
}

// TestClients runs every client under enforce, as its user would run it: confined
// as by default, no variable set that speaks of a proxy or an authority, the
// origin known by the system's own trust store alone. It happens in a network and
// a file tree made for the test, in which names end at one server and nothing
// leads outside; so that is where this program goes on. See rows.
func TestClients(t *testing.T) {
	if os.Getenv(namespaceVariable) != "" {
		rows(t)
		return
	}
	t.Parallel()
	dir := needNetwork(t)
	installTools(t, dir)
	inNetwork(t, dir, "TestClients")
}

// needNetwork returns a folder with proxaudit in it, where a network can be made
// for a test.
func needNetwork(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "a network and a second user for the test take root")
	}
	if f := isolate.ProbeNetns(t.Context()); !f.Works {
		skip(t, "commands cannot be confined here: "+f.Detail)
	}
	dir := commonDir(t)
	if err := os.Rename(build(t), filepath.Join(dir, "proxaudit")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// inNetwork runs this program's test again, in a network and a file tree that
// nobody else is in. Of its rows CLIENT may name the ones to run.
func inNetwork(t *testing.T, dir, test string) {
	t.Helper()
	// Twice as many at once as there are processors: some wait before they try
	// again.
	args := []string{"-test.parallel=" + strconv.Itoa(2*runtime.NumCPU()), "-test.run=" + "^" + regexp.QuoteMeta(test) + "$"}
	for _, arg := range os.Args[1:] {
		if strings.HasPrefix(arg, "-test.v") || strings.HasPrefix(arg, "-test.timeout") {
			args = append(args, arg)
		}
	}
	if only := os.Getenv("CLIENT"); only != "" {
		args[1] += "/" + only
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = []string{namespaceVariable + "=" + dir, "CI=" + os.Getenv("CI"), "PATH=" + clientPath(dir), "HOME=" + dir, "TMPDIR=" + os.TempDir()}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		t.Errorf("in the test's own network: %v", err)
	}
}

// rows runs each client as root and as an ordinary user, allowed and denied.
func rows(t *testing.T) {
	dir := os.Getenv(namespaceVariable)
	w := newWorld(t, dir)
	for _, name := range slices.Sorted(maps.Keys(unavailable)) {
		t.Logf("NOT CHECKED: %s: %s", name, unavailable[name])
	}
	t.Run("client", func(t *testing.T) {
		for _, c := range slices.Concat(transferClients, pythonClients, javascriptClients, compiledClients, interpretedClients, systemClients) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				if !installed(c.program, dir) {
					if c.required && os.Getenv("CI") == "true" {
						t.Fatalf("under CI this must run: %s (%s) is not installed", c.program, c.source)
					}
					t.Skipf("NOT CHECKED: %s (%s) is not installed", c.program, c.source)
				}
				for _, u := range []string{"root", "user"} {
					if c.only != "" && c.only != u {
						continue
					}
					t.Run(u, func(t *testing.T) {
						t.Parallel()
						w.check(t, c, u)
					})
				}
			})
		}
	})
}

// installed reports whether there is a program, by its name or by where it lies.
func installed(program, dir string) bool {
	if !strings.Contains(program, "/") {
		_, err := exec.LookPath(program)
		return err == nil
	}
	found, err := filepath.Glob(strings.ReplaceAll(program, "TOOLS", filepath.Join(dir, "tools")))
	return err == nil && len(found) > 0
}

// check is one row: with a policy that allows the host, and with one that does
// not allow what the client asks for.
func (w *world) check(t *testing.T, c client, u string) {
	host := c.host(u)
	ports := "443"
	scheme := "https"
	if c.tcp != "" {
		ports, scheme = c.tcp, "tcp"
	}
	methods := ", methods: [GET, HEAD, POST, PUT]"
	if c.tcp != "" {
		methods = ""
	}
	allow := fmt.Sprintf("  - {host: %q, ports: [%s], schemes: [%s], networks: [203.0.113.0/24, \"2001:db8::/32\"]%s}\n", host, ports, scheme, methods)

	began := time.Now()
	r := w.wrap(t, c, u, host, "version: 1\nallow:\n"+allow)
	if r.code != 0 && (!c.chatty || r.code != 3) || !regexp.MustCompile(c.want).MatchString(r.out) {
		t.Fatalf("allowed: exit code %d, want 0 and %q in:\n%s\n%s", r.code, c.want, r.out, r.log)
	}
	if strings.Contains(r.out, "proxaudit: warning") {
		t.Errorf("allowed, with a warning:\n%s", r.out)
	}
	if !slices.ContainsFunc(r.events, func(e enforce.Event) bool { return c.is(e, host) && !e.Blocked }) {
		t.Errorf("no event for %s %q by %q:\n%s", c.request, host, c.asked, r.log)
	}
	if len(w.origin.take(host)) == 0 && c.tcp == "" {
		t.Error("the origin saw nothing, so a denial would prove nothing")
	}
	if c.heavy && u == "root" {
		return
	}

	policy := "version: 1\nallow:\n  - host: elsewhere.test\n"
	if c.deny != "" {
		policy = "version: 1\nallow:\n" + allow + "deny:\n" + strings.ReplaceAll(c.deny, "HOST", host)
	}
	r = w.wrap(t, c, u, host, policy)
	if !slices.ContainsFunc(r.events, func(e enforce.Event) bool {
		return e.Host == host && e.Blocked && e.Stage != enforce.StageResponse
	}) {
		t.Errorf("denied: no event says so:\n%s", r.log)
	}
	switch {
	case c.tolerates == "" && (r.code == 0 || r.code == 3 || r.code == 125):
		t.Errorf("denied: exit code %d, want the client's own error:\n%s", r.code, r.out)
	case c.tolerates != "" && r.code != 3:
		t.Errorf("denied: exit code %d, want 3:\n%s", r.code, r.out)
	}
	if !strings.Contains(r.out, "denied") {
		t.Errorf("denied: it does not say so:\n%s", r.out)
	}
	seen := slices.DeleteFunc(w.origin.take(host), func(s string) bool { return c.reached != "" && regexp.MustCompile(c.reached).MatchString(s) })
	if len(seen) != 0 {
		t.Errorf("denied, and the origin saw %q", seen)
	}
	t.Logf("%.1f s", time.Since(began).Seconds())
}

// host is the name, of c and a user alone, by which the origin is asked.
func (c client) host(u string) string {
	if c.literal {
		return originAddresses6[u]
	}
	return strings.ReplaceAll(strings.ToLower(c.name), " ", "-") + "." + u + ".test"
}

// is reports whether e is the request, decrypted, that c makes.
func (c client) is(e enforce.Event, host string) bool {
	if e.Host != host || e.Process == nil || !matches(c.asked, filepath.Base(e.Process.Exe)) {
		return false
	}
	if c.tcp != "" {
		return e.Stage == enforce.StageTCP && fmt.Sprint(e.Port) == c.tcp
	}
	return e.Stage == enforce.StageRequest && e.Scheme == "https" && matches(c.request, e.Method+" "+e.Path)
}

func matches(pattern, s string) bool {
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(s)
}

// result is what came of a run; log is the recording, for people.
type result struct {
	out    string
	code   int
	events []enforce.Event
	log    string
}

// wrap runs c under enforce as a user, in an empty home.
func (w *world) wrap(t *testing.T, c client, u, host, policy string) result {
	t.Helper()
	dir := commonDir(t)
	here, origin := filepath.Join(dir, "work"), "https://"+host
	if c.literal {
		origin = "https://[" + host + "]"
	}
	fill := strings.NewReplacer("ORIGIN", origin, "SSHKEY", w.key, "HOST", host, "TOOLS", filepath.Join(w.dir, "tools"), "HERE", here).Replace
	log, file := filepath.Join(dir, "events.jsonl"), filepath.Join(dir, "policy.yaml")
	write(t, file, policy)
	if err := os.MkdirAll(filepath.Join(here, "home"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range c.files {
		path := filepath.Join(here, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, fill(text))
	}
	cmd := patientCommand(t, filepath.Join(w.dir, "proxaudit"), "enforce", "-policy", file, "-output", log, "--", "sh", "-c", fill(c.run))
	cmd.Dir = here
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(here, "home"), "LANG=C.UTF-8", "USER=" + u, "TMPDIR=" + dir}
	for _, kv := range c.env {
		cmd.Env = append(cmd.Env, fill(kv))
	}
	if u == "user" {
		cmd.Env = append(cmd.Env, "LOGNAME="+ordinaryName)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
		give(t, dir)
	}
	var out bytes.Buffer
	run := cmd.Run
	if c.types != "" {
		run = func() error { return onTerminal(cmd, &out, fill(c.types)) }
	} else {
		cmd.Stdout, cmd.Stderr = &out, &out
	}
	ended(t, cmd, run(), &out)
	r := result{out: strings.ReplaceAll(out.String(), "\r\n", "\n"), code: cmd.ProcessState.ExitCode()}
	if _, err := os.Stat(log); err != nil {
		t.Fatalf("exit code %d, no recording:\n%s", r.code, r.out)
	}
	for line := range strings.Lines(read(t, log)) {
		var e enforce.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		r.events = append(r.events, e)
		if e.Stage != enforce.StageDNS {
			r.log += strings.TrimSpace(line) + "\n"
		}
	}
	return r
}

// onTerminal runs a command on a terminal of its own, and types.
func onTerminal(cmd *exec.Cmd, out *bytes.Buffer, keys string) error {
	tty, err := pty.StartWithAttrs(cmd, nil, &syscall.SysProcAttr{Setsid: true, Setctty: true, Credential: credential(cmd)})
	if err != nil {
		return err
	}
	defer tty.Close()
	if _, err := tty.WriteString(keys); err != nil {
		return err
	}
	_, _ = out.ReadFrom(tty) // ends with EIO when the last process is gone
	return cmd.Wait()
}

func credential(cmd *exec.Cmd) *syscall.Credential {
	if cmd.SysProcAttr == nil {
		return nil
	}
	return cmd.SysProcAttr.Credential
}
