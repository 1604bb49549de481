package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// ecosystem is a client of a registry that the test keeps itself. Both commands
// are for sh -c, in a directory in which files lie.
type ecosystem struct {
	name            string
	source, program string // as in client, but for several programs
	required        bool
	files           map[string]string
	lockfile        string   // of files: the policy is made of it alone
	from            []string // flags that say where packages come from, beside it
	sign            bool     // what is proposed for review is allowed
	env             []string // HERE stands for the working directory
	run, want       string   // what is learned, and a regular expression in what it writes
	// learned are lines that the policy must hold, without their comments.
	learned []string
	// moves changes what run leads to, as time does between two builds.
	moves func(*testing.T, *registries)
	// others ask for something that was not learned: each is a command, the
	// requests that the registry must not see then (a regular expression) and the
	// line that the denial proposes.
	others []other
}

type other struct{ run, unseen, line string }

// TestEcosystems learns what each client pulls from a registry, enforces it, and
// then lets the client ask for another package, version or repository, of which
// the registry must not hear. Without proxaudit's word it does, which is tried
// as well.
func TestEcosystems(t *testing.T) {
	if os.Getenv(namespaceVariable) == "" {
		t.Parallel()
		inNetwork(t, needNetwork(t), "TestEcosystems")
		return
	}
	dir := os.Getenv(namespaceVariable)
	g := newRegistries(t, newNetwork(t), dir)
	for _, e := range ecosystems {
		t.Run(e.name, func(t *testing.T) {
			for program := range strings.FieldsSeq(e.program) {
				if installed(program, dir) {
					continue
				}
				if e.required && os.Getenv("CI") == "true" {
					t.Fatalf("under CI this must run: %s (%s) is not installed", program, e.source)
				}
				t.Skipf("NOT CHECKED: %s (%s) is not installed", program, e.source)
			}
			began := time.Now()
			e.check(t, g, filepath.Join(dir, "proxaudit"))
			t.Logf("%.1f s", time.Since(began).Seconds())
		})
	}
}

func (e ecosystem) check(t *testing.T, g *registries, proxaudit string) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	learn := []string{proxaudit, "learn", "-o", policy, "--"}
	if e.lockfile != "" {
		lock := filepath.Join(t.TempDir(), e.lockfile)
		write(t, lock, e.files[e.lockfile])
		args := append([]string{"learn", "-o", policy, "-lockfile", lock}, e.from...)
		if out, err := exec.Command(proxaudit, args...).CombinedOutput(); err != nil {
			t.Fatalf("learn -lockfile: %v\n%s", err, out)
		}
		if e.sign {
			unsigned := []string{proxaudit, "enforce", "-policy", policy, "-lockfile", lock, "--"}
			if out, code := e.try(t, e.run, unsigned...); code == 0 || !strings.Contains(out, "comes from no registry, and no rule allows it") || !strings.Contains(out, "denied: GET ") {
				t.Errorf("before anything is signed: exit code %d, want a warning and a denial in:\n%s", code, out)
			}
			sign(t, policy)
		}
		learn = []string{"env"} // what run wants without proxaudit
	}
	out, code := e.try(t, e.run, learn...)
	if code != 0 || !regexp.MustCompile(e.want).MatchString(out) {
		t.Fatalf("learn: exit code %d, want 0 and %q in:\n%s", code, e.want, out)
	}
	for _, line := range e.learned {
		if !regexp.MustCompile(`(?m)^ +` + regexp.QuoteMeta(line) + `(  #.*)?$`).MatchString(read(t, policy)) {
			t.Errorf("not learned: %s\n%s", line, read(t, policy))
		}
	}
	enforce := []string{proxaudit, "enforce", "-policy", policy, "--"}
	again := func(when string) {
		t.Helper()
		out, code := e.try(t, e.run, enforce...)
		if code != 0 || !strings.Contains(out, " 0 denied") || !regexp.MustCompile(e.want).MatchString(out) {
			t.Errorf("enforce %s: exit code %d, want 0 and %q in:\n%s\n%s", when, code, e.want, out, read(t, policy))
		}
	}
	again("what was learned")
	if e.moves != nil {
		e.moves(t, g)
		again("when it has moved")
	}
	for _, o := range e.others {
		unseen := regexp.MustCompile(o.unseen)
		g.take()
		if out, code := e.try(t, o.run, proxaudit, "audit", "--"); code != 0 || !unseen.MatchString(g.take()) {
			t.Fatalf("%s: exit code %d, and nothing like %q reached the registry, so a denial would prove nothing:\n%s", o.run, code, o.unseen, out)
		}
		out, code := e.try(t, o.run, enforce...)
		if code == 0 || !strings.Contains(out, "denied: GET ") && !strings.Contains(out, "denied: HEAD ") || !strings.Contains(out, o.line) {
			t.Errorf("%s: exit code %d, want a denial that proposes %q:\n%s", o.run, code, o.line, out)
		}
		if seen := g.take(); unseen.MatchString(seen) {
			t.Errorf("%s was denied, and the registry saw:\n%s", o.run, seen)
		}
	}
}

