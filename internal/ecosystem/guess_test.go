package ecosystem

import "testing"

func TestGuess(t *testing.T) {
	for _, tc := range []struct {
		path, purl, base         string
		artifact, sure, baseSure bool
	}{
		{"/repository/npm-group/lodash/-/lodash-4.17.21.tgz", "pkg:npm/lodash@4.17.21", "/repository/npm-group/", true, true, true},
		{"/artifactory/api/npm/r/@types/node/-/@types/node-20.0.0.tgz", "pkg:npm/%40types/node@20.0.0", "/artifactory/api/npm/r/", true, true, true},
		{"/lodash/download/lodash-4.17.21.tgz", "pkg:npm/lodash@4.17.21", "/", true, true, true},
		{"/api/v4/projects/1/packages/npm/@s/n/-/@s/n-1.0.0.tgz", "pkg:npm/%40s/n@1.0.0", "/api/v4/projects/1/packages/npm/", true, true, true},

		{"/packages/b7/f4/00/six-1.16.0-py2.py3-none-any.whl", "pkg:pypi/six@1.16.0", "/", true, true, true},
		{"/packages/b7/f4/00/six-1.16.0.tar.gz", "pkg:pypi/six@1.16.0", "/", true, false, true},
		{"/artifactory/api/pypi/r/packages/packages/b7/six-1.16.0-py2-none-any.whl", "pkg:pypi/six@1.16.0", "/artifactory/api/pypi/r/", true, true, true},
		{"/api/v4/projects/1/packages/pypi/files/00/six-1.16.0-py2-none-any.whl", "pkg:pypi/six@1.16.0", "/api/v4/projects/1/packages/pypi/", true, true, true},
		{"/root/pypi/+f/00/six-1.16.0-py2-none-any.whl", "pkg:pypi/six@1.16.0", "/root/pypi/", true, true, true},
		{"/whl/cpu/torch-2.0.0%2Bcpu-cp310-cp310-linux_x86_64.whl", "pkg:pypi/torch@2.0.0%2Bcpu", "/whl/cpu/", true, true, true},
		{"/simple/six/", "pkg:pypi/six", "/", false, false, true},
		{"/root/pypi/+simple/six/", "pkg:pypi/six", "/root/pypi/", false, false, true},

		{"/github.com/a/b/@v/v1.0.0.zip", "pkg:golang/github.com/a/b@v1.0.0", "/", true, true, true},
		{"/artifactory/api/go/r/github.com/a/b/@v/v1.0.0.mod", "pkg:golang/github.com/a/b@v1.0.0", "/artifactory/api/go/r/", true, true, true},
		{"/go/example.org/a/@v/list", "pkg:golang/example.org/a", "/go/", false, false, true},
		{"/go/example.org/a/@latest", "pkg:golang/example.org/a", "/go/", false, false, true},
		{"/go/sumdb/sum.example.org/lookup/example.org/a@v1.0.0", "pkg:golang/example.org/a@v1.0.0", "/go/", false, false, true},
		{"/lookup/example.org/a@v1.0.0", "pkg:golang/example.org/a@v1.0.0", "/", false, false, true},

		{"/crates/itoa/itoa-1.0.9.crate", "pkg:cargo/itoa@1.0.9", "/", true, true, true},
		{"/artifactory/api/cargo/c/v1/crates/itoa/1.0.19/download", "pkg:cargo/itoa@1.0.19", "/artifactory/api/cargo/c/", true, true, true},
		{"/mirror/itoa/itoa-1.0.9.crate", "pkg:cargo/itoa@1.0.9", "/mirror/", true, true, true},
		{"/mirror/itoa-1.0.9.crate", "pkg:cargo/itoa@1.0.9", "/mirror/", true, true, true},
		{"/it/oa/itoa", "pkg:cargo/itoa", "/", false, false, true},
		{"/index/3/a/abc", "pkg:cargo/abc", "/index/", false, false, true},

		{"/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar", "pkg:maven/org.slf4j/slf4j-api@2.0.9", "/maven2/", true, true, true},
		{"/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.pom.asc.sha1", "pkg:maven/org.slf4j/slf4j-api@2.0.9", "/maven2/", true, true, true},
		{"/repository/maven-public/junit/junit/4.13/junit-4.13.pom", "pkg:maven/junit/junit@4.13", "/repository/maven-public/", true, true, true},
		{"/mirror/junit/junit/4.13/junit-4.13.pom", "pkg:maven/junit/junit@4.13", "/mirror/", true, true, false},
		{"/maven2/org/slf4j/slf4j-api/maven-metadata.xml", "pkg:maven/org.slf4j/slf4j-api", "/maven2/", false, false, true},

		{"/debian/pool/main/h/hello/hello_2.10-3_amd64.deb", "pkg:deb/debian/hello@2.10-3?arch=amd64", "/debian/", true, true, true},
		{"/linux/debian/dists/bookworm/pool/stable/amd64/tool_1.0_amd64.deb", "pkg:deb/tool@1.0?arch=amd64", "/linux/debian/", true, true, true},
		{"/flat/tool_1.0_amd64.deb", "pkg:deb/tool@1.0?arch=amd64", "/flat/", true, true, true},
	} {
		t.Run(tc.path, func(t *testing.T) {
			q := query(t, "https", "any.example.org", tc.path)
			s, ok := Guess(q)
			if !ok {
				t.Fatal("no guess")
			}
			want := Shape{Type: s.Type, Name: s.Name, Package: tc.purl, Base: tc.base, Artifact: tc.artifact, Sure: tc.sure, BaseSure: tc.baseSure}
			if s != want {
				t.Fatalf("got  %+v\nwant %+v", s, want)
			}
			// What is learned from a form must be what is read back at its base.
			if got := read(t, s.Type, s.Base, tc.path); got != s.Package {
				t.Fatalf("read back as %q", got)
			}
		})
	}
}

