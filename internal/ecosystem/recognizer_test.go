package ecosystem

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/juliendoutre/proxaudit/policy"
)

func TestRegistryBoundaries(t *testing.T) {
	r, err := New(Registries{
		"npm": {"https://r.example.org/repository/npm/", "http://plain.example.org:8081", "https://[2001:db8::1]:8443/n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const tgz = "a/-/a-1.0.0.tgz"
	for _, tc := range []struct {
		name     string
		q        Query
		registry string
	}{
		{"below the base", Query{"GET", "https", "r.example.org", 443, "/repository/npm/" + tgz, "", nil}, "https://r.example.org/repository/npm/"},
		{"HEAD", Query{"HEAD", "https", "r.example.org", 443, "/repository/npm/" + tgz, "", nil}, "https://r.example.org/repository/npm/"},
		{"own port", Query{"GET", "http", "plain.example.org", 8081, "/" + tgz, "", nil}, "http://plain.example.org:8081"},
		{"IPv6", Query{"GET", "https", "2001:db8::1", 8443, "/n/" + tgz, "", nil}, "https://[2001:db8::1]:8443/n"},
		{"look-alike host", Query{"GET", "https", "r.example.org.evil.test", 443, "/repository/npm/" + tgz, "", nil}, ""},
		{"subdomain", Query{"GET", "https", "x.r.example.org", 443, "/repository/npm/" + tgz, "", nil}, ""},
		{"other scheme", Query{"GET", "http", "r.example.org", 443, "/repository/npm/" + tgz, "", nil}, ""},
		{"other port", Query{"GET", "https", "r.example.org", 8443, "/repository/npm/" + tgz, "", nil}, ""},
		{"sibling directory", Query{"GET", "https", "r.example.org", 443, "/repository/npm-evil/" + tgz, "", nil}, ""},
		{"longer directory", Query{"GET", "https", "r.example.org", 443, "/repository/npmx/" + tgz, "", nil}, ""},
		{"above the base", Query{"GET", "https", "r.example.org", 443, "/repository/" + tgz, "", nil}, ""},
		{"case of the base", Query{"GET", "https", "r.example.org", 443, "/Repository/npm/" + tgz, "", nil}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			purl, registry := r.Identify(tc.q)
			if registry != tc.registry {
				t.Errorf("registry %q, want %q", registry, tc.registry)
			}
			if purl != "pkg:npm/a@1.0.0" {
				t.Errorf("the form still names the package, got %q", purl)
			}
		})
	}
}

func TestOnlyReadsNameAPackage(t *testing.T) {
	r, err := New(Registries{"npm": {"https://r.example.org/"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"PUT", "POST", "DELETE", "get", "CONNECT", "OPTIONS", ""} {
		q := query(t, "https", "r.example.org", "/a/-/a-1.0.0.tgz")
		q.Method = method
		if purl, registry := r.Identify(q); purl != "" || registry != "" {
			t.Errorf("%s: %q at %q", method, purl, registry)
		}
	}
	for _, scheme := range []string{"ws", "wss", "tcp", ""} {
		q := query(t, "https", "r.example.org", "/a")
		q.Scheme = scheme
		if purl, registry := r.Identify(q); purl != "" || registry != "" {
			t.Errorf("%s: %q at %q", scheme, purl, registry)
		}
	}
}

func TestSharedAndNestedBases(t *testing.T) {
	r, err := New(Registries{
		"npm":    {"https://r.example.org/", "https://r.example.org/npm/"},
		"golang": {"https://r.example.org/"},
		"cargo":  {"https://r.example.org/"},
		"gem":    {"https://r.example.org/"},
		"docker": {"https://r.example.org/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/a/-/a-1.0.0.tgz":             "pkg:npm/a@1.0.0 https://r.example.org/",
		"/npm/a":                       "pkg:npm/a https://r.example.org/npm/",
		"/example.org/a/@v/v1.0.0.zip": "pkg:golang/example.org/a@v1.0.0 https://r.example.org/",
		"/crates/itoa/1.0.0/download":  "pkg:cargo/itoa@1.0.0 https://r.example.org/",
		"/gems/rails-7.1.2.gem":        "pkg:gem/rails@7.1.2 https://r.example.org/",
		"/v2/a/b/manifests/1.0.0":      "pkg:docker/a/b@1.0.0 https://r.example.org/",
	} {
		purl, registry := r.Identify(query(t, "https", "r.example.org", path))
		if got := purl + " " + registry; got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct{ typ, url, want string }{
		{"nmp", "https://r.example.org/", "unknown ecosystem"},
		{"npm", "r.example.org", "want an https or http URL"},
		{"npm", "ftp://r.example.org/", "want an https or http URL"},
		{"npm", "https://u:p@r.example.org/", "no part of a registry"},
		{"npm", "https://r.example.org/?x", "no part of a registry"},
		{"npm", "https://r.example.org/?", "no part of a registry"},
		{"npm", "https://r.example.org/#x", "no part of a registry"},
		{"npm", "https://R.example.org/", "canonical"},
		{"npm", "https://r.example.org./", "canonical"},
		{"npm", "https://*.example.org/", "canonical"},
		{"npm", "https:///x", "canonical"},
		{"npm", "https://r.example.org:0/", "bad port"},
		{"npm", "https://r.example.org:99999/", "bad port"},
		{"npm", "https://r.example.org/a/../b", "ambiguous path"},
	} {
		_, err := New(Registries{tc.typ: {tc.url}})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %s: got %v, want %q", tc.typ, tc.url, err, tc.want)
		}
	}
}

func TestIndex(t *testing.T) {
	r, err := New(Registries{
		"deb": {"http://r.example.org/debian"}, "golang": {"http://r.example.org/go"}, "composer": {"http://r.example.org/php"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/00": "/debian/dists/bookworm/**",
		"/debian/dists/bookworm/InRelease":                           "/debian/dists/bookworm/**",
		"/debian/dists/bookworm":                                     "",
		"/debian/dists/%2A/InRelease":                                "",
		"/debian/pool/main/h/hello/hello_2.10-3_amd64.deb":           "",
		"/other/dists/bookworm/InRelease":                            "",
		"/go/sumdb/sum.example.org/tile/8/0/x280/897.p/124":          "/go/sumdb/sum.example.org/tile/**",
		"/go/tile/8/0/000":                                           "/go/tile/**",
		"/go/sumdb/sum.example.org/supported":                        "",
		"/go/sumdb/%2A/tile/8/0/000":                                 "",
		"/php/p/provider-2013$0123456789abcdef.json":                 "/php/p/provider-*.json",
		"/php/include/all$0123456789abcdef.json":                     "/php/include/all$*.json",
		"/php/p/provider-2013/x.json":                                "",
		"/php/p/provider-%2A.json":                                   "",
		"/php/p/vendor/name.json":                                    "",
		"/php/packages.json":                                         "",
	} {
		if got := r.Index(query(t, "http", "r.example.org", path)); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	q := query(t, "http", "r.example.org", "/debian/dists/bookworm/InRelease")
	q.Method = "PUT"
	if got := r.Index(q); got != "" {
		t.Errorf("PUT: got %q", got)
	}
}

func TestNilRecognizerGuesses(t *testing.T) {
	var r *Recognizer
	purl, registry := r.Identify(query(t, "https", "r.example.org", "/a/-/a-1.0.0.tgz"))
	if purl != "pkg:npm/a@1.0.0" || registry != "" || r.Index(Query{Method: "GET", Scheme: "https"}) != "" {
		t.Fatal(purl, registry)
	}
}

func FuzzIdentify(f *testing.F) {
	for _, path := range []string{
		"/@types%2Fnode/-/node-20.0.0.tgz", "/simple/x/", "/packages/a-1.0-py3-none-any.whl", "/@v/list",
		"/github.com/!a/b/@v/v1.0.0.zip", "/lookup/a.b/c@v1.0.0", "/crates/a/1.0.0/download", "/a-1.0.0.crate",
		"/m/org/a/b/1/b-1.jar", "/debian/pool/a_1_all.deb", "/d/a_5%253a1_all.deb", "", "x", "/%2F%2F", "/se/rd/serde",
		"/info/rails", "/gems/nokogiri-1.15.5-x86_64-linux.gem", "/gems/a-1-2-java-3.gem", "/quick/Marshal.4.8/a-1.gemspec.rz", "/api/v2/rubygems/a/versions/1.json",
		"/v3-flatcontainer/a/1.0.0/a.1.0.0.nupkg", "/v3/registration5/a/page/1.0/2.0.json", "/api/v2/Packages(Id='a',Version='1')", "/api/v2/package/A/1.0",
		"/p2/a/b~dev.json", "/dist/a/b/a-b-1.0-9f0a1b.zip", "/dists/a/b/1.0/r1.zip", "/archives/a/b.zip", "/p/provider-x$1.json", "/include/all$1.json",
		"/v2/library/alpine/manifests/3.18", "/v2/a/blobs/sha256:" + strings.Repeat("0", 64), "/v2/a/manifests/sha256-" + strings.Repeat("0", 64) + ".sig",
		"/repository/x/gems/a-1.gem", "/api/v4/projects/1/packages/npm/a/-/a-1.0.0.tgz", "/artifactory/api/nuget/v3/r/a/1/a.1.nupkg",
	} {
		f.Add("GET", path, "application/vnd.npm.install-v1+json", "gems=a&id='a'&sha=0")
	}
	registries := Registries{}
	for _, typ := range Types() {
		registries[typ] = []string{"https://r.example.org/", "https://r.example.org/simple/", "https://r.example.org/m/"}
	}
	r, err := New(registries)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, accept, search string) {
		// Canonical paths are what is promised, but the rest must not panic.
		q := Query{Method: method, Scheme: "https", Host: "r.example.org", Port: 443, Path: path, RawQuery: search,
			Header: map[string][]string{"Accept": {accept}}}
		for _, rec := range []*Recognizer{nil, r} {
			purl, registry := rec.Identify(q)
			checkCanonical(t, purl)
			checkRead(t, purl, path+"?"+search)
			if (rec == nil || purl == "" || method != "GET" && method != "HEAD") && registry != "" {
				t.Fatalf("%q at %q", purl, registry)
			}
		}
		if pattern := r.Index(q); pattern != "" && !strings.HasSuffix(pattern, "/**") && !strings.HasSuffix(pattern, "*.json") {
			t.Fatalf("index %q", pattern)
		}
		canonical, err := policy.CanonicalPath(path)
		if err != nil {
			return
		}
		q.Path = canonical
		s, ok := Guess(q)
		if ok && (!strings.HasPrefix(canonical, s.Base) || !strings.HasSuffix(s.Base, "/")) {
			t.Fatalf("base %q of %q", s.Base, canonical)
		}
		if ok && len(s.Base) < repositoryEnd(canonical) {
			t.Fatalf("base %q of %q spans repositories", s.Base, canonical)
		}
		checkCanonical(t, s.Package)
		if got := readBack(t, s, canonical); ok && s.Artifact && got != s.Package {
			t.Fatalf("%q at base %q read back as %q, not %q", canonical, s.Base, got, s.Package)
		}
	})
}

// checkRead asserts that what a purl of these types says stands in the URL.
func checkRead(t *testing.T, purl, text string) {
	p, err := packageurl.FromString(purl)
	if err != nil || !slices.Contains([]string{"gem", "nuget", "composer", "docker"}, p.Type) {
		return
	}
	text = strings.ToLower(text)
	if plain, err := url.PathUnescape(text); err == nil {
		text += "\n" + plain
	}
	for _, part := range []string{p.Namespace, p.Name, p.Version} {
		if !strings.Contains(text, strings.ToLower(part)) {
			t.Fatalf("%q does not hold %q of %q", text, part, purl)
		}
	}
}

// readBack reads path at the base that was guessed.
func readBack(t *testing.T, s Shape, path string) string {
	if !s.Artifact {
		return ""
	}
	return read(t, s.Type, s.Base, path)
}

func BenchmarkIdentify(b *testing.B) {
	r, err := New(Registries{"npm": {"https://r.example.org/repository/npm/"}, "maven": {"https://r.example.org/repository/maven/"}})
	if err != nil {
		b.Fatal(err)
	}
	header := map[string][]string{"Accept": {"*/*"}}
	for _, bc := range []struct{ name, host, path string }{
		{"none", "api.example.org", "/v1/organizations/42/projects/7/builds"},
		{"none-archive", "dl.example.org", "/releases/download/v1.2.3/tool-linux-amd64.tar.gz"},
		{"none-at-registry", "r.example.org", "/service/rest/v1/status"},
		{"npm", "r.example.org", "/repository/npm/@types/node/-/node-20.0.0.tgz"},
		{"maven", "r.example.org", "/repository/maven/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar"},
		{"golang-guess", "other.example.org", "/github.com/!burnt!sushi/toml/@v/v1.3.2.mod"},
	} {
		q := query(b, "https", bc.host, bc.path)
		q.Header = header
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Identify(q)
			}
		})
	}
}

// TestIdentifyAllocations guards the path that every request takes.
func TestIdentifyAllocations(t *testing.T) {
	r, err := New(Registries{"npm": {"https://r.example.org/repository/npm/"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/v1/builds", "/repository/npm/-/whoami", "/releases/download/v1/tool.tar.gz", "/v2/users/7", "/info/refs", "/p2/x.json",
		"/artifactory/api/storage/x.json", "/gems/tool.gem", "/a/index.json",
	} {
		q := query(t, "https", "r.example.org", path)
		if n := testing.AllocsPerRun(100, func() { r.Identify(q) }); n > 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}