// sign moves what is proposed at the end of a policy under allow.
func sign(t *testing.T, policy string) {
	t.Helper()
	whole := read(t, policy)
	rules := ""
	for _, m := range regexp.MustCompile(`(?m)^# (  - \{.*\n)`).FindAllStringSubmatch(whole, -1) {
		rules += m[1]
	}
	if rules == "" {
		t.Fatalf("nothing is proposed:\n%s", whole)
	}
	write(t, policy, regexp.MustCompile(`(?m)^allow:( \[\])?\n`).ReplaceAllLiteralString(whole, "allow:\n"+rules))
}

// try runs a command behind the words of wrap, in a home and a directory of its
// own, and returns what was printed.
func (e ecosystem) try(t *testing.T, run string, wrap ...string) (string, int) {
	t.Helper()
	here := t.TempDir()
	for name, text := range e.files {
		write(t, filepath.Join(here, name), text)
	}
	cmd := patientCommand(t, wrap[0], append(wrap[1:], "sh", "-c", run)...)
	cmd.Dir = here
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + here, "LANG=C.UTF-8", "TMPDIR=" + here}
	for _, kv := range e.env {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(kv, "HERE", here))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended(t, cmd, cmd.Run(), &out)
	return out.String(), cmd.ProcessState.ExitCode()
}

