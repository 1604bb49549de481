package allowlist

import (
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// plainRule is a rule as its author thinks of it. The reference below matches
// lists of them one by one, with regular expressions.
type plainRule struct {
	list, host              string
	methods, paths, schemes []string
	ports                   []int
	passthrough             bool
}

func (r plainRule) yaml() string {
	s := "{host: '" + r.host + "'"
	for _, f := range []struct {
		key    string
		values []string
	}{{"methods", r.methods}, {"schemes", r.schemes}} {
		if f.values != nil {
			s += ", " + f.key + ": [" + strings.Join(f.values, ", ") + "]"
		}
	}
	if r.paths != nil {
		s += ", paths: ['" + strings.Join(r.paths, "', '") + "']"
	}
	if r.ports != nil {
		s += ", ports: [" + strconv.Itoa(r.ports[0]) + "]"
	}
	if r.passthrough {
		s += ", tls: passthrough"
	}
	return s + "}"
}

// globRegexp translates a pattern of which the literal parts are canonical.
func globRegexp(pattern string) *regexp.Regexp {
	s := typedRegexps(regexp.QuoteMeta(pattern))
	s = strings.ReplaceAll(s, `\*\*`, `\x00`)
	// One character that is neither a slash nor an encoded one.
	s = strings.ReplaceAll(s, `\*`, `(?:[^/%]|%(?:[013-9A-F][0-9A-F]|2[0-9A-E]))*`)
	s = strings.ReplaceAll(s, `\x00`, `(?:[^%]|%[0-9A-F][0-9A-F])*`)
	return regexp.MustCompile(`(?s)^` + s + `$`)
}

// looseRegexp translates a pattern in a loosened form.
func looseRegexp(pattern string) *regexp.Regexp {
	s := strings.ReplaceAll(typedRegexps(regexp.QuoteMeta(pattern)), `\*\*`, `\x00`)
	s = strings.ReplaceAll(strings.ReplaceAll(s, `\*`, `[^/]*`), `\x00`, `.*`)
	return regexp.MustCompile(`(?s)^` + s + `$`)
}

// typedRegexps translates the typed parts of a quoted pattern. It does not know
// that a version has 64 bytes at most, nor the leap years of centuries.
func typedRegexps(quoted string) string {
	hex := func(n int) string { return `[0-9A-Fa-f]{` + strconv.Itoa(n) + `}` }
	day := func(sep string) string {
		return `(?:\d{4}` + sep + `(?:(?:0[13578]|1[02])` + sep + `(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)` + sep + `(?:0[1-9]|[12]\d|30)|02` + sep + `(?:0[1-9]|1\d|2[0-8]))` +
			`|\d\d(?:[02468][048]|[13579][26])` + sep + `02` + sep + `29)`
	}
	return strings.NewReplacer(
		`\{version\}`, `(?:v\d+|v?\d+\.\d(?:\.?[+~_-]*[0-9A-Za-z])*)`,
		`\{int\}`, `\d{1,20}`,
		`\{sha\}`, `(?:`+hex(32)+`|`+hex(40)+`|`+hex(56)+`|`+hex(64)+`|`+hex(96)+`|`+hex(128)+`)`,
		`\{uuid\}`, hex(8)+`-`+hex(4)+`-`+hex(4)+`-`+hex(4)+`-`+hex(12),
		`\{date\}`, `(?:`+day("-")+`|`+day(`\.`)+`|`+day("_")+`|`+day("")+`)`,
	).Replace(quoted)
}

// loosened undoes respellings the slow way.
func loosened(s string, rounds int) string {
	for range rounds {
		s = regexp.MustCompile(`%[0-9A-Fa-f]{2}`).ReplaceAllStringFunc(s, func(e string) string {
			n, _ := strconv.ParseUint(e[1:], 16, 8)
			return string(rune(n)) // Latin-1, so that regexp takes it
		})
	}
	s = regexp.MustCompile(`[A-Z]`).ReplaceAllStringFunc(s, strings.ToLower)
	s = regexp.MustCompile(`;[^/]*`).ReplaceAllString(s, "")
	s = regexp.MustCompile(`/+`).ReplaceAllString(s, "/")
	return strings.TrimSuffix(s, "/")
}

func (r plainRule) matches(q *policy.Request) bool {
	deny := r.list == "deny"
	if suffix, ok := strings.CutPrefix(r.host, "*"); ok && !strings.HasSuffix(q.Host, suffix) || !ok && q.Host != r.host {
		return false
	}
	if deny && q.Scheme == "tcp" {
		// Whatever the rule denies may be in the bytes.
		has := func(scheme string) bool { return slices.Contains(r.schemes, scheme) }
		switch {
		case r.ports != nil:
			return slices.Contains(r.ports, int(q.Port))
		case r.schemes == nil || has("tcp"):
			return true
		default:
			return q.Port == 443 && has("https") || q.Port == 80 && has("http")
		}
	}
	schemes := r.schemes
	if schemes == nil && !deny {
		schemes = []string{"https"}
	}
	if schemes != nil && !slices.Contains(schemes, q.Scheme) {
		return false
	}
	if r.ports == nil && !deny && q.Port != policy.DefaultPort(q.Scheme) || r.ports != nil && !slices.Contains(r.ports, int(q.Port)) {
		return false
	}
	if q.Method == "CONNECT" || r.passthrough {
		return q.Method == "CONNECT" && (r.passthrough || deny && q.Scheme == "https")
	}
	overridden := q.Header["X-Http-Method"] != nil
	if overridden && !deny && q.Scheme != "tcp" {
		return false
	}
	methods := r.methods
	if methods == nil && !deny {
		methods = []string{"GET", "HEAD"}
	}
	fits := func(m string) bool { return m == q.Method || deny && strings.EqualFold(m, q.Method) }
	if methods != nil && q.Scheme != "tcp" && !(deny && overridden) && !slices.ContainsFunc(methods, fits) {
		return false
	}
	if q.Scheme == "tcp" && r.paths != nil {
		return false
	}
	return r.paths == nil || slices.ContainsFunc(r.paths, func(p string) bool {
		return globRegexp(p).MatchString(q.Path) || deny && slices.ContainsFunc([]int{1, 3}, func(n int) bool {
			return looseRegexp(loosened(p, n)).MatchString(loosened(q.Path, n))
		})
	})
}

func reference(rules []plainRule, q *policy.Request) policy.Decision {
	for _, list := range []string{"deny", "allow", "log"} {
		for i, r := range rules {
			if r.list != list || !r.matches(q) {
				continue
			}
			var d policy.Decision
			_ = d.Action.UnmarshalText([]byte(list))
			d.Rule = "policy.yaml:" + strconv.Itoa(i+2)
			return d
		}
	}
	return policy.Decision{Default: true}
}

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func some(r *rand.Rand, values ...string) []string {
	if r.IntN(2) == 0 {
		return nil
	}
	return []string{pick(r, values...), pick(r, values...)}
}

func randomRule(r *rand.Rand) plainRule {
	rule := plainRule{
		list:    pick(r, "allow", "allow", "deny", "log"),
		host:    pick(r, "ok.test", "a.ok.test", "*.ok.test", "*.a.ok.test", "192.0.2.1"),
		methods: some(r, "GET", "PUT"),
		schemes: some(r, "https", "http"),
	}
	if r.IntN(3) > 0 {
		rule.paths = []string{randomPattern(r)}
	}
	if r.IntN(5) == 0 {
		rule.ports = []int{pick(r, 443, 8443)}
	}
	switch {
	case r.IntN(8) == 0 && rule.list != "deny":
		rule.passthrough, rule.methods, rule.paths, rule.schemes = true, nil, nil, nil
	case r.IntN(8) == 0:
		rule.methods, rule.paths, rule.schemes, rule.ports = nil, nil, []string{"tcp"}, []int{22}
	}
	return rule
}

func randomPattern(r *rand.Rand) string {
	s := "/"
	for range r.IntN(5) {
		s += pick(r, "a", "b", "/", "ab", "*", "**", "a/", "%2F", "@", "%25", "{int}", "/{version}", "{date}/", "1", "x.{int}")
	}
	for strings.Contains(s, "***") {
		s = strings.ReplaceAll(s, "***", "**")
	}
	return s
}

func randomRequest(t testing.TB, r *rand.Rand) *policy.Request {
	path := "/"
	for range r.IntN(6) {
		path += pick(r, "a", "b", "/", "ab", "%2F", ";v", "a/", "%40", "%3B", "%25", "1", "/2.3", "v1.2-a", "20261124", "2026-02-30")
	}
	q := &policy.Request{
		Method: pick(r, "GET", "GET", "HEAD", "PUT", "put", "CONNECT"),
		Scheme: pick(r, "https", "https", "http", "tcp"),
		Host:   pick(r, "ok.test", "a.ok.test", "b.a.ok.test", "xok.test", "192.0.2.1"),
	}
	q.Port = pick(r, policy.DefaultPort(q.Scheme), policy.DefaultPort(q.Scheme), 8443, 22)
	switch {
	case q.Scheme == "tcp":
		q.Method = ""
	case q.Method != "CONNECT":
		var err error
		if q.Path, err = policy.CanonicalPath(path); err != nil {
			t.Fatal(err)
		}
	}
	if r.IntN(8) == 0 {
		q.Header = http.Header{"X-Http-Method": {"PUT"}}
	}
	return q
}

func randomRules(r *rand.Rand) ([]plainRule, string) {
	rules := make([]plainRule, 1+r.IntN(pick(r, 4, 60)))
	doc := "{version: 1, "
	for i := range rules {
		rules[i] = randomRule(r)
	}
	slices.SortStableFunc(rules, func(a, b plainRule) int { return strings.Compare(a.list, b.list) })
	for i, rule := range rules {
		if i == 0 || rules[i-1].list != rule.list {
			doc += map[bool]string{false: "", true: "], "}[i > 0] + rule.list + ": ["
		}
		doc += "\n" + rule.yaml() + ","
	}
	return rules, doc + "]}"
}

// TestReference compares the index with the reference on random policies.
func TestReference(t *testing.T) {
	compareWithReference(t, rand.New(rand.NewPCG(1, 2)), 400)
}

func FuzzReference(f *testing.F) {
	f.Add(uint64(3), uint64(4))
	f.Fuzz(func(t *testing.T, a, b uint64) { compareWithReference(t, rand.New(rand.NewPCG(a, b)), 1) })
}

func compareWithReference(t *testing.T, r *rand.Rand, policies int) {
	t.Helper()
	counts := map[policy.Action]int{}
	for range policies {
		rules, doc := randomRules(r)
		p, err := Parse("policy.yaml", []byte(doc))
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		for range 50 {
			q := randomRequest(t, r)
			got, want := decide(t, p, q), reference(rules, q)
			if got.Action != want.Action || got.Rule != want.Rule || got.Default != want.Default {
				t.Fatalf("%+v\n%+v\nwant %+v\n%s", q, got, want, doc)
			}
			if !got.Default {
				counts[got.Action]++
			}
		}
	}
	if policies > 100 && (counts[policy.Allow] < 500 || counts[policy.Deny] < 500 || counts[policy.Log] < 100) {
		t.Errorf("the random requests hardly match: %v", counts)
	}
}

// FuzzPattern compares patterns with their translation into regular expressions.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{{"/**/x/*/y", "/1/x/2/y"}, {"/a*b**c", "/axb/c"}, {"/*2Fb", "/%2Fb"}, {"/%2A", "/*"}, {"/cc-{version}-{int}.tgz", "/cc-1.2-3-4.tgz"}, {"/{version}.{int}*{version}", "/1.2.3.4-v5"}, {"/**{date}/{uuid}", "/a/2024-02-29/f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}, {"/{sha}{int}x", "/0123456789012345678901234567890123456789a1x"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		canonical, err := policy.CanonicalPath(path)
		if err != nil || len(text) > 200 || len(path) > 200 {
			return
		}
		pat, fault := compile(text)
		if fault != nil {
			return
		}
		plain := pat.prefix
		for _, p := range pat.parts {
			plain += p.kind.String() + p.literal
		}
		want := globRegexp(plain).MatchString(canonical)
		if got, known := pat.match(canonical, true); got != want && !(want && beyondRegexps(plain, canonical)) || !known {
			t.Fatalf("%q matches %q: %v, want %v (%v)", text, canonical, got, want, known)
		}
		// The index must find what the pattern matches, among many like it.
		r := newRule("policy.yaml", 1, policy.Allow)
		entries := []entry{{r, pat}}
		for range 10 {
			entries = append(entries, entry{newRule("policy.yaml", 2, policy.Allow), pat})
		}
		ps, found := newPaths(entries), false
		ps.visit(canonical, func(e *entry) { found = found || e.rule == r })
		if got, _ := pat.match(canonical, true); got && !found {
			t.Fatalf("the index does not find %q for %q", text, canonical)
		}
	})
}

