package examples

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// told is what a client prints of a denial, from nothing to everything. The names are
// those that docs/running.md uses.
type told int

const (
	toldNothing told = iota
	toldStatus
	toldReason
	toldAll
)

var toldNames = []string{"nothing of it", "403", "the reason", "the reason and the line to add"}

// readTold reads a client's own words.
func readTold(printed string) told {
	switch {
	case strings.Contains(printed, "no rule matches") && strings.Contains(printed, "to allow it"):
		return toldAll
	case strings.Contains(printed, "no rule matches"):
		return toldReason
	case strings.Contains(printed, "403") || strings.Contains(printed, "Forbidden"):
		return toldStatus
	default:
		return toldNothing
	}
}

// denied is a client, in a folder in which files lie, that asks for what the policy
// does not allow.
type denied struct {
	name, program, run string
	files              map[string]string
}

var denials = []denied{
	{name: "curl", program: "curl", run: "curl -sS https://denied.test/x"},
	{name: "curl -f", program: "curl", run: "curl -fsS https://denied.test/x"},
	{name: "curl --fail-with-body", program: "curl", run: "curl -sS --fail-with-body https://denied.test/x"},
	{name: "wget", program: "wget", run: "wget -nv -O- https://denied.test/x"},
	{name: "git clone", program: "git", run: "git clone -q https://denied.test/a/b.git"},
	{name: "git push", program: "git", run: "git init -q b && cd b && git -c user.name=t -c user.email=t@example.org commit -q --allow-empty -m x && git push -q https://denied.test/a/b.git HEAD:main"},
	{name: "npm", program: "npm", run: "npm view demo --registry https://denied.test/ --fetch-retries=0"},
	{name: "pip, a file", program: "python3", run: "python3 -m pip download --isolated --no-index https://denied.test/demo-1.0-py3-none-any.whl"},
	{name: "pip, the index", program: "python3", run: "python3 -m pip download --isolated --retries 0 --index-url https://denied.test/simple/ demo"},
	{name: "python urllib", program: "python3", run: `python3 -c "import urllib.request as u; u.urlopen('https://denied.test/x')"`},
	{name: "go", program: "go", run: "GOPROXY=https://denied.test GONOSUMDB=demo.test GOFLAGS=-modcacherw go mod download", files: map[string]string{"go.mod": "module x\nrequire demo.test/m v1.0.0\n"}},
	{name: "cargo", program: "cargo", run: "cargo fetch", files: map[string]string{
		"Cargo.toml":         "[package]\nname = \"x\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\ndemo = { version = \"1\", registry = \"local\" }\n",
		"src/lib.rs":         "",
		".cargo/config.toml": "[registries.local]\nindex = \"sparse+https://denied.test/index/\"\n[net]\nretry = 0\n",
	}},
	{name: "maven", program: "mvn", run: "mvn -B -q -s settings.xml validate", files: map[string]string{
		"settings.xml": "<settings><mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>https://denied.test/maven2</url></mirror></mirrors></settings>",
		"pom.xml":      "<project><modelVersion>4.0.0</modelVersion><parent><groupId>test.demo</groupId><artifactId>parent</artifactId><version>1</version></parent><artifactId>x</artifactId><packaging>pom</packaging></project>",
	}},
	{name: "composer", program: "composer", run: "COMPOSER_ALLOW_SUPERUSER=1 composer install --no-interaction", files: map[string]string{
		"composer.json": `{"repositories":[{"type":"composer","url":"https://denied.test"},{"packagist":false}],"require":{"acme/demo":"1.0.0"}}`,
	}},
	{name: "gem", program: "gem", run: "gem install --clear-sources --source https://denied.test/ --install-dir out demo"},
	{name: "bundler", program: "bundle", run: "BUNDLE_RETRY=0 BUNDLE_PATH=out bundle install", files: map[string]string{"Gemfile": "source 'https://denied.test/'\ngem 'demo', '1.0.0'\n"}},
	{name: "skopeo, the registry", program: "skopeo", run: "skopeo copy docker://denied.test/acme/demo:1.0 dir:out"},
	{name: "skopeo, an image", program: "skopeo", run: "skopeo copy docker://registry.test/acme/demo:1.0 dir:out"},
	{name: "nuget over http", program: "nuget", run: "nuget install Demo -Version 1.0.0 -Source http://denied.test/v3/index.json -NonInteractive"},
}