var ecosystems = []ecosystem{
	{name: "gem", source: "Debian: ruby", program: "gem", required: true,
		run: "gem install --no-document --clear-sources --source https://gems.test/ --install-dir out demo", want: "1 gem installed",
		learned: []string{"gem: https://gems.test/", "- pkg:gem/demo@1.0.0"},
		others: []other{
			{"gem install --no-document --clear-sources --source https://gems.test/ --install-dir out other", `GET /(gems|info|quick/Marshal\.4\.8)/other`, "pkg:gem/other"},
			{"gem install --no-document --clear-sources --source https://gems.test/ --install-dir out demo:0.9.0", `GET /gems/demo-0\.9\.0`, "pkg:gem/demo@0.9.0"},
		}},
	{name: "gem fetch", source: "Debian: ruby", program: "gem", required: true,
		run: "gem fetch --clear-sources --source https://gems.test/ --version 1.0.0 demo", want: "Downloaded demo-1.0.0",
		learned: []string{"gem: https://gems.test/", "- pkg:gem/demo@1.0.0", "- /specs.4.8.gz"},
		others: []other{
			{"gem fetch --clear-sources --source https://gems.test/ --version 1.0.0 other", `GET /(gems|quick/Marshal\.4\.8)/other`, "pkg:gem/other@1.0.0"},
		}},
	{name: "gem of one project", source: "Debian: ruby", program: "gem", required: true,
		run: "gem install --no-document --clear-sources --source https://gems.test/api/v4/projects/7/packages/rubygems --install-dir out demo", want: "1 gem installed",
		learned: []string{"gem: https://gems.test/api/v4/projects/7/packages/rubygems/", "- pkg:gem/demo@1.0.0"},
		others: []other{
			{"curl -fsSO https://gems.test/api/v4/projects/8/packages/rubygems/gems/demo-1.0.0.gem", `/projects/8/`, "- GET https://gems.test/api/v4/projects/8/packages/rubygems/gems/demo-1.0.0.gem"},
		}},
	{name: "bundler", source: "Debian: bundler", program: "bundle", required: true, env: []string{"BUNDLE_PATH=HERE/out", "BUNDLE_RETRY=0"},
		files: map[string]string{"Gemfile": "source 'https://gems.test/'\ngem 'demo', '1.0.0'\n"},
		run:   "bundle install", want: "Bundle complete",
		learned: []string{"gem: https://gems.test/", "- pkg:gem/demo@1.0.0"},
		others: []other{
			{"sed -i s/demo/other/ Gemfile && bundle install", `GET /(gems|info)/other`, "pkg:gem/other"},
			{"sed -i s/1.0.0/0.9.0/ Gemfile && bundle install", `GET /gems/demo-0\.9\.0`, "pkg:gem/demo@0.9.0"},
		}},
	{name: "bundler by its lockfile", source: "Debian: bundler", program: "bundle", required: true, env: []string{"BUNDLE_PATH=HERE/out", "BUNDLE_RETRY=0"},
		files: map[string]string{
			"Gemfile":      "source 'https://gems.test/'\ngem 'demo', '1.0.0'\n",
			"Gemfile.lock": "GEM\n  remote: https://gems.test/\n  specs:\n    demo (1.0.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  demo (= 1.0.0)\n",
		},
		lockfile: "Gemfile.lock",
		run:      "bundle install", want: "Bundle complete",
		learned: []string{"gem: https://gems.test/", "- pkg:gem/demo@1.0.0", "- /versions"},
		others: []other{
			{"sed -i s/1.0.0/0.9.0/ Gemfile Gemfile.lock && bundle install", `GET /gems/demo-0\.9\.0`, "pkg:gem/demo@0.9.0"},
		}},
	{name: "composer", source: "Debian: composer", program: "composer", required: true, env: []string{"COMPOSER_ALLOW_SUPERUSER=1"},
		files: map[string]string{"composer.json": `{"repositories":[{"type":"composer","url":"https://composer.test"},{"packagist":false}],"require":{"acme/demo":"1.0.0"}}`},
		run:   "composer install --no-interaction && cat vendor/acme/demo/README", want: "acme/demo 1.0.0\n",
		learned: []string{"composer: https://composer.test/", "- pkg:composer/acme/demo@1.0.0"},
		others: []other{
			{"sed -i s,acme/demo,acme/other, composer.json && composer install --no-interaction", `GET /(p2|dist)/acme/other`, "pkg:composer/acme/other"},
			{"sed -i s/1.0.0/0.9.0/ composer.json && composer install --no-interaction", `GET /dist/acme/demo/acme-demo-0\.9\.0`, "pkg:composer/acme/demo@0.9.0"},
		}},
	{name: "image", source: "Debian: skopeo, docker-registry", program: "skopeo docker-registry", required: true,
		run: "skopeo copy -q docker://registry.test/acme/demo:1.0 dir:out && cat out/manifest.json", want: "config",
		learned: []string{"docker: https://registry.test/", "- pkg:docker/acme/demo@1.0", "- host: cdn.test", "via: [https://registry.test/**]"},
		moves:   func(t *testing.T, g *registries) { g.push(t, "acme/demo:1.0", "moved") },
		others: []other{
			{"skopeo copy -q docker://registry.test/acme/demo:2.0 dir:out", `/v2/acme/demo/manifests/2\.0`, "pkg:docker/acme/demo@2.0"},
			{"skopeo copy -q docker://registry.test/evil/demo:1.0 dir:out", `/v2/evil/`, "pkg:docker/evil/demo@1.0"},
			{"curl -fsSO https://cdn.test" + blobPath(imageDigest("demo")), "GET /docker/", "- GET https://cdn.test" + blobPath(imageDigest("demo"))},
		}},
	{name: "image by digest", source: "Debian: skopeo, docker-registry", program: "skopeo docker-registry", required: true,
		run: "skopeo copy -q docker://registry.test/acme/tool@" + imageDigest("tool") + " dir:out && cat out/manifest.json", want: "config",
		learned: []string{"docker: https://registry.test/", "- pkg:docker/acme/tool@" + imageDigest("tool")},
		moves:   func(t *testing.T, g *registries) { g.push(t, "acme/tool:1.0", "moved") },
		others: []other{
			{"skopeo copy -q docker://registry.test/acme/tool:1.0 dir:out", `/v2/acme/tool/manifests/1\.0`, "pkg:docker/acme/tool@1.0"},
			{"skopeo copy -q docker://registry.test/acme/tool@" + imageDigest("moved") + " dir:out", `/v2/acme/tool/manifests/` + imageDigest("moved"), "pkg:docker/acme/tool@" + imageDigest("moved")},
		}},
	{name: "nuget", source: "Debian: nuget", program: "nuget",
		run: "nuget install Demo -Version 1.0.0 -Source http://nuget.test/api/v2 -NonInteractive && ls Demo.1.0.0", want: "Successfully installed 'Demo 1.0.0'",
		learned: []string{"nuget: http://nuget.test/", "- pkg:nuget/demo@1.0.0"},
		others: []other{
			{"nuget install Other -Version 1.0.0 -Source http://nuget.test/api/v2 -NonInteractive", `Other`, "pkg:nuget/other@1.0.0"},
		}},
}
