package allowlist

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestFromLines: rules that are in no file decide as those of a file do, by the
// names that they were given.
func TestFromLines(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	p, err := FromLines("package-lock.json", "sha256:00", map[string][]string{"npm": {"https://npm.example.org/"}}, []Line{
		{Text: "pkg:npm/lodash@4.17.21", Name: "package-lock.json:812", Networks: inside},
		{Text: "POST https://npm.example.org/-/audit", Name: "package-lock.json", Reason: "advisories"},
	})
	if err != nil {
		t.Fatal(err)
	}
	lodash := policy.Request{
		Method: "GET", Scheme: "https", Host: "npm.example.org", Port: 443, Path: "/lodash/-/lodash-4.17.21.tgz",
		Package: "pkg:npm/lodash@4.17.21", Registry: "https://npm.example.org/",
	}
	for _, c := range []struct {
		name   string
		change func(*policy.Request)
		action policy.Action
		rule   string
	}{
		{"the package", func(*policy.Request) {}, policy.Allow, "package-lock.json:812"},
		{"its metadata", func(r *policy.Request) { r.Package, r.Path = "pkg:npm/lodash", "/lodash" }, policy.Allow, "package-lock.json:812"},
		{"another version", func(r *policy.Request) { r.Package = "pkg:npm/lodash@4.17.20" }, policy.Deny, ""},
		{"another origin", func(r *policy.Request) { r.Registry = "" }, policy.Deny, ""},
		{"published", func(r *policy.Request) { r.Method = "PUT" }, policy.Deny, ""},
		{"a method override", func(r *policy.Request) { r.Header = map[string][]string{"X-Http-Method-Override": {"DELETE"}} }, policy.Deny, ""},
		{"advisories", func(r *policy.Request) { r.Method, r.Path, r.Package, r.Registry = "POST", "/-/audit", "", "" }, policy.Allow, "package-lock.json"},
		{"advisories read", func(r *policy.Request) { r.Path, r.Package, r.Registry = "/-/audit", "", "" }, policy.Deny, ""},
	} {
		r := lodash
		c.change(&r)
		d, err := p.Decide(t.Context(), &r)
		if err != nil || d.Action != c.action || d.Rule != c.rule || d.Action == policy.Deny && !d.Default {
			t.Errorf("%s: %+v, %v, want %v by %q", c.name, d, err, c.action, c.rule)
		}
		if d.Rule == "package-lock.json:812" && !slices.Equal(d.Networks, inside) {
			t.Errorf("%s: networks %v", c.name, d.Networks)
		}
	}
	x := p.Explain(&lodash)
	if len(x.Matched) != 1 || x.Matched[0].Rule != "package-lock.json:812" || x.Matched[0].Text != "pkg:npm/lodash@4.17.21" {
		t.Errorf("explained by %+v", x.Matched)
	}
	if facts := p.Facts(); len(facts) != 2 || facts[0].Package != "pkg:npm/lodash@4.17.21" || facts[1].Host != "npm.example.org" {
		t.Errorf("facts: %+v", facts)
	}
	if p.Hash() != "sha256:00" || len(p.Registries()["npm"]) != 1 {
		t.Errorf("hash %q, registries %v", p.Hash(), p.Registries())
	}
}

func TestFromLinesMistake(t *testing.T) {
	_, err := FromLines("x.lock", "", nil, []Line{{Text: "pkg:npm/a@1.0.0"}, {Text: "pkg:nothing/a@1.0.0"}})
	if err == nil || !strings.HasPrefix(err.Error(), "x.lock:2:5: unknown ecosystem") {
		t.Error(err)
	}
}

// TestNetworks: where a policy says that a registry is inside, it is inside for
// what is read from it too.
func TestNetworks(t *testing.T) {
	p := mustParse(t, `
allow:
  - package: pkg:npm/a
    networks: [10.1.0.0/16]
  - package: pkg:pypi/b
    networks: [10.2.0.0/16]
  - host: npm.example.org
    paths: [/ping]
    networks: [10.3.0.0/16]
  - host: "*.example.net"
    networks: [10.4.0.0/16]
deny:
  - host: npm.example.org
    paths: [/other]
`)
	for _, c := range []struct {
		typ   string
		hosts []string
		want  string
	}{
		{"npm", nil, "[10.1.0.0/16]"},
		{"npm", []string{"npm.example.org", "x.example.net"}, "[10.1.0.0/16 10.3.0.0/16 10.4.0.0/16]"},
		{"cargo", []string{"example.net"}, "[]"},
	} {
		if got := p.Networks(c.typ, c.hosts...); strings.ReplaceAll(strings.Join(each(got), " "), ",", "") != strings.Trim(c.want, "[]") {
			t.Errorf("%s %v: %v, want %s", c.typ, c.hosts, got, c.want)
		}
	}
}

func each(prefixes []netip.Prefix) []string {
	var out []string
	for _, p := range prefixes {
		out = append(out, p.String())
	}
	return out
}
