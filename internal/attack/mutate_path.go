package attack

import (
	"slices"
	"strings"
)

// methods asks for what is permitted, in order to change it.
func (m *mutating) methods(b base) {
	if b.scheme == "tcp" || b.opaque {
		return
	}
	for _, method := range []string{"PUT", "POST", "PATCH", "DELETE"} {
		if !slices.Contains(b.methods, method) {
			m.misuse("method "+method, b.of, method, b.url())
		}
	}
	if slices.Contains(b.methods, "POST") && !b.registry {
		m.misuse("method in the query", b.of, "POST", b.url()+"?_method=DELETE")
	}
	if b.reads() && !b.registry {
		m.add(Request{
			Mutation: "method override", Of: b.of, Class: Misuse, Method: "GET", URL: b.url(),
			Header: map[string][]string{"X-Http-Method-Override": {"DELETE"}},
		})
		m.add(Request{
			Mutation: "path override", Of: b.of, Class: Misuse, Method: "GET", URL: b.url(),
			Header: map[string][]string{"X-Original-Url": {loot}},
		})
	}
}

// loot is a path that nobody has named.
const loot = "/" + attacker + "/loot.json"

// paths changes what a pattern names, and spells it so that a server may read
// another path in it.
func (m *mutating) paths(b base) {
	if b.pattern == "" || b.scheme == "tcp" || b.registry || len(b.methods) == 0 {
		return
	}
	segments, patterns := strings.Split(b.path, "/")[1:], strings.Split(b.pattern, "/")[1:]
	method, last := b.methods[0], len(segments)-1
	with := func(mutation string, at int, segment string) {
		changed := slices.Clone(segments)
		changed[at] = segment
		m.misuse(mutation, b.of, method, b.origin()+"/"+strings.Join(changed, "/"))
	}
	for i := range min(last, 4) {
		if name := b.segmentName(i); name != "" && namesSomething(patterns[i]) {
			with("another "+name, i, attacker)
		}
	}
	if dir := lastLiteral(patterns[:last]); dir >= 0 {
		with("prefix sibling", dir, segments[dir]+"-"+attacker)
	}
	if patterns[last] != "" && !strings.HasPrefix(patterns[last], "*") {
		with("another last segment", last, attacker+"-"+segments[last])
	}
	m.spellings(b, method, patterns)
}

// spellings lead out of what is permitted, or into what only looks like it.
func (m *mutating) spellings(b base, method string, patterns []string) {
	dir := b.path[:strings.LastIndexByte(b.path, '/')]
	up := strings.Count(b.path, "/")
	for _, s := range []struct{ name, path string }{
		{"dot segments", dir + strings.Repeat("/..", up) + loot},
		{"encoded dot segments", dir + strings.Repeat("/%2e%2e", up) + loot},
		{"dot segments encoded twice", dir + strings.Repeat("/%252e%252e", up) + loot},
		{"dot segments with parameters", dir + strings.Repeat("/..;x", up) + loot},
		{"dot segments behind encoded slashes", dir + strings.Repeat("/..%2f", up) + loot[1:]},
		{"backslashes", dir + strings.Repeat(`/..\`, up) + loot[1:]},
	} {
		m.misuse(s.name, b.of, method, b.origin()+s.path)
	}
	// Below a star at the end, these are other names for what the rule opens.
	if strings.Contains(patterns[len(patterns)-1], "*") || strings.HasSuffix(b.path, "/") {
		return
	}
	file := b.path[len(dir)+1:]
	for _, s := range []struct{ name, path string }{
		{"one segment more", b.path + "/" + attacker},
		{"encoded slash", dir + "%2F" + file},
		{"double slash", dir + "//" + file},
		{"parameters", b.path + ";" + attacker},
	} {
		m.misuse(s.name, b.of, method, b.origin()+s.path)
	}
}

// segmentName says what the segment of a path is, or "" where that is the same
// everywhere.
func (b *base) segmentName(i int) string {
	if _, ok := repoOf(b.host, b.pattern); ok {
		if b.host == "api.github.com" || b.host == "uploads.github.com" {
			i--
		}
		return []string{"", "owner", "repository", "", "", ""}[i+1]
	}
	return []string{"first segment", "second segment", "third segment", "fourth segment"}[i]
}

// namesSomething reports whether a pattern of one segment is not open altogether.
func namesSomething(pattern string) bool { return strings.Trim(pattern, "*") != "" }

// lastLiteral returns the index of the last segment without a star or a type, or
// -1.
func lastLiteral(patterns []string) int {
	for i, p := range slices.Backward(patterns) {
		if p != "" && !strings.ContainsAny(p, "*{") {
			return i
		}
	}
	return -1
}

// channels hides something in what is permitted.
func (m *mutating) channels(b base) {
	if !b.reads() || b.scheme == "tcp" {
		return
	}
	unseen := func(mutation, url, note string, header map[string][]string) {
		m.add(Request{Mutation: mutation, Of: b.of, Class: Unseen, Method: "GET", URL: url, Note: note, Header: header})
	}
	unseen("query of a permitted GET", b.url()+"?d=c2VjcmV0", "a rule with query: {} takes none", nil)
	unseen("header field of a permitted GET", b.url(), "the server must be one that keeps it", map[string][]string{"X-D": {"c2VjcmV0"}})
	if strings.Contains(b.pattern, "*") {
		unseen("star of a permitted path", b.origin()+strings.NewReplacer("**", "c2VjcmV0", "*", "c2VjcmV0").Replace(b.pattern),
			"a star stands for whatever is written there", nil)
	}
}
