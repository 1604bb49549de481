package allowlist

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// nearestOneByOne is group.nearest without an index: the first of the rules that
// are stopped by the latest obstacle.
func (g *group) nearestOneByOne(q *question) (best *rule, stopped obstacle) {
	for _, r := range g.rules {
		o := r.stoppedBefore(q)
		if o == byPath && r.matchesPath(q) {
			o = r.stoppedBehind(q)
		}
		if best == nil || o > stopped {
			best, stopped = r, o
		}
	}
	return best, stopped
}

// randomConditions is a rule that a request may miss by any of its parts.
func randomConditions(r *rand.Rand) string {
	s := "  - {host: ok.test"
	for _, part := range []string{
		pick(r, "", "", "methods: [POST]", "methods: [GET, PUT]"),
		pick(r, "", "", "schemes: [http]", "schemes: [https, http]"),
		pick(r, "", "", "", "ports: [8443]"),
		pick(r, "", "paths: ['"+randomPattern(r)+"']", "paths: ['"+randomPattern(r)+"', '"+randomPattern(r)+"']", "paths: [/a/b]"),
		pick(r, "", "", "processes: [make]"),
		pick(r, "", "", "query: {q: x}"),
		pick(r, "", "", "headers: {X-A: b}"),
		pick(r, "", "", "via: ['https://f.test/**']"),
		pick(r, "", "", "expires: 2020-01-01"),
	} {
		if part != "" {
			s += ", " + part
		}
	}
	return s + "}\n"
}

func randomMiss(r *rand.Rand) *question {
	scheme := pick(r, "https", "https", "https", "http", "tcp")
	req := &policy.Request{
		Method: pick(r, "GET", "GET", "POST", "PUT"), Scheme: scheme, Host: "ok.test", Port: policy.DefaultPort(scheme),
		Path: pick(r, "/a/b", "/a", "/1", "/ab/a", "/b/b"), Query: pick(r, "", "q=x", "q=y"),
	}
	if scheme == "tcp" {
		req.Method, req.Path, req.Query, req.Port = "", "", "", 22
	}
	if r.IntN(6) == 0 {
		req.Port = 8443
	}
	if r.IntN(2) == 0 {
		req.Header = map[string][]string{"X-A": {pick(r, "b", "c")}}
	}
	if r.IntN(2) == 0 {
		req.Process = &policy.Process{Exe: pick(r, "/usr/bin/make", "/usr/bin/curl")}
	}
	if r.IntN(3) == 0 {
		req.Via = []string{pick(r, "https://f.test/a", "https://g.test/a")}
	}
	return &question{Request: req, scheme: schemeOf(scheme)}
}

// TestNearestAsOneByOne holds the indexed search to one that looks at each rule.
func TestNearestAsOneByOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[obstacle]int{}
	for range 400 {
		doc := "allow:\n"
		for range 1 + r.IntN(60) {
			doc += randomConditions(r)
		}
		p := mustParse(t, doc)
		g := p.index.hosts["ok.test"][policy.Allow]
		for range 50 {
			q := randomMiss(r)
			q.clock = p.clock
			var hits [3]found
			if p.index.match(q, &hits); hits[policy.Allow].first != nil {
				continue
			}
			got, by := g.nearest(q)
			want, wantBy := g.nearestOneByOne(q)
			if got != want || by != wantBy {
				t.Fatalf("%+v: %s, %v; one by one %s, %v\n%s", q.Request, got.name, by, want.name, wantBy, doc)
			}
			seen[by]++
		}
	}
	for o := byScheme; o <= byExpiry; o++ {
		if seen[o] < 20 {
			t.Errorf("only %d requests were stopped by %v", seen[o], o)
		}
	}
}

// TestNearestIsBounded has a nearer rule behind the bounds, which is not looked at.
func TestNearestIsBounded(t *testing.T) {
	var ports, paths strings.Builder
	for i := range 2 * maxApproaches {
		fmt.Fprintf(&ports, "  - {host: ok.test, ports: [%d]}\n", 1000+i)
	}
	for range 2 * maxNear {
		paths.WriteString("  - {host: ok.test, paths: [/a], headers: {X-A: b}}\n")
	}
	for name, tt := range map[string]struct{ doc, request, want string }{
		"approaches": {ports.String() + "  - {host: ok.test, methods: [PUT]}\n", "https://ok.test/", "policy.yaml:3 has this host, but not this port"},
		"paths":      {paths.String() + "  - {host: ok.test, paths: [/a], query: {q: x}}\n", "https://ok.test/a", "policy.yaml:3 has this host, but not these header fields"},
	} {
		p := mustParse(t, "allow:\n"+tt.doc)
		if n := len(p.index.hosts["ok.test"][policy.Allow].approaches); n > maxApproaches {
			t.Errorf("%s: %d approaches", name, n)
		}
		if got := decide(t, p, request(t, tt.request)).Reason; got != noMatch+": "+tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// BenchmarkDenied is what a denied request costs where its host has many rules.
func BenchmarkDenied(b *testing.B) {
	for _, n := range []int{10, 10000, 60000} {
		onePath := manyGlobs(n, "/repo-%d/a/b.tgz")
		var onePathEach strings.Builder
		onePathEach.WriteString("version: 1\nallow:\n  - host: ok.test\n    paths:\n")
		for i := range n {
			fmt.Fprintf(&onePathEach, "      - /repo-%d/a/b.tgz\n", i)
		}
		post := get("ok.test", "/repo-7/a/b.tgz")
		post.Method = "POST"
		for name, d := range map[string]struct {
			doc []byte
			req *policy.Request
		}{
			"path":   {onePath, get("ok.test", "/repo-7/a/c")},
			"method": {onePath, post},
			"paths":  {[]byte(onePathEach.String()), get("ok.test", "/repo-7/a/c")},
		} {
			p, err := Parse("policy.yaml", d.doc)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if got, _ := p.Decide(context.Background(), d.req); got.Action != policy.Deny || got.Reason == noMatch {
						b.Fatal(got)
					}
				}
			})
		}
	}
}
