package allowlist

import (
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestExplainMissed has one rule, and requests that it misses by one part each.
func TestExplainMissed(t *testing.T) {
	const rule = `
allow:
  - host: ok.test # why
    methods: [POST]
    paths: [/a/*, /b]
    query: {q: x}
    headers: {Accept: text/html}
    processes: [make]
    via: [https://f.test/a/**, https://g.test:8443]
    expires: 2030-01-01`
	ask := func() *policy.Request {
		r := request(t, "POST https://ok.test/a/x?q=x")
		r.Header = map[string][]string{"Accept": {"text/html"}}
		r.Process = &policy.Process{Exe: "/usr/bin/make"}
		r.Via = []string{"https://other.test/", "https://g.test:8443/x"}
		return r
	}
	for _, tt := range []struct {
		name   string
		change func(*policy.Request)
		day    int // of 2030
		want   string
	}{
		{"nothing", func(*policy.Request) {}, -1, ""},
		{"method", func(r *policy.Request) { r.Method = "GET" }, -1, "method: POST, not GET"},
		{"path", func(r *policy.Request) { r.Path = "/a/x/y" }, -1, "path: /a/* or /b, not /a/x/y"},
		{"query", func(r *policy.Request) { r.Query = "q=y" }, -1, "query: what the rule lists, not that of this request"},
		{"header", func(r *policy.Request) { r.Header = nil }, -1, "headers: what the rule lists, not those of this request"},
		{"process", func(r *policy.Request) { r.Process = &policy.Process{Exe: "/usr/bin/curl"} }, -1, "process: make, not /usr/bin/curl"},
		{"unknown process", func(r *policy.Request) { r.Process = nil }, -1, "process: make, not unknown"},
		{"scheme", func(r *policy.Request) { r.Scheme, r.Port = "http", 80 }, -1, "scheme: https, not http"},
		{"port", func(r *policy.Request) { r.Port = 8443 }, -1, "port: the scheme's own, 443, not 8443"},
		{"no redirect", func(r *policy.Request) { r.Via = nil }, -1, "via: a redirect from https://f.test/a/** or https://g.test:8443, and none led to exactly this URL"},
		{"another redirect", func(r *policy.Request) { r.Via = []string{"https://f.test/b"} }, -1, "via: a redirect from https://f.test/a/** or https://g.test:8443, not from https://f.test/b"},
		{"date", func(*policy.Request) {}, 2, "expires: the rule was over on 2030-01-01"},
		{"header that overrides", func(r *policy.Request) { r.Header["X-Http-Method-Override"] = []string{"PUT"} }, -1, "headers: no rule allows a request with X-Http-Method-Override"},
		{"a neighbour's host", func(r *policy.Request) { r.Host = "www.ok.test" }, -1, "host: ok.test, not www.ok.test"},
		{"a slip in the host", func(r *policy.Request) { r.Host = "ok.tset" }, -1, "host: ok.test, not ok.tset"},
		{"another host", func(r *policy.Request) { r.Host = "example.org" }, -1, "none"},
		{"undecrypted", func(r *policy.Request) { r.Method, r.Path, r.Query, r.Header = "CONNECT", "", "", nil }, -1, "tls: decrypted, not passthrough"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, rule)
			p.clock = func() time.Time { return time.Date(2030, 1, tt.day, 12, 0, 0, 0, time.UTC) }
			r := ask()
			tt.change(r)
			x := p.Explain(r)
			got := "none"
			if len(x.Missed) > 0 {
				got = strings.Join(x.Missed[0].Differs, "; ")
			}
			if len(x.Matched) > 0 {
				got = ""
			}
			if got != tt.want {
				t.Errorf("differs %q, want %q", got, tt.want)
			}
			if d := decide(t, p, r); (d.Action == policy.Allow) != (len(x.Matched) == 1) {
				t.Errorf("decided %+v, explained %+v", d, x)
			}
		})
	}
}

