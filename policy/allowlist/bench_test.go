package allowlist

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// manyRules returns a policy of n rules of every form.
func manyRules(n int) []byte {
	var b strings.Builder
	b.WriteString("version: 1\nallow:\n")
	for i := range n {
		switch i % 8 {
		case 0:
			fmt.Fprintf(&b, "  - GET https://h%d.ok.test/a/**\n", i)
		case 1:
			fmt.Fprintf(&b, "  - host: h%d.ok.test\n    methods: [GET, HEAD]\n    paths: [/tools, /tools/cc-*.tgz]\n", i)
		case 2:
			fmt.Fprintf(&b, "  - pkg:npm/package-%d@4.*\n", i)
		case 3:
			fmt.Fprintf(&b, "  - {host: '*.s%d.ok.test', networks: [10.0.0.0/8]}\n", i)
		case 4:
			fmt.Fprintf(&b, "  - https://h%d.ok.test/file-%d.tgz\n", i, i)
		case 5:
			fmt.Fprintf(&b, "  - {host: h%d.ok.test, query: {service: git-upload-pack, 'page?': '*'}, expires: 9999-12-31}\n", i)
		case 6:
			fmt.Fprintf(&b, "  - {host: h%d.ok.test, headers: {X-Request-Id: '*', 'Authorization?': 'Basic *'}}\n", i)
		case 7:
			fmt.Fprintf(&b, "  - pkg:deb/debian/package-%d@>=1.0-1 <2\n", i)
		}
	}
	b.WriteString("deny:\n  - {host: '*.evil.test', methods: [PUT], paths: ['/x/**']}\n")
	return []byte(b.String())
}

func manyGlobs(n int, format string) []byte {
	var b strings.Builder
	b.WriteString("version: 1\nallow:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - GET https://ok.test"+format+"\n", i)
	}
	return []byte(b.String())
}

func get(host, path string) *policy.Request {
	return &policy.Request{
		Method: "GET", Scheme: "https", Host: host, Port: 443, Path: path,
		Header: map[string][]string{
			"Accept": {"*/*"}, "User-Agent": {"test/1"}, "Accept-Encoding": {"gzip"}, "X-Request-Id": {"1"},
		},
	}
}

// decisions are the requests whose cost is bounded, with the action expected.
func decisions() map[string]struct {
	doc  []byte
	req  *policy.Request
	want policy.Action
} {
	rules := manyRules(10000)
	npm := get("npm.example.org", "/package-5002/-/package-5002-4.1.0.tgz")
	npm.Registry, npm.Package = "https://npm.example.org/", "pkg:npm/package-5002@4.1.0"
	deb := get("deb.example.org", "/pool/p/package-5007/package-5007_1.5-1_amd64.deb")
	deb.Registry, deb.Package = "https://deb.example.org/", "pkg:deb/debian/package-5007@1.5-1?arch=amd64"
	query := get("h5005.ok.test", "/a/info/refs")
	query.Query = "service=git-upload-pack&page=2"
	return map[string]struct {
		doc  []byte
		req  *policy.Request
		want policy.Action
	}{
		"10kRules/path":     {rules, get("h5000.ok.test", "/a/b/c"), policy.Allow},
		"10kRules/wildcard": {rules, get("a.b.s5003.ok.test", "/a/b/c"), policy.Allow},
		"10kRules/query":    {rules, query, policy.Allow},
		"10kRules/headers":  {rules, get("h5006.ok.test", "/a"), policy.Allow},
		"10kRules/range":    {rules, deb, policy.Allow},
		"10kRules/package":  {rules, npm, policy.Allow},
		"10kRules/unknown":  {rules, get("a.b.unknown.test", "/a/b/c"), policy.Deny},
		"1kGlobs/prefix":    {manyGlobs(1000, "/repo-%d/**"), get("ok.test", "/repo-777/a/b"), policy.Allow},
		"1kGlobs/suffix":    {manyGlobs(1000, "/**/file-%d.tgz"), get("ok.test", "/a/b/file-777.tgz"), policy.Allow},
		"1kGlobs/middle":    {manyGlobs(1000, "/*/repo-%d/*"), get("ok.test", "/a/repo-777/b"), policy.Allow},
		"1kGlobs/typed":     {manyGlobs(1000, "/repo-%d/{version}/cc-{version}-linux-{int}.tgz"), get("ok.test", "/repo-777/v1.2.3-rc.1/cc-1.2.3-rc.1-linux-64.tgz"), policy.Allow},
		"1kGlobs/types":     {manyGlobs(1000, "/*/{int}/repo-%d/{sha}"), get("ok.test", "/a/7/repo-777/da39a3ee5e6b4b0d3255bfef95601890afd80709"), policy.Allow},
		"1kGlobs/exact":     {manyGlobs(1000, "/a/b/c/%d"), get("ok.test", "/a/b/c/777"), policy.Allow},
	}
}

func benchmarkDecide(b *testing.B, group string) {
	for name, d := range decisions() {
		name, ok := strings.CutPrefix(name, group+"/")
		if !ok {
			continue
		}
		p, err := Parse("policy.yaml", d.doc)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, _ := p.Decide(context.Background(), d.req); got.Action != d.want {
					b.Fatal(got)
				}
			}
		})
	}
}

func BenchmarkDecide10kRules(b *testing.B) { benchmarkDecide(b, "10kRules") }

func BenchmarkDecide1kGlobs(b *testing.B) { benchmarkDecide(b, "1kGlobs") }

func BenchmarkLoad10kRules(b *testing.B) {
	doc := manyRules(10000)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("policy.yaml", doc); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	for name, d := range decisions() {
		p, err := Parse("policy.yaml", d.doc)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := p.Decide(context.Background(), d.req); got.Action != d.want {
			t.Errorf("%s: %+v, want %v", name, got, d.want)
		}
		n := testing.AllocsPerRun(100, func() { _, _ = p.Decide(context.Background(), d.req) })
		if n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

// BenchmarkRange is the comparison of one version that takes memory: those of
// other ecosystems than Debian are parsed for it.
func BenchmarkRange(b *testing.B) {
	for typ, text := range map[string]string{"npm": ">=4.17.21 <5", "pypi": ">=4.17,<5", "maven": "[4.17,5)", "deb": ">=4.17.21 <5"} {
		r, err := newRange(typ, text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(typ, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if in, known := r.contains("4.18.2", false); !in || !known {
					b.Fatal(in, known)
				}
			}
		})
	}
}

// BenchmarkYAML10kRules is the part of BenchmarkLoad10kRules that is the YAML
// reader's.
func BenchmarkYAML10kRules(b *testing.B) {
	doc := manyRules(10000)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var n yaml.Node
		if err := yaml.NewDecoder(bytes.NewReader(doc)).Decode(&n); err != nil {
			b.Fatal(err)
		}
	}
}
