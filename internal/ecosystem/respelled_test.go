package ecosystem

import (
	"strings"
	"testing"
)

// TestRespelled has the spellings in which a package of a registry is asked for
// past a rule that denies it, and what servers read in them. None is a package as
// it is written, so none earns anything.
func TestRespelled(t *testing.T) {
	r, err := New(Registries{
		"npm": {"https://r.example.org/npm/"}, "golang": {"https://r.example.org/go/"}, "maven": {"https://r.example.org/maven2/"},
		"pypi": {"https://r.example.org/py/"}, "cargo": {"https://r.example.org/cargo/"}, "docker": {"https://r.example.org/"},
		"gem": {"https://r.example.org/gem/"}, "deb": {"https://r.example.org/debian/"}, "nuget": {"https://r.example.org/nuget/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{"/npm//evil/-/evil-1.0.0.tgz", "pkg:npm/evil@1.0.0"},
		{"//npm/evil", "pkg:npm/evil"},
		{"/npm/evil//-/evil-1.0.0.tgz", "pkg:npm/evil@1.0.0"},
		{"/npm/evil%2F-/evil-1.0.0.tgz", "pkg:npm/evil@1.0.0"},
		{"/npm%2Fevil", "pkg:npm/evil"},
		{"/npm/evil;x=1/-/evil-1.0.0.tgz", "pkg:npm/evil@1.0.0"},
		{"/npm/evil/-/evil-1.0.0.tgz;x", "pkg:npm/evil@1.0.0"},
		{"/npm/@s%252Fevil", "pkg:npm/%40s/evil"},
		{"/npm/%2540s%252Fevil", "pkg:npm/%40s/evil"},
		{"/go/evil.test/m/%40v/v1.0.0.zip", "pkg:golang/evil.test/m@v1.0.0"},
		{"/go/evil.test/m/%40latest", "pkg:golang/evil.test/m"},
		{"/go//evil.test/m/@v/list", "pkg:golang/evil.test/m"},
		{"/go/lookup/evil.test/m%40v1.0.0", "pkg:golang/evil.test/m@v1.0.0"},
		{"/maven2/org//evil/lib/1.0/lib-1.0.jar", "pkg:maven/org.evil/lib@1.0"},
		{"/maven2/org%2Fevil/lib/1.0/lib-1.0.jar", "pkg:maven/org.evil/lib@1.0"},
		{"/maven2/org/evil;a/lib;b/1.0/lib-1.0.jar", "pkg:maven/org.evil/lib@1.0"},
		{"/py/simple//evil/", "pkg:pypi/evil"},
		{"/py/simple%2Fevil/", "pkg:pypi/evil"},
		{"/cargo/crates//evil/1.0.0/download", "pkg:cargo/evil@1.0.0"},
		{"/v2//library/evil/manifests/1", "pkg:docker/library/evil@1"},
		{"/v2/library%2Fevil/manifests/1", "pkg:docker/library/evil@1"},
		{"/gem/gems//evil-1.0.gem", "pkg:gem/evil@1.0"},
		{"/nuget/v3-flatcontainer/evil%2F1.0.0/evil.1.0.0.nupkg", "pkg:nuget/evil@1.0.0"},
		{"/v2/library/evil/manifests/1?ns=ok.test", "pkg:docker/library/evil@1"},
		{"/v2/library/evil/manifests/1?x=1", ""},
		{"/npm/%25%25", ""},
		{"/npm/%E9%00", ""},
		{"/other//evil/-/evil-1.0.0.tgz", ""},
		{"/npm/@s%2Fx", ""}, // as it is written
		{"/npm/x", ""},
	} {
		q := query(t, "https", "r.example.org", "/")
		q.Path, q.RawQuery, _ = strings.Cut(tt.path, "?")
		got := ""
		for purl, registry := range r.Respelled(q) {
			if got != "" || registry == "" {
				got += " and "
			}
			got += purl
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
		if purl, registry := r.Identify(q); tt.want != "" && registry != "" {
			t.Errorf("%s is %s as it is written", tt.path, purl)
		}
	}
}