func TestGuessName(t *testing.T) {
	s, _ := Guess(query(t, "https", "r.example.org", "/debian/pool/main/h/hello/hello_2.10-3_amd64.deb"))
	if s.Name != "pkg:deb/debian/hello" {
		t.Fatal(s.Name)
	}
}

func TestGuessNothing(t *testing.T) {
	for _, path := range []string{
		"/", "/lodash", "/a/b/c", "/releases/download/v1/tool-1.0.0.tgz", "/a/-/b-1.0.0.tgz", "/dl/tool-1.0.tar.gz",
		"/x/1.0/x-1.0.tar.gz", "/dists/bookworm/InRelease", "/config.json", "/2/me", "/1/a", "/v1.0/download",
		"/repos/o/r/releases/latest", "/@v/list", "/@latest", "/lookup/x", "/app.jar", "/1.0/app-1.0.jar",
		"/info/refs", "/gems", "/dl/tool-1.0.gem", "/gems/tool-1.0-arm64-darwin-21.gem", "/v2/", "/v2/users/tags/list", "/v2/projects/7", "/api/v2/x/manifests/y/z",
		"/packages/a.1.0.0.nupkg", "/a/index.json", "/v3/index.json", "/packages.json", "/p/a/b.json", "/dist/app/js/main.js", "/dists/app/1.0/x.zip",
		"/api/v1/gems", "/dist/a/b/a-c-1.0.zip",
	} {
		if s, ok := Guess(query(t, "https", "any.example.org", path)); ok {
			t.Errorf("%s: %+v", path, s)
		}
	}
}

// TestGuessByAccept: only npm clients ask for this media type.
func TestGuessByAccept(t *testing.T) {
	q := query(t, "https", "any.example.org", "/r/@types%2fnode")
	q.Header = map[string][]string{"Accept": {"application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"}}
	s, ok := Guess(q)
	if !ok || s.Package != "pkg:npm/%40types/node" || s.Base != "/r/" || s.Artifact {
		t.Fatalf("%+v %v", s, ok)
	}
}

func TestGuessIndex(t *testing.T) {
	for path, want := range map[string]string{
		"/debian-security/dists/bookworm-security/InRelease": "deb /debian-security/",
		"/dists/bookworm/updates/Release":                    "deb /",
		"/repository/apt/dists/bookworm/InRelease":           "deb /repository/apt/",
		"/repository/dists/bookworm/InRelease":               "",
		"/artifactory/dists/bookworm/InRelease":              "",
		"/debian/dists/bookworm/main/Contents-amd64":         "",
		"/debian/dists/InRelease":                            "",
		"/InRelease":                                         "",
		"/debian/dists/%2A/InRelease":                        "",
	} {
		typ, base, ok := GuessIndex(query(t, "http", "any.example.org", path))
		got := typ + " " + base
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if _, _, ok := GuessIndex(Query{Method: "PUT", Scheme: "http", Path: "/dists/x/InRelease"}); ok {
		t.Error("a write shows a registry")
	}
}
