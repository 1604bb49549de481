package attack

import (
	"fmt"
	"net/url"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/package-url/packageurl-go"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
)

// scope is a policy with a bit of everything.
var scope = Scope{
	Registries: map[string][]string{
		"npm":  {"https://npm.example.org/", "https://nexus.example.org/repository/npm/"},
		"pypi": {"https://pypi.example.org/"},
	},
	Rules: []Rule{
		{Name: "p:1", Package: "pkg:npm/%40scope/lodash@4.17.21"},
		{Name: "p:2", Package: "pkg:npm/left-pad@>=1 <2"},
		{Name: "p:3", Package: "pkg:npm/*"},
		{Name: "p:4", Host: "github.com", Schemes: []string{"https"}, Paths: []string{"/example/tool/releases/download/v1.2.3/tool.tgz"}},
		{Name: "p:5", Host: "api.github.com", Schemes: []string{"https"}, Methods: []string{"GET", "POST"}, Paths: []string{"/repos/example/tool/**"}},
		{Name: "p:6", Host: "*.example.net", Schemes: []string{"https"}, Paths: []string{"/a/cc-{version}.tgz", "/b/*"}},
		{Name: "p:7", Host: "gitlab.com", Schemes: []string{"https"}, Paths: []string{"/group/project/-/raw/main/x"}},
		{Name: "p:8", Host: "10.0.0.1", Schemes: []string{"tcp"}, Ports: []uint16{22}},
		{Name: "p:10", Host: "git.example.org", Schemes: []string{"https"}, Paths: []string{"/team/sub/app.git/info/refs"}},
		{Name: "p:11", Host: "hooks.example.org", Schemes: []string{"https"}, Paths: []string{"/status"}},
		{Name: "p:12", Host: "hooks.example.org", Schemes: []string{"https"}, Methods: []string{"POST"}, Paths: []string{"/status"}},
		{Name: "p:9", Host: "pinned.example.org", Schemes: []string{"https"}, Passthrough: true},
	},
}

// TestNeverSends holds the promise of the package comment: what cannot open a
// connection or start a program cannot send.
func TestNeverSends(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if slices.Contains([]string{"net", "net/http", "os/exec", "crypto/tls"}, dep) {
			t.Errorf("the package depends on %s", dep)
		}
	}
}

