package policytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// some returns nothing, or two of values.
func some(r *rand.Rand, values ...string) []string {
	if r.IntN(2) == 0 {
		return nil
	}
	return []string{pick(r, values...), pick(r, values...)}
}

func randomRule(r *rand.Rand) rule {
	u := rule{list: pick(r, "allow", "allow", "deny", "log"), expired: r.IntN(12) == 0, dateFar: r.IntN(12) == 0}
	if r.IntN(4) == 0 {
		u.processes = []string{pick(r, "node", "/usr/bin/*", "g?t")}
	}
	if r.IntN(4) == 0 {
		return randomPackageRule(r, u)
	}
	u.host = pick(r, "ok.test", "a.ok.test", "*.ok.test", "*.a.ok.test", "192.0.2.1")
	u.methods, u.schemes = some(r, "GET", "PUT"), some(r, "https", "http", "wss")
	if r.IntN(3) > 0 {
		u.paths = []string{randomPattern(r)}
	}
	if r.IntN(5) == 0 {
		u.ports = []int{pick(r, 443, 8443)}
	}
	if r.IntN(3) == 0 && u.list != "deny" {
		u.via = []string{pick(r, "https://", "https://", "http://") + pick(r, "f.test", "*.f.test", "f.test:8443", "f.test:443") + pick(r, "", "/**", "/a/*", "/a"), "https://g.test/" + pick(r, "b", "*")}
		if slices.Contains(u.schemes, "wss") {
			u.schemes = nil
		}
	}
	if r.IntN(4) == 0 && u.list != "deny" {
		u.networks = []string{pick(r, "10.0.0.0/8", "192.168.0.0/16", "fd00::/8")}
	}
	switch r.IntN(8) {
	case 0, 1:
		u.query = randomPairs(r, u.list, "a", "b", "*")
		u.query0 = u.query == nil && u.list != "deny"
	case 2:
		u.headers = randomPairs(r, u.list, "X-A", "X-B")
	case 3:
		if u.list != "deny" {
			u.passthrough, u.methods, u.paths, u.schemes, u.via = true, nil, nil, nil, nil
		}
	case 4:
		u.methods, u.paths, u.schemes, u.ports, u.via = nil, nil, []string{"tcp"}, []int{22}, nil
	}
	return u
}

func randomPackageRule(r *rand.Rand, u rule) rule {
	u.typ, u.name = "npm", pick(r, "a", "ab", "a*", "%40s/a")
	switch r.IntN(4) {
	case 0:
		u.version = pick(r, "1.0.0", "1.*", "2.*")
	case 1:
		u.bounds = []bound{{pick(r, ">=", ">"), pick(r, "1.0.0", "1.2.0")}, {pick(r, "<", "<="), pick(r, "2.0.0", "1.2.0")}}
		if u.bounds[0].version == u.bounds[1].version { // no version is between
			u.bounds = u.bounds[:1]
		}
	}
	return u
}

func randomPattern(r *rand.Rand) string {
	s := "/"
	for range r.IntN(5) {
		s += pick(r, "a", "b", "/", "ab", "*", "**", "a/", "%2F", "@", "%25", "{int}", "/{version}/", "x.{version}", "{sha}", "{uuid}/", "{date}")
	}
	for strings.Contains(s, "***") {
		s = strings.ReplaceAll(s, "***", "**")
	}
	return s
}

// randomPairs returns conditions, or nil.
func randomPairs(r *rand.Rand, list string, names ...string) []pair {
	var out []pair
	for _, name := range names {
		if r.IntN(2) == 0 {
			continue
		}
		if list != "deny" && name != "*" && r.IntN(3) == 0 {
			name += "?"
		}
		out = append(out, pair{name, []string{pick(r, "x", "x*", "*", "Y"), pick(r, "y", "")}})
	}
	return out
}

const md5, uuid = "d41d8cd98f00b204e9800998ecf8427e", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

