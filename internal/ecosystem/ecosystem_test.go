package ecosystem

import (
	"strings"
	"testing"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/juliendoutre/proxaudit/policy"
)

// read asks a Recognizer with one registry at base about one URL's path.
func read(t testing.TB, typ, base, path string) string {
	t.Helper()
	r, err := New(Registries{typ: {"https://r.example.org" + base}})
	if err != nil {
		t.Fatal(err)
	}
	purl, registry := r.Identify(query(t, "https", "r.example.org", path))
	if registry == "" {
		return ""
	}
	return purl
}

func query(t testing.TB, scheme, host, path string) Query {
	t.Helper()
	canonical, err := policy.CanonicalPath(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return Query{Method: "GET", Scheme: scheme, Host: host, Port: policy.DefaultPort(scheme), Path: canonical}
}

func TestGrammars(t *testing.T) {
	sha := strings.Repeat("0123456789abcdef", 4)
	for _, tc := range []struct{ typ, base, path, want string }{
		// As npm 10 and yarn ask.
		{"npm", "/", "/lodash", "pkg:npm/lodash"},
		{"npm", "/", "/JSONStream", "pkg:npm/JSONStream"},
		{"npm", "/", "/@types%2fnode", "pkg:npm/%40types/node"},
		{"npm", "/", "/@types/node", "pkg:npm/%40types/node"},
		{"npm", "/", "/%40types%2Fnode", "pkg:npm/%40types/node"},
		{"npm", "/", "/lodash/4.17.21", "pkg:npm/lodash@4.17.21"},
		{"npm", "/", "/lodash/latest", "pkg:npm/lodash"},
		{"npm", "/", "/lodash/-/lodash-4.17.21.tgz", "pkg:npm/lodash@4.17.21"},
		{"npm", "/", "/a/-/a-1.0.0-beta.1%2Bb.tgz", "pkg:npm/a@1.0.0-beta.1%2Bb"},
		{"npm", "/", "/@types/node/-/node-20.0.0.tgz", "pkg:npm/%40types/node@20.0.0"},
		{"npm", "/", "/@types%2fnode/-/node-20.0.0.tgz", "pkg:npm/%40types/node@20.0.0"},
		{"npm", "/", "/@types/node/-/@types/node-20.0.0.tgz", "pkg:npm/%40types/node@20.0.0"},
		{"npm", "/", "/lodash/download/lodash-4.17.21.tgz", "pkg:npm/lodash@4.17.21"},
		{"npm", "/", "/download/@o/n/1.2.3/" + sha, "pkg:npm/%40o/n@1.2.3"},
		{"npm", "/", "/-/package/@o%2fn/dist-tags", "pkg:npm/%40o/n"},
		{"npm", "/", "/-/npm/v1/attestations/@o%2fn@1.2.3", "pkg:npm/%40o/n@1.2.3"},
		{"npm", "/repository/npm-group/", "/repository/npm-group/lodash", "pkg:npm/lodash"},
		{"npm", "/", "/-/whoami", ""},
		{"npm", "/", "/-/npm/v1/keys", ""},
		{"npm", "/", "/-/all", ""},
		{"npm", "/", "/", ""},
		{"npm", "/", "/favicon.ico", ""},
		{"npm", "/", "/@types", ""},
		{"npm", "/", "//lodash", ""},
		{"npm", "/", "/lodash/", ""},
		{"npm", "/", "/a/-/b-1.0.0.tgz", ""},
		{"npm", "/", "/a/-/a-1.tgz", ""},
		{"npm", "/", "/a/-/a-1.0.0.tgz/x", ""},
		{"npm", "/", "/other/a/-/a-1.0.0.tgz", ""},
		{"npm", "/", "/a/-/a-%2A.tgz", ""},
		{"npm", "/", "/%2A", ""},

		// As pip 23 asks, and where index servers put files.
		{"pypi", "/", "/simple/typing-extensions/", "pkg:pypi/typing-extensions"},
		{"pypi", "/", "/simple/Zope.Interface", "pkg:pypi/zope-interface"},
		{"pypi", "/simple", "/simple/requests/", "pkg:pypi/requests"},
		{"pypi", "/whl/cpu/", "/whl/cpu/torch/", "pkg:pypi/torch"},
		{"pypi", "/root/pypi/", "/root/pypi/+simple/requests/", "pkg:pypi/requests"},
		{"pypi", "/", "/pypi/requests/json", "pkg:pypi/requests"},
		{"pypi", "/", "/pypi/requests/2.31.0/json", "pkg:pypi/requests@2.31.0"},
		{"pypi", "/", "/packages/b7/f4/" + sha + "/typing_extensions-4.9.0-py3-none-any.whl", "pkg:pypi/typing-extensions@4.9.0"},
		{"pypi", "/", "/packages/b7/f4/" + sha + "/typing_extensions-4.9.0-py3-none-any.whl.metadata", "pkg:pypi/typing-extensions@4.9.0"},
		{"pypi", "/", "/packages/b7/f4/" + sha + "/typing_extensions-4.9.0.tar.gz", "pkg:pypi/typing-extensions@4.9.0"},
		{"pypi", "/", "/packages/b7/zope.interface-5.0-1-cp38-cp38-linux_x86_64.whl", "pkg:pypi/zope-interface@5.0"},
		{"pypi", "/", "/packages/foo-bar-2.0-beta1.zip", "pkg:pypi/foo-bar@2.0-beta1"},
		{"pypi", "/whl/", "/whl/cu118/torch-2.0.0%2Bcu118-cp310-cp310-linux_x86_64.whl", "pkg:pypi/torch@2.0.0%2Bcu118"},
		{"pypi", "/", "/integrity/a/1.0/a-1.0-py3-none-any.whl/provenance", "pkg:pypi/a@1.0"},
		{"pypi", "/", "/simple/", ""},
		{"pypi", "/", "/legacy", ""},
		{"pypi", "/", "/packages/a-1.0-any.whl", ""},
		{"pypi", "/", "/packages/a%2Fb-1.0-py3-none-any.whl", ""},
		{"pypi", "/", "/packages/noversion.tar.gz", ""},
		{"pypi", "/", "/packages/tool-2a-v1.0.tar.gz", "pkg:pypi/tool-2a@v1.0"},
		{"pypi", "/", "/packages/tool-2a-V1.0.zip", "pkg:pypi/tool-2a@V1.0"},
		{"pypi", "/", "/packages/tool-1.0-beta.tar.gz", "pkg:pypi/tool@1.0-beta"},
		{"pypi", "/", "/packages/tool-v.tar.gz", ""},

		// As go 1.26 asks.
		{"golang", "/", "/github.com/%21burnt%21sushi/toml/@v/v1.3.2.info", "pkg:golang/github.com/burntsushi/toml@v1.3.2"},
		{"golang", "/", "/github.com/!burnt!sushi/toml/@v/v1.3.2.mod", "pkg:golang/github.com/burntsushi/toml@v1.3.2"},
		{"golang", "/", "/gopkg.in/yaml.v3/@v/v3.0.1.zip", "pkg:golang/gopkg.in/yaml.v3@v3.0.1"},
		{"golang", "/", "/example.org/a/@v/v2.0.0+incompatible.zip", "pkg:golang/example.org/a@v2.0.0%2Bincompatible"},
		{"golang", "/", "/example.org/a/@v/v0.0.0-20200101000000-abcdefabcdef.mod", "pkg:golang/example.org/a@v0.0.0-20200101000000-abcdefabcdef"},
		{"golang", "/", "/example.org/a/@v/list", "pkg:golang/example.org/a"},
		{"golang", "/", "/example.org/a/@latest", "pkg:golang/example.org/a"},
		{"golang", "/", "/example.org/a/@v/main.info", "pkg:golang/example.org/a"},
		{"golang", "/", "/sumdb/sum.example.org/lookup/github.com/!burnt!sushi/toml@v1.3.2", "pkg:golang/github.com/burntsushi/toml@v1.3.2"},
		{"golang", "/", "/lookup/example.org/a@v1.0.0", "pkg:golang/example.org/a@v1.0.0"},
		{"golang", "/goproxy/", "/goproxy/example.org/a/@v/list", "pkg:golang/example.org/a"},
		{"golang", "/", "/goproxy/example.org/a/@v/list", ""},
		{"golang", "/", "/example.org/a/@v/main.zip", ""},
		{"golang", "/", "/sumdb/sum.example.org/supported", ""},
		{"golang", "/", "/sumdb/sum.example.org/tile/8/0/x280/897.p/124", ""},
		{"golang", "/", "/sumdb/sum.example.org/latest", ""},
		{"golang", "/", "/@v/list", ""},

		// As cargo 1.95 asks, and a proxy's downloads.
		{"cargo", "/", "/cf/g-/cfg-if", "pkg:cargo/cfg-if"},
		{"cargo", "/", "/3/a/abc", "pkg:cargo/abc"},
		{"cargo", "/", "/2/ab", "pkg:cargo/ab"},
		{"cargo", "/", "/1/a", "pkg:cargo/a"},
		{"cargo", "/", "/In/fl/Inflector", "pkg:cargo/inflector"},
		{"cargo", "/", "/index/in/fl/inflector", "pkg:cargo/inflector"},
		{"cargo", "/", "/crates/Inflector/0.11.4/download", "pkg:cargo/inflector@0.11.4"},
		{"cargo", "/", "/api/v1/crates/itoa/1.0.9/download", "pkg:cargo/itoa@1.0.9"},
		{"cargo", "/c/crates-io/", "/c/crates-io/v1/crates/itoa/1.0.19/download", "pkg:cargo/itoa@1.0.19"},
		{"cargo", "/", "/itoa/itoa-1.0.9.crate", "pkg:cargo/itoa@1.0.9"},
		{"cargo", "/", "/crates/itoa/itoa-1.0.9+x.crate", "pkg:cargo/itoa@1.0.9%2Bx"},
		{"cargo", "/", "/crates/cfg-if-1.0.0.crate", "pkg:cargo/cfg-if@1.0.0"},
		{"cargo", "/", "/config.json", ""},
		{"cargo", "/", "/se/rd/evil", ""},
		{"cargo", "/", "/2/abc", ""},
		{"cargo", "/", "/3/b/abc", ""},
		{"cargo", "/", "/a/b-1.0.0.crate", ""},
		{"cargo", "/", "/api/v1/crates/itoa", ""},
		{"cargo", "/", "/api/v1/crates/itoa/1.0/download", ""},

		// As Maven 3.8 asks.
		{"maven", "/maven2/", "/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar", "pkg:maven/org.slf4j/slf4j-api@2.0.9"},
		{"maven", "/maven2/", "/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.pom.sha1", "pkg:maven/org.slf4j/slf4j-api@2.0.9"},
		{"maven", "/maven2/", "/maven2/junit/junit/4.13/junit-4.13-sources.jar.asc", "pkg:maven/junit/junit@4.13"},
		{"maven", "/maven2/", "/maven2/org/scala-lang/x_2.13/1.0/x_2.13-1.0.jar", "pkg:maven/org.scala-lang/x_2.13@1.0"},
		{"maven", "/maven2/", "/maven2/org/slf4j/slf4j-api/maven-metadata.xml", "pkg:maven/org.slf4j/slf4j-api"},
		{"maven", "/maven2/", "/maven2/org/slf4j/slf4j-api/maven-metadata.xml.sha1", "pkg:maven/org.slf4j/slf4j-api"},
		{"maven", "/s/", "/s/org/a/b/1.0-SNAPSHOT/maven-metadata.xml", "pkg:maven/org.a/b@1.0-SNAPSHOT"},
		{"maven", "/s/", "/s/org/a/b/1.0-SNAPSHOT/b-1.0-20240102.030405-1.jar", "pkg:maven/org.a/b@1.0-SNAPSHOT"},
		{"maven", "/maven2/", "/maven2/org/slf4j/slf4j-api/2.0.9/evil-2.0.9.jar", ""},
		{"maven", "/maven2/", "/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.91.jar", ""},
		{"maven", "/maven2/", "/maven2/a/1.0/a-1.0.jar", ""},
		{"maven", "/maven2/", "/maven2/archetype-catalog.xml", ""},
		{"maven", "/maven2/", "/maven2/org//slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar", ""},

		// As apt 2.6 asks.
		{"deb", "/debian/", "/debian/pool/main/h/hello/hello_2.10-3_amd64.deb", "pkg:deb/debian/hello@2.10-3?arch=amd64"},
		{"deb", "/debian/", "/debian/pool/main/g/gcc-12/libstdc%2b%2b6_12.2.0-14%2bdeb12u1_amd64.deb", "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64"},
		{"deb", "/debian-security/", "/debian-security/pool/updates/main/o/openssl/openssl_3.0.1-1~deb12u1_all.deb", "pkg:deb/debian/openssl@3.0.1-1~deb12u1?arch=all"},
		{"deb", "/ubuntu/", "/ubuntu/pool/main/h/hello/hello_2.10.orig.tar.gz", "pkg:deb/ubuntu/hello@2.10?arch=source"},
		{"deb", "/debian/", "/debian/pool/main/h/hello/hello_2.10-3.dsc", "pkg:deb/debian/hello@2.10-3?arch=source"},
		{"deb", "/debian/", "/debian/pool/main/h/hello/hello_2.10-3.debian.tar.xz", "pkg:deb/debian/hello@2.10-3?arch=source"},
		{"deb", "/linux/debian/", "/linux/debian/dists/bookworm/pool/stable/amd64/tool_5%253a24.0.7-1_amd64.deb", "pkg:deb/tool@5:24.0.7-1?arch=amd64"},
		{"deb", "/debian/", "/debian/dists/bookworm/InRelease", ""},
		{"deb", "/debian/", "/debian/pool/main/h/hello/hello.deb", ""},
		{"deb", "/debian/", "/debian/pool/main/h/hello/hello_2.10_.deb", ""},
		{"deb", "/debian/", "/debian/x_1.0.tar.gz", ""},
	} {
		t.Run(tc.typ+tc.path, func(t *testing.T) {
			got := read(t, tc.typ, tc.base, tc.path)
			if got != tc.want {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			checkCanonical(t, got)
		})
	}
}

// checkCanonical asserts that a purl is in the form that parsing it and printing
// it again gives.
func checkCanonical(t testing.TB, purl string) {
	t.Helper()
	if purl == "" {
		return
	}
	p, err := packageurl.FromString(purl)
	if err != nil {
		t.Fatalf("%q: %v", purl, err)
	}
	if p.ToString() != purl {
		t.Fatalf("%q is not canonical: %q", purl, p.ToString())
	}
	for i := range len(purl) {
		if purl[i] <= ' ' || purl[i] > '~' || strings.IndexByte("*\"\\#{}", purl[i]) >= 0 {
			t.Fatalf("%q holds a byte that has a meaning elsewhere", purl)
		}
	}
}

func TestTypes(t *testing.T) {
	if got := strings.Join(Types(), " "); got != "cargo composer deb docker gem golang maven npm nuget pypi" {
		t.Fatal(got)
	}
}
