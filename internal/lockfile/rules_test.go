package lockfile_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// decider is a policy of a lockfile's rules, asked as a run asks it.
type decider struct {
	policy     *allowlist.Policy
	recognizer *ecosystem.Recognizer
}

func newDecider(t testing.TB, l *lockfile.Lockfile, registries ...string) decider {
	t.Helper()
	recognizer, err := ecosystem.New(ecosystem.Registries{l.Type: registries})
	if err != nil {
		t.Fatal(err)
	}
	l, err = l.At(registries)
	if err != nil {
		t.Fatal(err)
	}
	var lines []allowlist.Line
	for _, r := range l.Rules(registries) {
		lines = append(lines, allowlist.Line{Text: r.Text(), Name: fmt.Sprintf("%s:%d", l.Name, r.Line)})
	}
	p, err := allowlist.FromLines(l.Path, l.Hash, nil, lines)
	if err != nil {
		t.Fatal(err)
	}
	return decider{p, recognizer}
}

func (d decider) decide(t testing.TB, request string) policy.Decision {
	t.Helper()
	method, address, ok := strings.Cut(request, " ")
	if !ok {
		method, address = "GET", request
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	path, err := policy.CanonicalPath(u.EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	r := &policy.Request{Method: method, Scheme: u.Scheme, Host: u.Hostname(), Port: policy.DefaultPort(u.Scheme), Path: path, Query: u.RawQuery}
	r.Package, r.Registry = d.recognizer.Identify(ecosystem.Query{Method: method, Scheme: u.Scheme, Host: r.Host, Port: r.Port, Path: path})
	decision, err := d.policy.Decide(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

// TestRulesMatchRequests: a rule matches what clients ask registries of many makes
// for, and nothing beside it.
func TestRulesMatchRequests(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		registries       []string
		allowed          map[string]string // request → rule
		denied           []string
	}{
		{
			name: "npm", file: "package-lock.json",
			text: "{\"lockfileVersion\": 3, \"packages\": {\n\"node_modules/lodash\": {\"version\": \"4.17.21\"},\n\"node_modules/@types/node\": {\"version\": \"20.1.0-rc.1\"}, \"node_modules/JSONStream\": {\"version\": \"1.3.5\"}}}",
			registries: []string{
				"https://npm.example.org/", "https://art.example.org/artifactory/api/npm/npm/",
				"https://gitlab.example.org/api/v4/projects/1/packages/npm/", "https://github.example.org/",
			},
			allowed: map[string]string{
				"https://npm.example.org/lodash":                                                                      "package-lock.json:2",
				"HEAD https://npm.example.org/lodash/-/lodash-4.17.21.tgz":                                            "package-lock.json:2",
				"https://npm.example.org/@types%2fnode":                                                               "package-lock.json:3",
				"https://npm.example.org/@types/node/-/node-20.1.0-rc.1.tgz":                                          "package-lock.json:3",
				"https://npm.example.org/JSONStream/-/JSONStream-1.3.5.tgz":                                           "package-lock.json:3",
				"https://npm.example.org/-/npm/v1/attestations/lodash@4.17.21":                                        "package-lock.json:2",
				"https://art.example.org/artifactory/api/npm/npm/@types/node/-/@types/node-20.1.0-rc.1.tgz":           "package-lock.json:3",
				"https://gitlab.example.org/api/v4/projects/1/packages/npm/@types/node/-/@types/node-20.1.0-rc.1.tgz": "package-lock.json:3",
				"https://github.example.org/download/@types/node/20.1.0-rc.1/0123456789abcdef":                        "package-lock.json:3",
				"POST https://npm.example.org/-/npm/v1/security/advisories/bulk":                                      "package-lock.json:0",
				"POST https://art.example.org/artifactory/api/npm/npm/-/npm/v1/security/audits/quick":                 "package-lock.json:0",
				"https://npm.example.org/npm":                                                                         "package-lock.json:0",
			},
			denied: []string{
				"https://npm.example.org/lodash/-/lodash-4.17.20.tgz",
				"https://npm.example.org/lodash.merge/-/lodash.merge-4.17.21.tgz",
				"https://npm.example.org/lodash.merge",
				"https://npm.example.org/npm/-/npm-11.0.0.tgz",
				"https://npm.example.net/lodash/-/lodash-4.17.21.tgz",
				"http://npm.example.org/lodash/-/lodash-4.17.21.tgz",
				"POST https://npm.example.org/lodash",
				"PUT https://npm.example.org/lodash",
				"https://npm.example.org/-/npm/v1/security/advisories/bulk",
			},
		},
		{
			name: "pypi", file: "requirements.txt", text: "Flask==3.0.3\nzope.interface==7.2.0\npost==1.0.post1\nold==2013b0\n",
			registries: []string{"https://pypi.example.org/simple/", "https://files.example.org/", "https://devpi.example.org/root/pypi/", "https://gitlab.example.org/api/v4/projects/1/packages/pypi/"},
			allowed: map[string]string{
				"https://pypi.example.org/simple/flask/":                                                     "requirements.txt:1",
				"https://pypi.example.org/simple/zope-interface/":                                            "requirements.txt:2",
				"https://files.example.org/packages/ab/cd/0123/flask-3.0.3-py3-none-any.whl":                 "requirements.txt:1",
				"https://files.example.org/packages/ab/cd/0123/flask-3.0.3-py3-none-any.whl.metadata":        "requirements.txt:1",
				"https://files.example.org/packages/ab/cd/0123/flask-3.0.3.tar.gz":                           "requirements.txt:1",
				"https://files.example.org/packages/ab/cd/0123/zope.interface-7.2.0.tar.gz":                  "requirements.txt:2",
				"https://devpi.example.org/root/pypi/+f/012/3456/zope_interface-7.2.0-cp311-cp311-linux.whl": "requirements.txt:2",
				"https://devpi.example.org/root/pypi/+simple/flask/":                                         "requirements.txt:1",
				"https://files.example.org/packages/post-1.0.post1.tar.gz":                                   "requirements.txt:3",
				"https://files.example.org/packages/post-1.0_post1-py3-none-any.whl":                         "requirements.txt:3",
				"https://files.example.org/packages/old-2013b.tar.gz":                                        "requirements.txt:4",
				"https://gitlab.example.org/api/v4/projects/1/packages/pypi/files/0123/flask-3.0.3.tar.gz":   "requirements.txt:1",
				"https://pypi.example.org/simple/pip/":                                                       "requirements.txt:0",
			},
			denied: []string{
				"https://files.example.org/packages/ab/cd/0123/flask-3.0.2-py3-none-any.whl",
				"https://files.example.org/packages/ab/cd/0123/flask-3.0.3.post1-py3-none-any.whl",
				"https://files.example.org/packages/post-1.0.tar.gz",
				"https://files.example.org/packages/post-1.0.post2.tar.gz",
				"https://files.example.org/packages/old-2013b1.tar.gz",
				"https://files.example.org/packages/old-2013.tar.gz",
				"https://pypi.example.org/simple/flask-evil/",
				"https://files.example.org/packages/pip-25.0-py3-none-any.whl",
			},
		},
		{
			name: "pdm", file: "pdm.lock", text: "[[package]]\nname = \"flask\"\nversion = \"3.0.3\"\nfiles = [{file = \"flask-3.0.3.tar.gz\", hash = \"sha256:aaaa\"}]\n",
			registries: []string{"https://pypi.example.org/simple/"},
			allowed: map[string]string{
				"https://pypi.example.org/simple/flask/": "pdm.lock:1",
				"https://pypi.example.org/simple/pdm/":   "pdm.lock:0",
			},
			denied: []string{"https://pypi.example.org/simple/pip/", "https://pypi.example.org/simple/pdm-evil/"},
		},
		{
			name: "go", file: "go.sum", text: "github.com/Azure/sdk v1.0.0+incompatible h1:AAAA=\ngithub.com/Azure/sdk v1.0.0+incompatible/go.mod h1:AAAA=\ngithub.com/Old/mod v1.0.0/go.mod h1:AAAA=\n",
			registries: []string{"https://proxy.example.org/", "https://art.example.org/artifactory/api/go/go/"},
			allowed: map[string]string{
				"https://proxy.example.org/github.com/!azure/sdk/@v/v1.0.0+incompatible.zip":                       "go.sum:1",
				"https://proxy.example.org/github.com/!azure/sdk/@v/v1.0.0+incompatible.mod":                       "go.sum:1",
				"https://proxy.example.org/github.com/!azure/sdk/@v/list":                                          "go.sum:1",
				"https://art.example.org/artifactory/api/go/go/github.com/!azure/sdk/@v/v1.0.0+incompatible.info":  "go.sum:1",
				"https://proxy.example.org/sumdb/sum.example.org/lookup/github.com/!azure/sdk@v1.0.0+incompatible": "go.sum:1",
				"https://proxy.example.org/github.com/!old/mod/@v/v1.0.0.mod":                                      "go.sum:3",
				"https://art.example.org/artifactory/api/go/go/github.com/!old/mod/@v/v1.0.0.mod":                  "go.sum:3",
			},
			denied: []string{
				"https://proxy.example.org/github.com/!old/mod/@v/v1.0.0.zip",
				"https://proxy.example.org/github.com/!old/mod/@v/v1.0.1.mod",
				"https://proxy.example.org/github.com/!azure/sdk/@v/v1.0.1.zip",
				"https://proxy.example.org/sumdb/sum.example.org/tile/8/0/000",
			},
		},
		{
			name: "go toolchain", file: "go.mod", text: "module example.org/app\n\ngo 1.26.1\n",
			registries: []string{"https://proxy.example.org/", "https://sum.example.org/"},
			allowed: map[string]string{
				"https://proxy.example.org/golang.org/toolchain/@v/v0.0.1-go1.26.1.linux-amd64.zip":                       "go.mod:3",
				"https://proxy.example.org/sumdb/sum.example.org/lookup/golang.org/toolchain@v0.0.1-go1.26.1.linux-amd64": "go.mod:3",
				"https://proxy.example.org/sumdb/sum.example.org/supported":                                               "go.mod:0",
				"https://proxy.example.org/sumdb/sum.example.org/tile/8/0/x001/234":                                       "go.mod:0",
				"https://sum.example.org/tile/8/0/x001/234":                                                               "go.mod:0",
				"https://sum.example.org/lookup/golang.org/toolchain@v0.0.1-go1.26.1.darwin-arm64":                        "go.mod:3",
			},
			denied: []string{"https://proxy.example.org/golang.org/toolchain/@v/v0.0.1-go1.26.2.linux-amd64.zip"},
		},
		{
			name: "gem", file: "Gemfile.lock", text: "GEM\n  specs:\n    nokogiri (1.15.0-x86_64-linux)\n    rack (3.0.0)\n",
			registries: []string{"https://gems.example.org/", "https://nexus.example.org/repository/gems/"},
			allowed: map[string]string{
				"https://gems.example.org/versions":                                               "Gemfile.lock:0",
				"https://gems.example.org/info/rack":                                              "Gemfile.lock:4",
				"https://gems.example.org/gems/rack-3.0.0.gem":                                    "Gemfile.lock:4",
				"https://nexus.example.org/repository/gems/gems/nokogiri-1.15.0-x86_64-linux.gem": "Gemfile.lock:3",
				"https://gems.example.org/quick/Marshal.4.8/rack-3.0.0.gemspec.rz":                "Gemfile.lock:4",
			},
			denied: []string{"https://gems.example.org/gems/rack-3.0.1.gem", "https://gems.example.org/info/rack-evil"},
		},
		{
			name: "nuget", file: "packages.lock.json", text: `{"dependencies": {"net8.0": {"Newtonsoft.Json": {"resolved": "13.0.1"}}}}`,
			registries: []string{"https://nuget.example.org/v3/"},
			allowed: map[string]string{
				"https://nuget.example.org/v3/index.json":                                                        "packages.lock.json:0",
				"https://nuget.example.org/v3/flatcontainer/newtonsoft.json/13.0.1/newtonsoft.json.13.0.1.nupkg": "packages.lock.json:1",
				"https://nuget.example.org/v3/flatcontainer/newtonsoft.json/index.json":                          "packages.lock.json:1",
			},
			denied: []string{"https://nuget.example.org/v3/flatcontainer/newtonsoft.json/13.0.2/newtonsoft.json.13.0.2.nupkg"},
		},
		{
			name: "composer", file: "composer.lock",
			text:       `{"packages": [{"name": "acme/lib", "version": "1.2.0", "dist": {"type": "zip", "url": "https://composer.example.org/dists/acme/lib/1.2.0/0123456789012345678901234567890123456789.zip"}}]}`,
			registries: []string{"https://composer.example.org/"},
			allowed: map[string]string{
				"https://composer.example.org/packages.json":                                                     "composer.lock:0",
				"https://composer.example.org/p2/acme/lib.json":                                                  "composer.lock:1",
				"https://composer.example.org/p2/acme/lib~dev.json":                                              "composer.lock:1",
				"https://composer.example.org/dists/acme/lib/1.2.0/0123456789012345678901234567890123456789.zip": "composer.lock:1",
			},
			denied: []string{"https://composer.example.org/dists/acme/lib/1.3.0/0123456789012345678901234567890123456789.zip"},
		},
		{
			name: "cargo", file: "Cargo.lock", text: "[[package]]\nname = \"Inflector\"\nversion = \"0.11.4\"\nsource = \"registry+https://git.example.org/index\"\n",
			registries: []string{"https://index.example.org/", "https://crates.example.org/crates/"},
			allowed: map[string]string{
				"https://index.example.org/config.json":                              "Cargo.lock:0",
				"https://index.example.org/in/fl/inflector":                          "Cargo.lock:1",
				"https://crates.example.org/crates/Inflector/0.11.4/download":        "Cargo.lock:1",
				"https://crates.example.org/crates/inflector/inflector-0.11.4.crate": "Cargo.lock:1",
			},
			denied: []string{"https://crates.example.org/crates/Inflector/0.11.3/download", "https://index.example.org/in/fl/inflector2"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := lockfile.Parse(c.file, []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			d := newDecider(t, l, c.registries...)
			for request, rule := range c.allowed {
				if got := d.decide(t, request); got.Action != policy.Allow || got.Rule != rule {
					t.Errorf("%s: %+v, want it allowed by %s", request, got, rule)
				}
			}
			for _, request := range c.denied {
				if got := d.decide(t, request); got.Action != policy.Deny {
					t.Errorf("%s: %+v, want it denied", request, got)
				}
			}
		})
	}
}

// big is a lockfile of n packages, as its client would write it.
func big(kind string, n int) string {
	var b strings.Builder
	switch kind {
	case "package-lock.json":
		b.WriteString("{\n  \"name\": \"app\",\n  \"lockfileVersion\": 3,\n  \"packages\": {\n    \"\": {}")
		for i := range n {
			fmt.Fprintf(&b, ",\n    \"node_modules/package-%d\": {\n      \"version\": \"1.%d.0\",\n      \"resolved\": \"https://npm.example.org/package-%[1]d/-/package-%[1]d-1.%[2]d.0.tgz\",\n      \"integrity\": \"sha512-Aup7aUOfpbAUg2ROOJN6Iw5f9DMBlzu0mIkm/malLQFN/YQgO48wCj0Kxa3sEHJvPVFg7siR+qRInwXd2qhQKw==\",\n      \"dev\": true,\n      \"license\": \"MIT\",\n      \"dependencies\": {\n        \"package-1\": \"^1.0.0\",\n        \"package-2\": \"^1.0.0\"\n      },\n      \"engines\": {\n        \"node\": \">=6.9.0\"\n      }\n    }", i, i%50)
		}
		b.WriteString("\n  }\n}\n")
	case "pnpm-lock.yaml":
		b.WriteString("lockfileVersion: '9.0'\n\npackages:\n")
		for i := range n {
			fmt.Fprintf(&b, "\n  package-%d@1.%d.0:\n    resolution: {integrity: sha512-Aup7aUOfpbAUg2ROOJN6Iw5f9DMBlzu0mIkm/malLQFN/YQgO48wCj0Kxa3sEHJvPVFg7siR+qRInwXd2qhQKw==}\n    engines: {node: '>=6.9.0'}\n", i, i%50)
		}
		b.WriteString("\nsnapshots:\n")
		for i := range n {
			fmt.Fprintf(&b, "\n  package-%d@1.%d.0:\n    dependencies:\n      package-1: 1.1.0\n      package-2: 1.2.0\n", i, i%50)
		}
	case "yarn.lock":
		for i := range n {
			fmt.Fprintf(&b, "package-%d@^1.0.0:\n  version \"1.%d.0\"\n  resolved \"https://npm.example.org/package-%[1]d/-/package-%[1]d-1.%[2]d.0.tgz#f2fbbfea87c44a21590ec515b778b2c26d8866e7\"\n  integrity sha512-Aup7aUOfpbAUg2ROOJN6Iw5f9DMBlzu0mIkm/malLQFN/YQgO48wCj0Kxa3sEHJvPVFg7siR+qRInwXd2qhQKw==\n  dependencies:\n    package-1 \"^1.0.0\"\n\n", i, i%50)
		}
	case "go.sum":
		for i := range n {
			fmt.Fprintf(&b, "example.org/module-%d v1.%d.0 h1:wk8382ETsv4JYUZwIsn6YpYiWiBsYLSJiTsyBybVuN8=\nexample.org/module-%[1]d v1.%[2]d.0/go.mod h1:wk8382ETsv4JYUZwIsn6YpYiWiBsYLSJiTsyBybVuN8=\n", i, i%50)
		}
	case "Cargo.lock":
		for i := range n {
			fmt.Fprintf(&b, "[[package]]\nname = \"crate-%d\"\nversion = \"1.%d.0\"\nsource = \"registry+https://git.example.org/index\"\nchecksum = \"d75a2a4b1b190afb6f5425f10f6a8f959d2ea0b9c2b1d79553551850539e4674\"\ndependencies = [\n \"crate-1\",\n]\n\n", i, i%50)
		}
	case "requirements.txt":
		for i := range n {
			fmt.Fprintf(&b, "package-%d==1.%d.0 \\\n    --hash=sha256:b4ce2265a7abece45e7cc896e98dbebe6cead56bcf805a3d23136d145f5445bf \\\n    --hash=sha256:ba0efaa9080b619ff2f3459d1d500c57bddea4a6b424b60a91141db6fd2f08bc\n", i, i%50)
		}
	case "uv.lock":
		for i := range n {
			fmt.Fprintf(&b, "[[package]]\nname = \"package-%d\"\nversion = \"1.%d.0\"\nsource = { registry = \"https://pypi.example.org/simple\" }\nsdist = { url = \"https://files.example.org/packages/ab/package_%[1]d-1.%[2]d.0.tar.gz\", hash = \"sha256:b4ce2265a7abece45e7cc896e98dbebe6cead56bcf805a3d23136d145f5445bf\", size = 22460 }\nwheels = [\n    { url = \"https://files.example.org/packages/cd/package_%[1]d-1.%[2]d.0-py3-none-any.whl\", hash = \"sha256:b4ce2265a7abece45e7cc896e98dbebe6cead56bcf805a3d23136d145f5445bf\", size = 8458 },\n]\n\n", i, i%50)
		}
	}
	return b.String()
}

var bigKinds = []string{"package-lock.json", "pnpm-lock.yaml", "yarn.lock", "go.sum", "Cargo.lock", "requirements.txt", "uv.lock"}

// TestBig: none of ten thousand is lost.
func TestBig(t *testing.T) {
	for _, kind := range bigKinds {
		l, err := lockfile.Parse(kind, []byte(big(kind, 10_000)))
		if err != nil {
			t.Fatal(err)
		}
		lines := slices.IsSortedFunc(l.Entries, func(a, b lockfile.Entry) int { return a.Line - b.Line })
		if len(l.Entries) != 10_000 || !lines || l.Entries[9_999].Line < 10_000 {
			t.Errorf("%s: %d packages, by line: %v", kind, len(l.Entries), lines)
		}
	}
}

// BenchmarkLoad reads lockfiles of ten thousand packages and makes a policy of
// them.
func BenchmarkLoad(b *testing.B) {
	for _, kind := range bigKinds {
		text := []byte(big(kind, 10_000))
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l, err := lockfile.Parse(kind, text)
				if err != nil {
					b.Fatal(err)
				}
				newDecider(b, l, "https://registry.example.org/")
			}
		})
	}
}

// FuzzParse: whatever a lockfile holds, reading it ends, and each rule it gives is
// one that a policy takes and that is about one version of one package.
func FuzzParse(f *testing.F) {
	for _, c := range files {
		f.Add(c.file, c.text)
	}
	f.Fuzz(func(t *testing.T, file, text string) {
		l, err := lockfile.Parse(file, []byte(text))
		if err != nil {
			return
		}
		for _, e := range l.Entries {
			if e.Line < 1 || e.Line > strings.Count(text, "\n")+1 {
				t.Errorf("line %d of %q", e.Line, e.Package)
			}
			name, version, _ := strings.Cut(e.Package, "@")
			if strings.Contains(name, "*") || version == "" || strings.Contains(version, "*") && !strings.HasPrefix(name, "pkg:golang/golang.org/toolchain") {
				t.Errorf("%q is about more than one version", e.Package)
			}
		}
		newDecider(t, l, "https://registry.example.org/")
	})
}