// aim turns most requests towards one of the rules.
func aim(r *rand.Rand, q *policy.Request, u rule) {
	if u.typ != "" {
		q.Scheme, q.Port, q.Registry = "https", 443, "https://npm.example.org/"
		q.Package = "pkg:npm/" + strings.ReplaceAll(u.name, "*", pick(r, "", "b")) + pick(r, "", "@1.0.0", "@1.5.0", "@2.0.0", "@2.0.0-rc.1")
	} else {
		q.Host = strings.Replace(u.host, "*", pick(r, "b", "a.b"), 1)
		if u.schemes != nil {
			q.Scheme = u.schemes[0]
		}
		q.Port = policy.DefaultPort(q.Scheme)
		if u.ports != nil {
			q.Port = uint16(u.ports[0])
		}
	}
	switch {
	case q.Scheme == "tcp":
		*q = policy.Request{Scheme: "tcp", Host: q.Host, Port: q.Port, Process: q.Process}
		return
	case u.passthrough:
		*q = policy.Request{Method: "CONNECT", Scheme: "https", Host: q.Host, Port: q.Port, Process: q.Process}
		return
	case q.Method == "CONNECT" || q.Method == "":
		q.Method = "GET"
	}
	if u.methods != nil && r.IntN(2) == 0 {
		q.Method = u.methods[0]
	}
	if u.paths != nil {
		var err error
		stars := strings.NewReplacer("**", pick(r, "", "a/b", "%2F"), "*", pick(r, "", "ab"),
			"{int}", pick(r, "7", "20261124", "x", "%32%37", ""), "{version}", pick(r, "1.2", "v3-a", "v4", "1.0.-rc.1", "1.2%2B3", "1..2", "1.2-"),
			"{sha}", pick(r, md5, md5[1:], strings.ToUpper(md5)), "{uuid}", pick(r, uuid, "7"+uuid), "{date}", pick(r, "2026-11-24", "20261124", "2026-1124", "2026-13-01"))
		if q.Path, err = policy.CanonicalPath(stars.Replace(u.paths[0])); err != nil {
			q.Path = "/"
		}
	}
	if u.via != nil && r.IntN(4) > 0 {
		url := strings.NewReplacer("/**", pick(r, "/", "/a/b"), "/*", pick(r, "/", "/x", "/x/y"), "//*", "//g").Replace(pick(r, u.via...))
		url = strings.Replace(strings.Replace(url, ":443", "", 1), "*", "g", 1)
		if strings.Count(url, "/") == 2 {
			url += "/"
		}
		q.Via = append(q.Via, url)
	}
	var pairs []string
	for _, p := range u.query {
		if name, optional := strings.CutSuffix(p.name, "?"); !optional || r.IntN(2) == 0 {
			pairs = append(pairs, strings.Replace(name, "*", "c", 1)+"="+strings.ReplaceAll(pick(r, p.values...), "*", "z"))
		}
	}
	if u.query != nil || u.query0 {
		q.Query = strings.Join(pairs, "&")
	}
	for _, p := range u.headers {
		if q.Header == nil {
			q.Header = map[string][]string{}
		}
		q.Header[strings.TrimSuffix(p.name, "?")] = []string{strings.ReplaceAll(pick(r, p.values...), "*", "z")}
	}
}

func randomRequest(t testing.TB, r *rand.Rand) *policy.Request {
	q := &policy.Request{
		Method: pick(r, "GET", "GET", "HEAD", "PUT", "put", "CONNECT"),
		Scheme: pick(r, "https", "https", "https", "http", "wss", "tcp"),
		Host:   pick(r, "ok.test", "a.ok.test", "b.a.ok.test", "xok.test", "192.0.2.1"),
	}
	q.Port = pick(r, policy.DefaultPort(q.Scheme), policy.DefaultPort(q.Scheme), 8443, 22)
	if r.IntN(3) > 0 {
		q.Process = &policy.Process{Exe: pick(r, "/usr/bin/node", "/opt/git", "/bin/sh"), Parents: []string{pick(r, "/bin/sh", "/usr/bin/git")}}
	}
	if q.Scheme == "tcp" {
		q.Method = ""
		return q
	}
	if q.Method == "CONNECT" {
		return q
	}
	path := "/"
	for range r.IntN(6) {
		path += pick(r, "a", "b", "/", "ab", "%2F", ";v", "a/", "%40", "%3B", "%25", "7", "/1.2", "v3.4-a")
	}
	var err error
	if q.Path, err = policy.CanonicalPath(path); err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for range r.IntN(4) {
		pairs = append(pairs, pick(r, "a", "b", "c", "A", "%61")+pick(r, "=x", "=xy", "=y", "=Y", "=X", "", "=%78", "=z"))
	}
	q.Query = strings.Join(pairs, "&")
	q.Header = map[string][]string{}
	for range r.IntN(3) {
		q.Header[pick(r, "X-A", "X-B", "X_a", "Accept")] = pick(r, []string{"x"}, []string{"xy"}, []string{"y"}, []string{"Y", "x"}, []string{"z"}, []string{""})
	}
	switch r.IntN(12) {
	case 0:
		q.Header["X-Http-Method"] = []string{"PUT"}
	case 1:
		q.Header["X-Original-Url"] = []string{"/a"}
	case 2:
		q.Header["Connection"] = []string{"x-a"}
	}
	if r.IntN(4) == 0 {
		q.Via = []string{pick(r, "https://", "http://") + pick(r, "f.test", "g.f.test", "f.test:8443", "xf.test", "g.test") + pick(r, "/", "/a", "/a/b", "/b", "/a%2Fb")}
	}
	if r.IntN(3) == 0 {
		q.Registry = pick(r, "https://npm.example.org/", "https://npm.example.org/", "")
		q.Package = "pkg:npm/" + pick(r, "a", "ab", "%40s/a", "b") + pick(r, "", "@1.0.0", "@1.2.0", "@1.5.0", "@2.0.0", "@2.0.0-rc.1", "@latest")
	}
	return q
}