// TestCorpusHosts names every host of the data file, so that adding one is a
// decision. No registry of packages is among them: those have placeholders.
func TestCorpusHosts(t *testing.T) {
	hosts := map[string]bool{}
	for _, r := range Corpus(Scope{}) {
		if r.URL == "" {
			continue
		}
		u, err := url.Parse(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		hosts[u.Host] = true
	}
	want := []string{
		"169.254.169.254", "api.github.com", "api.masscan.cloud", "checkmarx.zone", "connect.consrensys.com:8080",
		"filev2.getsession.org", "gist.githubusercontent.com", "git-tanstack.com", "github.com", "metadata.google.internal",
		"models.litellm.cloud", "proxaudit-corpus.raw.icp0.io", "scan.aquasecurtiy.org", "secretsmanager.us-east-1.amazonaws.com",
		"sfrclak.com:8000", "uploads.github.com", "webhook.site",
	}
	if got := sortedKeys(hosts); !slices.Equal(got, want) {
		t.Errorf("hosts of the corpus:\n got %q\nwant %q", got, want)
	}
}

func TestCorpusFilled(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Corpus(scope) {
		seen[r.Method+" "+r.URL] = true
		if strings.ContainsAny(r.URL, "{}<>") {
			t.Errorf("%s: a placeholder is left: %s", r.Incident, r.URL)
		}
		if (r.URL == "") != (r.Class == Unseen) {
			t.Errorf("%s: class %s with URL %q", r.Incident, r.Class, r.URL)
		}
	}
	for _, want := range []string{
		"GET https://npm.example.org/-/whoami",
		"GET https://nexus.example.org/repository/npm/-/whoami",
		"PUT https://npm.example.org/@scope/lodash",
		"POST https://pypi.example.org/legacy/",
		"PUT https://api.github.com/repos/example/tool/contents/loot.json",
		"POST https://github.com/example/tool.git/git-receive-pack",
		"POST https://gitlab.com/group/project.git/git-receive-pack",
		"POST https://git.example.org/team/sub/app.git/git-receive-pack",
		"GET https://api.github.com/repos/ultralytics/ultralytics/git/blobs/da39a3ee5e6b4b0d3255bfef95601890afd80709",
		"POST http://sfrclak.com:8000/6202033",
	} {
		if !seen[want] {
			t.Errorf("missing: %s", want)
		}
	}
	if seen["PUT https://api.github.com/repos/group/project/contents/loot.json"] {
		t.Error("a repository of another host is asked for at GitHub")
	}
}

func TestParseCorpusRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"an unknown key":         "- {incident: x, requests: [{class: a, request: GET https://h/, hint: x}]}",
		"no name":                "- requests: [{class: a, request: GET https://h/}]",
		"no request":             "- {incident: x}",
		"an unknown class":       "- {incident: x, requests: [{class: d, request: GET https://h/}]}",
		"class c with a request": "- {incident: x, requests: [{class: c, request: GET https://h/, note: y}]}",
		"class c without why":    "- {incident: x, requests: [{class: c}]}",
		"no method":              "- {incident: x, requests: [{class: a, request: https://h/}]}",
		"a second document":      "- {incident: x, requests: [{class: a, request: GET https://h/}]}\n---\n[]",
	} {
		if _, err := parseCorpus([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMutations(t *testing.T) {
	all := Mutations(scope)
	if again := Mutations(scope); !reflect.DeepEqual(all, again) {
		t.Error("the same scope gives another list")
	}
	got := map[string]Class{}
	for _, r := range all {
		got[r.Mutation+": "+strings.TrimSpace(r.Method+" "+r.URL)] = r.Class
		if r.Mutation == "" || r.Of == "" || r.Incident != "" {
			t.Errorf("a mutation without a name or an origin: %+v", r)
		}
	}
	for _, want := range []string{
		"b another owner: GET https://github.com/mallory/tool/releases/download/v1.2.3/tool.tgz",
		"b another repository: GET https://github.com/example/mallory/releases/download/v1.2.3/tool.tgz",
		"b another owner: GET https://api.github.com/repos/mallory/tool/x",
		"b another repository: GET https://api.github.com/repos/example/mallory/x",
		"b another first segment: GET https://x.example.net/mallory/cc-1.2.3.tgz",
		"b another last segment: GET https://x.example.net/a/mallory-cc-1.2.3.tgz",
		"b prefix sibling: GET https://x.example.net/a-mallory/cc-1.2.3.tgz",
		"b one segment more: GET https://x.example.net/a/cc-1.2.3.tgz/mallory",
		"b method PUT: PUT https://api.github.com/repos/example/tool/x",
		"b method POST: POST https://github.com/example/tool/releases/download/v1.2.3/tool.tgz",
		"b method override: GET https://github.com/example/tool/releases/download/v1.2.3/tool.tgz",
		"b method in the query: POST https://api.github.com/repos/example/tool/x?_method=DELETE",
		"b dot segments: GET https://x.example.net/a/../../mallory/loot.json",
		"b encoded dot segments: GET https://x.example.net/a/%2e%2e/%2e%2e/mallory/loot.json",
		"b encoded slash: GET https://x.example.net/a%2Fcc-1.2.3.tgz",
		"b double slash: GET https://x.example.net/a//cc-1.2.3.tgz",
		"b parameters: GET https://x.example.net/a/cc-1.2.3.tgz;mallory",
		"b http for https: GET http://x.example.net/a/cc-1.2.3.tgz",
		"b another port: GET https://x.example.net:8443/a/cc-1.2.3.tgz",
		"b host in capitals: PUT https://GITHUB.COM/mallory/loot.json",
		"b host with a dot at its end: PUT https://github.com./mallory/loot.json",
		"b WebSocket: GET wss://github.com/mallory/loot.json",
		"b raw TCP: tcp://github.com:443",
		"b undecrypted: CONNECT https://github.com",
		"b unrelated path: POST https://npm.example.org/mallory/loot.json",
		"a host as a prefix: GET https://github.com.mallory.test/example/tool/releases/download/v1.2.3/tool.tgz",
		"a host as a suffix: GET https://mallorygithub.com/example/tool/releases/download/v1.2.3/tool.tgz",
		"a host as userinfo: GET https://github.com@mallory.test/example/tool/releases/download/v1.2.3/tool.tgz",
		"a a letter that looks alike: GET https://g1thub.com/example/tool/releases/download/v1.2.3/tool.tgz",
		"a a letter of another script: GET https://xn--gthub-n2e.com/example/tool/releases/download/v1.2.3/tool.tgz",
		"b another version: GET https://npm.example.org/@scope/lodash/-/lodash-99.99.99.tgz",
		"b a name misspelt: GET https://npm.example.org/@scope/lodahs/-/lodahs-4.17.21.tgz",
		"b scope dropped: GET https://npm.example.org/lodash/-/lodash-4.17.21.tgz",
		"b another scope: GET https://npm.example.org/@mallory/lodash/-/lodash-4.17.21.tgz",
		"b another package's file in its directory: GET https://npm.example.org/@scope/lodash/-/mallory-1.0.0.tgz",
		"b another package: GET https://pypi.example.org/packages/mallory-1.0.0.tar.gz",
		"a another registry: GET https://mallory.test/@scope/lodash/-/lodash-4.17.21.tgz",
		"b another registry: GET https://pypi.example.org/@scope/lodash/-/lodash-4.17.21.tgz",
		"c query of a permitted GET: GET https://github.com/example/tool/releases/download/v1.2.3/tool.tgz?d=c2VjcmV0",
		"c star of a permitted path: GET https://x.example.net/b/c2VjcmV0",
		"a metadata service by address: GET http://169.254.169.254/latest/user-data",
		"a metadata service by name: GET http://metadata.google.internal/computeMetadata/v1/project/project-id",
		"a DNS over HTTPS: POST https://cloudflare-dns.com/dns-query",
		"b gist: POST https://api.github.com/gists",
	} {
		if class, name := Class(want[:1]), want[2:]; got[name] != class {
			t.Errorf("want %s, got class %q", want, got[name])
		}
	}
}

// TestMutationsLeaveWhatIsOpen: what a rule opens is no mutation of it, and a rule
// without a version names none that another could take the place of.
func TestMutationsLeaveWhatIsOpen(t *testing.T) {
	for _, r := range Mutations(scope) {
		if r.Class == Unseen || r.Of == "any policy" {
			continue
		}
		switch {
		case r.Of == "p:2" && r.Mutation == "another version",
			r.Of == "p:3",
			r.Method == "POST" && r.URL == "https://hooks.example.org/status",
			r.Of == "p:6" && strings.HasPrefix(r.URL, "https://x.example.net/b/") && r.Method == "GET" && r.Header == nil && !strings.Contains(r.Mutation, "segments") && r.Mutation != "backslashes":
			t.Errorf("%s of %s: %s is what the rule says", r.Mutation, r.Of, r.URL)
		}
	}
}

func TestAtLeastFifty(t *testing.T) {
	for name, s := range map[string]Scope{
		"one host":    {Rules: scope.Rules[3:4]},
		"one package": {Registries: map[string][]string{"npm": {"https://npm.example.org/"}}, Rules: scope.Rules[:1]},
	} {
		asked := 0
		for _, r := range Mutations(s) {
			if r.Class != Unseen && r.Wire == nil {
				asked++
			}
		}
		if asked < 50 {
			t.Errorf("%s: %d mutations of class a and b", name, asked)
		}
	}
}

func TestLongPolicyIsBounded(t *testing.T) {
	s := Scope{Registries: scope.Registries}
	for i := range 20_000 {
		s.Rules = append(s.Rules,
			Rule{Name: "p", Package: fmt.Sprintf("pkg:npm/p%d@1.0.0", i)},
			Rule{Name: "p", Host: "github.com", Schemes: []string{"https"}, Paths: []string{fmt.Sprintf("/o%d/r/x", i)}})
	}
	if n := len(Mutations(s)); n > 40*(maxPaths+maxPackages) {
		t.Errorf("%d mutations", n)
	}
	if n := len(Corpus(s)); n > 200 {
		t.Errorf("%d requests", n)
	}
}

// TestOddScopes: whatever a policy may hold makes requests, and no panic.
func TestOddScopes(t *testing.T) {
	var s Scope
	for _, host := range []string{"localhost", "1.2.3.4", "2001:db8::1", "*.com", "a", "github.com", "api.github.com"} {
		for _, schemes := range [][]string{nil, {"http"}, {"wss"}, {"tcp"}, {"https", "http", "tcp"}} {
			s.Rules = append(s.Rules, Rule{
				Name: "p", Host: host, Schemes: schemes, Methods: []string{}, Ports: []uint16{1},
				Paths: []string{"/", "/**", "/*", "/a//b", "/%2A", "/a/", "//", "/repos", "/repos/a", "/**/b/*.x", "/a/b/c/d/e/f/g/info/refs", "/info/refs"},
			}, Rule{Name: "p", Host: host, Schemes: schemes, Passthrough: true})
		}
	}
	for _, purl := range []string{"pkg:npm/a@", "pkg:npm/@x", "pkg:deb/debian/x@1?arch=amd64", "pkg:maven/x", "pkg:", "pkg:npm/%40a/b@^1"} {
		s.Rules = append(s.Rules, Rule{Name: "p", Package: purl})
	}
	s.Registries = map[string][]string{"npm": {"http://[::1]:8080/x/", "https://1.2.3.4/", "x", ""}, "deb": {"https://d.example.org/"}, "maven": {"https://m.example.org/"}}
	for _, r := range slices.Concat(Corpus(s), Mutations(s)) {
		if r.URL == "" && r.Class != Unseen {
			t.Errorf("no URL: %+v", r)
		}
	}
}

// TestArtifacts: what is derived is what the recogniser of packages reads, or a
// refusal would say nothing.
func TestArtifacts(t *testing.T) {
	for _, typ := range ecosystem.Types() {
		purl, ok := map[string]string{
			"npm": "pkg:npm/%40scope/lodash@4.17.21", "pypi": "pkg:pypi/flask@3.0.0", "golang": "pkg:golang/github.com/Google/uuid@v1.6.0",
			"cargo": "pkg:cargo/itoa@1.0.14", "maven": "pkg:maven/com.google.guava/guava@33.0.0", "gem": "pkg:gem/rack@3.0.0",
			"nuget": "pkg:nuget/Newtonsoft.Json@13.0.3", "deb": "pkg:deb/debian/curl@8.0.1-1", "composer": "pkg:composer/acme/demo@1.2.0",
			"docker": "pkg:docker/library/alpine@3.20",
		}[typ]
		if !ok {
			t.Errorf("no package of %s is tried: what its registries keep it as belongs into artifact", typ)
			continue
		}
		p, err := packageurl.FromString(purl)
		if err != nil {
			t.Fatal(err)
		}
		for _, base := range []string{"https://registry.example.org/base/", "https://registry.example.org/base/v2/"} {
			rec, err := ecosystem.New(ecosystem.Registries{typ: {base}})
			if err != nil {
				t.Fatal(err)
			}
			path, err := policy.CanonicalPath(strings.TrimPrefix(below(base, artifact(p)), "https://registry.example.org"))
			if err != nil {
				t.Fatal(err)
			}
			got, registry := rec.Identify(ecosystem.Query{Method: "GET", Scheme: "https", Host: "registry.example.org", Port: 443, Path: path})
			got, _, _ = strings.Cut(got, "?")
			got = strings.Replace(got, "pkg:deb/curl", "pkg:deb/debian/curl", 1) // the path does not say of which system
			if !strings.EqualFold(got, p.ToString()) || registry != base {
				t.Errorf("%s is asked for at %s, which reads %q", purl, path, got)
			}
		}
	}
}

// TestWire: what is marked so has bytes and where they go, and each is another.
func TestWire(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Mutations(scope) {
		if r.Wire == nil {
			continue
		}
		if r.Wire.Host == "" || r.Wire.Port == 0 || !strings.Contains(r.Wire.Payload, UserAgent) || seen[r.Wire.Payload+r.Wire.ServerName] {
			t.Errorf("%s: %+v", r.Mutation, *r.Wire)
		}
		seen[r.Wire.Payload+r.Wire.ServerName] = true
	}
	if len(seen) < 20 {
		t.Errorf("%d requests exist on the wire alone", len(seen))
	}
}

// TestUnread: where TLS passes undecrypted, another host is named there, and TLS
// left out; where none does, neither.
func TestUnread(t *testing.T) {
	for _, passes := range []bool{true, false} {
		var got []string
		for _, r := range Mutations(Scope{Rules: []Rule{{Name: "p:9", Host: "pinned.example.org", Schemes: []string{"https"}, Ports: []uint16{8443}, Passthrough: passes}}}) {
			if strings.HasSuffix(r.Mutation, "where TLS passes undecrypted") && r.Wire.Host == "pinned.example.org" && r.Wire.Port == 8443 {
				got = append(got, fmt.Sprintf("%v %s", r.Wire.TLS, r.Wire.ServerName))
			}
		}
		if want := []string{"true " + attackerHost, "false "}; passes && !slices.Equal(got, want) || !passes && len(got) != 0 {
			t.Errorf("passes %v: %q", passes, got)
		}
	}
}