// TestDenialText runs clients into a denial and holds what they print of it against
// the table in docs/running.md, which must have each of them: a client that prints
// less than is written there fails.
func TestDenialText(t *testing.T) {
	if os.Getenv(namespaceVariable) == "" {
		t.Parallel()
		documented(t) // before anything is built
		dir := needNetwork(t)
		linkRust(t, filepath.Join(dir, "tools"))
		inNetwork(t, dir, "TestDenialText")
		return
	}
	dir, table := os.Getenv(namespaceVariable), documented(t)
	authority := newNetwork(t)
	answerRegistry(t, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return authority.Leaf(hello.ServerName)
	}})
	policy := filepath.Join(dir, "denial.yaml")
	write(t, policy, "version: 1\nallow:\n  - {host: registry.test, paths: [/v2/], networks: ["+originAddress+"/32]}\n")
	for _, d := range denials {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			if !installed(d.program, dir) {
				if os.Getenv("CI") == "true" && d.program != "nuget" {
					t.Fatalf("under CI this must run: %s is not installed", d.program)
				}
				t.Skipf("NOT CHECKED: %s is not installed", d.program)
			}
			printed, code := d.deny(t, filepath.Join(dir, "proxaudit"), policy)
			got := readTold(printed)
			if code == 0 || got < table[d.name] {
				t.Errorf("exit code %d; it prints %s, and docs/running.md says %s:\n%s", code, toldNames[got], toldNames[table[d.name]], printed)
			}
			if got > table[d.name] {
				t.Logf("it prints more than docs/running.md says: %s", toldNames[got])
			}
		})
	}
}

// documented is the table of the documentation, by client.
func documented(t *testing.T) map[string]told {
	t.Helper()
	table := map[string]told{}
	for line := range strings.Lines(read(t, "../docs/running.md")) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for i, name := range toldNames {
			if strings.TrimSpace(cells[2]) == name {
				for client := range strings.SplitSeq(cells[1], ";") {
					table[strings.TrimSpace(client)] = told(i)
				}
			}
		}
	}
	for _, d := range denials {
		if _, ok := table[d.name]; !ok {
			t.Errorf("docs/running.md says nothing of %s", d.name)
		}
	}
	if len(table) != len(denials) {
		t.Errorf("docs/running.md has %d clients, %d are run", len(table), len(denials))
	}
	return table
}

// answerRegistry is as much of a registry as a client asks for before it asks for an
// image.
func answerRegistry(t *testing.T, c *tls.Config) {
	t.Helper()
	l, err := tls.Listen("tcp", originAddress+":443", c)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			t.Errorf("%s was denied, and reached the registry", r.URL)
		}
		_, _ = io.WriteString(w, "{}")
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
}

// deny returns what the client itself printed, without the summary below.
func (d denied) deny(t *testing.T, proxaudit, policy string) (string, int) {
	t.Helper()
	here := t.TempDir()
	for name, text := range d.files {
		path := filepath.Join(here, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, proxaudit, "enforce", "-policy", policy, "--", "sh", "-c", d.run)
	cmd.Dir, cmd.WaitDelay = here, 10*time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + here, "LANG=C.UTF-8", "TMPDIR=" + t.TempDir()}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	printed, summary, ok := strings.Cut(out.String(), "proxaudit: enforce: ")
	if !ok || !strings.Contains(summary, "proxaudit: denied: ") {
		t.Errorf("the summary names no denial:\n%s", out.String())
	}
	return printed, cmd.ProcessState.ExitCode()
}