// beyondRegexps reports whether a pattern may refuse what typedRegexps takes.
func beyondRegexps(pattern, path string) bool {
	return strings.Contains(pattern, "{version}") && regexp.MustCompile(`[0-9A-Za-z.+~_-]{65}`).MatchString(path) ||
		strings.Contains(pattern, "{date}") && regexp.MustCompile(`00[-._]?02[-._]?29`).MatchString(path)
}

// FuzzParse checks that no file makes the reader panic, and that a policy it
// accepts decides.
func FuzzParse(f *testing.F) {
	f.Add([]byte("version: 1\nallow: ['GET https://ok.test/**', {host: ok.test}]"))
	f.Add([]byte("version: 1\nregistries: {npm: https://npm.example.org}\nallow: ['pkg:npm/@a/*@1.*']"))
	f.Add([]byte("a: &a [*a]\n---\n\t'"))
	f.Add([]byte("n: \nallow: ['pkg:npm/lodash%3DE@%34']"))
	for _, doc := range legal() {
		f.Add([]byte(doc))
	}
	for _, tt := range mistakes() {
		if len(tt.doc) < 1000 {
			f.Add([]byte(tt.doc))
		}
	}
	f.Add(manyRules(20))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("policy.yaml", data)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v, %v", p, err)
		}
		if err != nil {
			var hint string
			for _, m := range err.(Mistakes) {
				if m.Line < 1 || m.Column < 1 || m.Message == "" {
					t.Fatalf("%+v", m)
				}
				if strings.ContainsAny(m.Message+m.Hint, "\n\x1b\x00") {
					t.Fatalf("a raw control character in %+v", m)
				}
				hint += m.Hint
			}
			return
		}
		decide(t, p, get("ok.test", "/a"))
	})
}

// canonicalRequest builds a request as the proxy does, or returns nil.
func canonicalRequest(method, scheme, host string, port uint16, path string) *policy.Request {
	name, err := hostname.Canonical(host)
	canonical, pathErr := policy.CanonicalPath(path)
	if err != nil || pathErr != nil || port == 0 || port == 65535 {
		return nil
	}
	r := &policy.Request{Method: method, Scheme: scheme, Host: name, Port: port, Path: canonical}
	if scheme == "tcp" {
		r.Method, r.Path = "", ""
	}
	if method == "CONNECT" {
		r.Path = ""
	}
	return r
}

// size is the number of rules in the index.
func (ix *index) size() int {
	n := 0
	for _, hosts := range []map[string]*bucket{ix.hosts, ix.below} {
		for _, b := range hosts {
			for a, g := range b {
				if g != nil {
					n += len(g.rules)
					if policy.Action(a) != policy.Deny {
						n += len(g.opaque)
					}
				}
			}
		}
	}
	for _, b := range ix.packages {
		n += len(b[0]) + len(b[1]) + len(b[2])
	}
	return n
}