// TestExplainTyped has requests that a typed pattern keeps from matching.
func TestExplainTyped(t *testing.T) {
	for _, tt := range []struct{ pattern, path, want string }{
		{"/a/{version}", "/a/latest", `: the segment "latest" is no {version}`},
		{"/a/{version}/b", "/a/latest/b", `: the segment "latest" is no {version}`},
		{"/{int}/{version}/b", "/5/latest/b", `: the segment "latest" is no {version}`},
		{"/a/{version}/b", "/a/1.2%2F3/b", ""},
		{"/a/{version}/b", "/a/1.2%2B3/b", `: the segment "1.2%2B3" is no {version}`},
		{"/a/cc-{version}-{int}.tgz", "/a/cc-1.2-x.tgz", `: the segment "cc-1.2-x.tgz" has no {int} there`},
		{"/a/{date}.log", "/a/2026-02-30.log", `: the segment "2026-02-30.log" has no {date} there`},
		{"/a/**/{sha}", "/a/b/c", ": no {sha} stands where the rule has one"},
		{"/a/{int}", "/b/5", ""},
		{"/a/*", "/b/5", ""},
	} {
		p := mustParse(t, "allow:\n  - https://ok.test"+tt.pattern)
		x := p.Explain(request(t, "https://ok.test"+tt.path))
		if len(x.Missed) != 1 || len(x.Missed[0].Differs) != 1 {
			t.Fatalf("%s, %s: %+v", tt.pattern, tt.path, x)
		}
		if got, want := x.Missed[0].Differs[0], "path: "+tt.pattern+", not "+tt.path+tt.want; got != want {
			t.Errorf("differs %q, want %q", got, want)
		}
	}
}

func TestExplainText(t *testing.T) {
	p := mustParse(t, "allow:\n  - host: ok.test # why\n    paths:\n      - /a\n\n  - https://ok.test/b\nlog:\n  - https://ok.test/a\ndeny:\n  - host: ok.test\n    paths: [/a]\n")
	x := p.Explain(request(t, "https://ok.test/a"))
	var got []string
	for _, m := range x.Matched {
		got = append(got, m.Action.String()+": "+m.Text)
	}
	want := []string{"deny: - host: ok.test\n  paths: [/a]", "allow: - host: ok.test # why\n  paths:\n    - /a", "log: - https://ok.test/a"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("matched %q, want %q", got, want)
	}
	if len(x.Missed) != 1 || x.Missed[0].Text != "- https://ok.test/b" {
		t.Errorf("missed %+v", x.Missed)
	}
}

func TestExplainPackage(t *testing.T) {
	p := mustParse(t, "registries: {npm: https://npm.ok.test/}\nallow:\n  - pkg:npm/lodash@4.*\n")
	for _, tt := range []struct{ method, purl, registry, want string }{
		{"GET", "pkg:npm/lodash@4.1.0", "https://npm.ok.test/", ""},
		{"GET", "pkg:npm/lodash@3.0.0", "https://npm.ok.test/", `version: what the rule says, not "3.0.0"`},
		{"GET", "pkg:npm/lodash@4.1.0", "", "registry: https://npm.ok.test/, not https://other.test/"},
		{"PUT", "pkg:npm/lodash@4.1.0", "https://npm.ok.test/", "method: GET or HEAD, not PUT"},
		{"GET", "pkg:npm/left-pad@4.1.0", "https://npm.ok.test/", "package: pkg:npm/lodash, not pkg:npm/left-pad"},
		{"GET", "pkg:pypi/lodash@4.1.0", "https://npm.ok.test/", "none"},
	} {
		r := request(t, tt.method+" https://other.test/x")
		r.Package, r.Registry = tt.purl, tt.registry
		x := p.Explain(r)
		got := "none"
		if len(x.Missed) > 0 {
			got = strings.Join(x.Missed[0].Differs, "; ")
		}
		if len(x.Matched) > 0 {
			got = ""
		}
		if got != tt.want {
			t.Errorf("%s %s from %q differs %q, want %q", tt.method, tt.purl, tt.registry, got, tt.want)
		}
	}
}
