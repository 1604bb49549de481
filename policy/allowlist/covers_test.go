package allowlist

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestCoversHolds makes rules out of few words, so that many cover each other, and
// holds each claim that one covers another to requests made of the same words: what
// the one matches, the other must.
func TestCoversHolds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	rule := func(deny bool) string {
		if rnd.IntN(5) == 0 {
			return "{package: 'pkg:npm/" + pick("a", "b", "*", "a*", "@s/a", "@s/*") + pick("", "@1.0.0", "@1.*", "@<2", "@>=1.0.0 <1.5") + "'" + pick("", ", processes: [p]") + "}"
		}
		parts := []string{"host: '" + pick("ok.test", "*.ok.test", "a.ok.test", "*.a.ok.test") + "'"}
		tcp := rnd.IntN(6) == 0
		if tcp {
			parts = append(parts, "schemes: [tcp], ports: [22"+pick("", ", 443")+"]")
		} else {
			parts = append(parts, pick("", "schemes: [http]", "schemes: [http, https]", "schemes: [https, wss]"), pick("", "", "ports: [443]", "ports: [443, 80]"),
				pick("", "methods: [GET]", "methods: [HEAD]", "methods: [GET, HEAD]", "methods: [GET, POST]"),
				pick("", "paths: [/a]", "paths: [/**]", "paths: [/*]", "paths: ['/a/*']", "paths: ['/a*']", "paths: ['/a**']", "paths: ['/*/b']", "paths: [/a/b, /a]", "paths: ['/a/*b']", "paths: ['/**/b']",
					"paths: ['/a/{int}']", "paths: ['/*/{int}']", "paths: ['/a/{version}']", "paths: [/a/5]", "paths: [/a/v5]", "paths: ['/a/1{int}']", "paths: ['/a*{int}']", "paths: ['/a/{int}*']"),
				pick("", "", "query: {q: x}"), pick("", "", "headers: {X: y}"))
			if !deny {
				parts = append(parts, pick("", "", "", "via: 'https://f.test'", "via: 'https://f.test/a/**'", "via: ['https://f.test/a/b', 'https://*.f.test']", "via: ['https://*.f.test/**', 'https://f.test/**']"))
				if strings.Contains(parts[1], "wss") {
					parts[len(parts)-1] = ""
				}
			}
			if !deny && rnd.IntN(8) == 0 {
				parts = []string{parts[0], "tls: passthrough"}
			}
		}
		parts = append(parts, pick("", "", "processes: [p]", "processes: [p, q]"))
		return "{" + strings.Join(compact(parts), ", ") + "}"
	}
	requests := coveringRequests()
	var rules []*askedRule
	for range 500 {
		list := pick("allow", "deny", "log")
		text := list + ":\n  - " + rule(list == "deny")
		p, err := Parse("p.yaml", []byte("version: 1\nregistries: {npm: https://npm.test/}\n"+text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		r := &askedRule{rule: parsePlaces("p.yaml", p.source).rules[0], text: text}
		for i := range requests {
			r.matches = append(r.matches, p.decides(r.rule, &requests[i]))
		}
		rules = append(rules, r)
	}
	claims := 0
	for _, a := range rules {
		for _, b := range rules {
			if a == b || wins(b.action) < wins(a.action) || !b.covers(a.rule) {
				continue
			}
			claims++
			for i, r := range requests {
				if a.matches[i] && !b.matches[i] && !versionless(a, b, &r) {
					t.Fatalf("%s\nclaims to cover\n%s\nwhich alone matches %s %s %+v", b.text, a.text, r.Method, r.URL(), r)
				}
			}
		}
	}
	if claims < 1000 {
		t.Errorf("only %d claims", claims)
	}
}

// askedRule is a rule and which of the requests it matches.
type askedRule struct {
	*rule
	text    string
	matches []bool
}

// versionless is the one exception that packagePattern.covers leaves aside.
func versionless(a, b *askedRule, r *policy.Request) bool {
	return a.pkg != nil && b.action == policy.Deny && !strings.Contains(r.Package[4:], "@1")
}

func compact(parts []string) (out []string) {
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

func coveringRequests() (out []policy.Request) {
	for _, host := range []string{"ok.test", "a.ok.test", "b.a.ok.test"} {
		for _, exe := range []string{"/p", "/q", ""} {
			var process *policy.Process
			if exe != "" {
				process = &policy.Process{Exe: exe}
			}
			for _, port := range []uint16{22, 443} {
				out = append(out, policy.Request{Scheme: "tcp", Host: host, Port: port, Process: process})
			}
			out = append(out, policy.Request{Method: "CONNECT", Scheme: "https", Host: host, Port: 443, Process: process})
			for _, url := range []string{"https 443", "http 80", "https 80", "wss 443"} {
				for _, path := range []string{"/", "/a", "/a/b", "/a/c", "/ab", "/c/b", "/a/c/b", "/a/5", "/a/15", "/c/5", "/a/v5", "/a/1.2", "/a/5b", "/a/111111111111111111111"} {
					for i, method := range []string{"GET", "HEAD", "POST"} {
						for _, query := range []string{"", "q=x"} {
							r := policy.Request{Method: method, Host: host, Path: path, Query: query, Process: process}
							_, _ = fmt.Sscan(url, &r.Scheme, &r.Port)
							if query == "" {
								r.Header = map[string][]string{"X": {"y"}}
							}
							out = append(out, r)
							for _, via := range []string{"https://f.test/a/b", "https://f.test/b", "https://g.f.test/b"}[i:] {
								r.Via = []string{via}
								out = append(out, r)
							}
						}
					}
				}
			}
		}
	}
	for _, purl := range []string{"a", "b", "ab", "%40s/a"} {
		for _, version := range []string{"", "@1.0.0", "@1.6.0", "@3.0.0"} {
			out = append(out, policy.Request{Method: "GET", Scheme: "https", Host: "npm.test", Port: 443, Path: "/x", Package: "pkg:npm/" + purl + version, Registry: "https://npm.test/", Process: &policy.Process{Exe: "/p"}})
		}
	}
	return out
}