// randomRules returns rules, and the policy of them in YAML: each rule has a line
// of its own, from the second on.
func randomRules(r *rand.Rand, def string) ([]rule, string) {
	rules := make([]rule, 1+r.IntN(pick(r, 4, 12)))
	for i := range rules {
		rules[i] = randomRule(r)
	}
	slices.SortStableFunc(rules, func(a, b rule) int { return strings.Compare(a.list, b.list) })
	doc := "{version: 1, default: " + def + ", "
	for i, u := range rules {
		if i == 0 || rules[i-1].list != u.list {
			doc += map[bool]string{false: "", true: "], "}[i > 0] + u.list + ": ["
		}
		doc += "\n" + u.yaml() + ","
	}
	return rules, doc + "]}"
}

// TestRandomPolicies compares what random policies in YAML decide with what their
// translation to Rego does.
func TestRandomPolicies(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(60) {
		compare(t, rand.New(rand.NewPCG(seed, 1)), 80, seen)
	}
	for _, what := range []string{"allow", "deny", "log", "default", "passthrough", "networks"} {
		if seen[what] < 20 {
			t.Errorf("%d of %v decisions were %s: the random requests hardly match", seen[what], seen, what)
		}
	}
}

func FuzzDifferential(f *testing.F) {
	f.Add(uint64(7), uint64(8))
	f.Fuzz(func(t *testing.T, a, b uint64) { compare(t, rand.New(rand.NewPCG(a, b)), 30, map[string]int{}) })
}

// compare compares one random policy in both languages on some requests, and
// counts what was decided.
func compare(t *testing.T, r *rand.Rand, requests int, seen map[string]int) {
	t.Helper()
	def := pick(r, "deny", "deny", "log", "allow")
	rules, doc := randomRules(r, def)
	text := compile(rules, def)
	yaml, rego := loadYAML(t, "policy.yaml", []byte(doc)), loadRego(t, "policy.rego", []byte(text))
	for range requests {
		q := randomRequest(t, r)
		if r.IntN(3) > 0 {
			aim(r, q, pick(r, rules...))
		}
		want, err := yaml.Decide(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := patiently(rego, q)
		if err != nil {
			t.Fatalf("%v\n%+v\n%s", err, *q, text)
		}
		if want.Default {
			want.Rule = "default"
		}
		if got.Action != want.Action || got.Rule != want.Rule || got.Passthrough != want.Passthrough || networks(got) != networks(want) {
			t.Fatalf("%+v\nprocess %+v\nRego %+v\nYAML %+v\n%s\n%s", *q, q.Process, got, want, doc, text[len(prelude):])
		}
		count(seen, want)
	}
}

// patiently asks again where a busy machine let the time for a decision pass.
func patiently(p policy.Policy, q *policy.Request) (d policy.Decision, err error) {
	for range 20 {
		if d, err = p.Decide(context.Background(), q); !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	return d, err
}

func count(seen map[string]int, d policy.Decision) {
	if d.Default {
		seen["default"]++
	} else {
		seen[d.Action.String()]++
	}
	if d.Passthrough {
		seen["passthrough"]++
	}
	if d.Networks != nil {
		seen["networks"]++
	}
}

// networks is a decision's networks as a text that depends on no order.
func networks(d policy.Decision) string {
	list := slices.Clone(d.Networks)
	slices.SortFunc(list, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	return fmt.Sprint(slices.Compact(list))
}
