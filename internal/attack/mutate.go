package attack

import (
	"slices"
	"strconv"
	"strings"
)

// Mutations returns what an attacker who knows the scope would try instead of
// what it lets through, and, of class c, what can be hidden in that. It is the
// same list for the same scope, without duplicates: at least fifty for a scope
// with one rule.
//
// A mutation changes what a rule names. What a rule leaves open by a star or by
// silence is not changed, but for one path on each host that nobody has named:
// to read another file below a directory that a rule opens is what it says.
func Mutations(s Scope) []Request {
	bases := basesOf(s)
	m := mutating{seen: said(bases)}
	for _, b := range bases {
		m.methods(b)
		m.paths(b)
		m.channels(b)
	}
	for _, b := range firstOfHosts(bases) {
		m.origin(b)
		m.lookAlikes(b)
	}
	m.packages(s)
	m.world()
	m.wire(bases)
	return m.out
}

// said are the requests that some rule says in so many words, as mutating.add
// knows them: no mutation of another rule.
func said(bases []base) map[string]bool {
	seen := map[string]bool{}
	for _, b := range bases {
		if b.pattern == "" || strings.Contains(b.pattern, "*") || b.registry {
			continue
		}
		for _, method := range b.methods {
			seen[method+" "+b.url()] = true
		}
	}
	return seen
}

// mutating collects mutations.
type mutating struct {
	out  []Request
	seen map[string]bool
}

// add adds a request that is not there yet.
func (m *mutating) add(r Request) {
	key := r.Method + " " + r.URL
	for name := range r.Header {
		key += " " + name
	}
	if r.Wire != nil {
		key += " " + r.Mutation
	}
	if !m.seen[key] {
		m.seen[key] = true
		m.out = append(m.out, r)
	}
}

func (m *mutating) misuse(mutation, of, method, url string) {
	m.add(Request{Mutation: mutation, Of: of, Class: Misuse, Method: method, URL: url})
}

// base is one thing that a scope lets through: a path at an origin.
type base struct {
	of      string // the rule, or the registry
	scheme  string
	host    string
	port    uint16 // 0 for the scheme's own
	schemes []string
	methods []string
	// pattern is empty for any path. Path is one that it matches.
	pattern, path string
	opaque        bool // not decrypted
	registry      bool
}

// origin returns scheme, host and port as a URL has them.
func (b *base) origin() string { return origin(b.scheme, b.host, b.port) }

func origin(scheme, host string, port uint16) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != 0 {
		host += ":" + strconv.Itoa(int(port))
	}
	return scheme + "://" + host
}

func (b *base) url() string { return b.origin() + b.path }

// reads reports whether the base can be got.
func (b *base) reads() bool { return slices.Contains(b.methods, "GET") && !b.opaque }

// basesOf returns a base for each path pattern of each rule, and one for each
// registry.
func basesOf(s Scope) []base {
	var out []base
	for _, r := range s.Rules {
		if r.Host == "" {
			continue
		}
		b := base{of: r.Name, scheme: "https", host: r.Host, schemes: r.Schemes, methods: r.Methods, path: "/", opaque: r.Passthrough}
		if len(r.Schemes) > 0 && !slices.Contains(r.Schemes, "https") {
			b.scheme = r.Schemes[0]
		}
		if rest, ok := strings.CutPrefix(r.Host, "*."); ok {
			b.host = "x." + rest
		}
		if len(r.Ports) > 0 {
			b.port = r.Ports[0]
		}
		if r.Methods == nil {
			b.methods = []string{"GET", "HEAD"}
		}
		if r.Paths == nil {
			out = append(out, b)
		}
		for _, pattern := range r.Paths {
			b.pattern, b.path = pattern, sample(pattern)
			out = append(out, b)
		}
	}
	out = out[:min(len(out), maxPaths)]
	for _, typ := range sortedKeys(s.Registries) {
		for _, url := range s.Registries[typ] {
			if b, ok := registryBase(url); ok {
				out = append(out, b)
			}
		}
	}
	return out
}

// registryBase reads a base URL under registries.
func registryBase(url string) (base, bool) {
	scheme, rest, ok := strings.Cut(url, "://")
	authority, path, _ := strings.Cut(rest, "/")
	b := base{of: url, scheme: scheme, host: authority, schemes: []string{scheme}, methods: []string{"GET", "HEAD"}, path: "/" + path, pattern: "/" + path, registry: true}
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		port, err := strconv.ParseUint(authority[i+1:], 10, 16)
		if err != nil {
			return base{}, false
		}
		b.host, b.port = authority[:i], uint16(port)
	}
	b.host = strings.Trim(b.host, "[]")
	return b, ok && b.host != ""
}

// firstOfHosts returns one base for each host: what is about a whole host is
// derived once.
func firstOfHosts(bases []base) []base {
	seen := map[string]bool{}
	var out []base
	for _, b := range bases {
		if key := b.origin(); !seen[key] {
			seen[key] = true
			out = append(out, b)
		}
	}
	return out
}

// samples are what stands for a typed part of a pattern.
var samples = strings.NewReplacer(
	"**", "x", "*", "x", "{version}", "1.2.3", "{int}", "7", "{date}", "2026-11-24",
	"{sha}", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "{uuid}", "00000000-0000-4000-8000-000000000000",
)

// sample returns a path that a pattern matches.
func sample(pattern string) string { return samples.Replace(pattern) }

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
