package allowlist

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestMatching: of random rules, exactly those are named that decide the request
// when they are alone.
func TestMatching(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 4))
	named, hidden := 0, 0
	for range 300 {
		_, doc := randomRules(r)
		p, err := Parse("policy.yaml", []byte(doc))
		if err != nil {
			t.Fatalf("%v\nin\n%s", err, doc)
		}
		rules := parsePlaces(p.file, p.source).rules
		for range 30 {
			q := randomRequest(t, r)
			var got, want []int
			p.Matching(q, func(m Match) { got = append(got, m.Line) })
			for _, one := range rules {
				if p.decides(one, q) {
					want = append(want, one.line)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if got = slices.Compact(got); !slices.Equal(got, slices.Compact(want)) {
				t.Fatalf("%+v\nlines %v match, want %v, of\n%s", q, got, want, doc)
			}
			if named += len(got); len(got) > 1 {
				hidden++
			}
		}
	}
	if named < 1000 || hidden < 100 {
		t.Fatalf("only %d rules matched, and %d times more than one", named, hidden)
	}
}

func TestMatchingPackages(t *testing.T) {
	p := mustParse(t, `registries: {npm: https://npm.example.org/}
allow:
  - pkg:npm/lodash
  - pkg:npm/lodash@4.17.21
  - pkg:npm/lodash@4.*
  - pkg:npm/lodash@>=5 <6
  - host: npm.example.org
log:
  - pkg:npm/*
deny:
  - pkg:npm/lodash@4.17.21
`)
	for _, tt := range []struct {
		purl string
		want []Match
	}{
		{"pkg:npm/lodash", []Match{{4, policy.Allow, false}, {5, policy.Allow, true}, {6, policy.Allow, true}, {7, policy.Allow, true}, {8, policy.Allow, false}, {10, policy.Log, false}}},
		{"pkg:npm/lodash@4.17.21", []Match{{4, policy.Allow, false}, {5, policy.Allow, true}, {6, policy.Allow, true}, {8, policy.Allow, false}, {10, policy.Log, false}, {12, policy.Deny, true}}},
		{"pkg:npm/left-pad@1.0.0", []Match{{8, policy.Allow, false}, {10, policy.Log, false}}},
	} {
		var got []Match
		q := packageRequest(tt.purl)
		q.Host, q.Registry = "npm.example.org", "https://npm.example.org/"
		p.Matching(q, func(m Match) { got = append(got, m) })
		slices.SortFunc(got, func(a, b Match) int { return a.Line - b.Line })
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.purl, got, tt.want)
		}
	}
}

func TestKnowsHost(t *testing.T) {
	p := mustParse(t, `registries: {npm: "https://npm.example.org:8443/a/"}
allow: [https://build.example.org/a]
log: [{host: "*.log.example.org"}]
deny: [{host: evil.example.org}]
`)
	for host, want := range map[string]bool{
		"npm.example.org": true, "build.example.org": true, "x.log.example.org": true,
		"log.example.org": false, "evil.example.org": false, "example.org": false, "": false,
	} {
		if got := p.KnowsHost(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}
