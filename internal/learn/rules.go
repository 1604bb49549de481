package learn

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// rule is one entry about a host.
type rule struct {
	endpoint
	// methods is nil where the policy's own default says the same.
	methods     []string
	passthrough bool
	paths       []*pathLine
	networks    []netip.Prefix
	evidence
	reviews []string
}

// pathLine is one path pattern of a rule.
type pathLine struct {
	pattern string
	evidence
	reviews []string
	methods []string
	note    string
}

// place is where lines with one pattern are joined. Reads and writes are apart,
// so that a write is a rule of its own that nobody overlooks.
type place struct {
	endpoint
	pattern string
	write   bool
}

const maskedReview = "a segment that looks like a secret was masked, and any other matches"

// rules turns what is no package into rules by host.
func (l *Learner) rules(seen []sighting) []*rule {
	lines := map[place]*pathLine{}
	var out []*rule
	for _, s := range seen {
		if s.scheme == "tcp" || s.method == passthrough {
			out = append(out, &rule{
				endpoint: s.endpoint, passthrough: s.method == passthrough, networks: l.networks(s.endpoint),
				evidence: s.evidence, reviews: addReview(nil, s.review),
			})
			continue
		}
		pattern, masked := mask(s.path)
		at := place{s.endpoint, pattern, !isRead(s.method)}
		line := lines[at]
		if line == nil {
			line = &pathLine{pattern: pattern}
			lines[at] = line
		}
		line.evidence.add(&s.evidence)
		line.reviews = addReview(line.reviews, s.review)
		if s.index {
			line.note = "the registry's own files, whose names change"
		}
		if masked {
			line.reviews = addReview(line.reviews, maskedReview)
		}
		if !slices.Contains(line.methods, s.method) {
			line.methods = append(line.methods, s.method)
		}
	}
	out = append(out, l.group(lines)...)
	slices.SortFunc(out, func(a, b *rule) int {
		return cmp.Or(a.compare(b.endpoint), compareBool(a.passthrough, b.passthrough), slices.Compare(a.methods, b.methods))
	})
	return out
}

// group joins the paths of one endpoint that were asked for by the same methods.
func (l *Learner) group(lines map[place]*pathLine) []*rule {
	type bundle struct {
		endpoint
		methods string
	}
	rules := map[bundle]*rule{}
	for at, line := range lines {
		methods := ruleMethods(at, line.methods)
		b := bundle{at.endpoint, strings.Join(methods, ",")}
		r := rules[b]
		if r == nil {
			r = &rule{endpoint: at.endpoint, methods: methods, networks: l.networks(at.endpoint)}
			rules[b] = r
		}
		r.paths = append(r.paths, line)
		r.evidence.add(&line.evidence)
	}
	for _, r := range rules {
		slices.SortFunc(r.paths, func(a, b *pathLine) int { return cmp.Compare(a.pattern, b.pattern) })
	}
	return slices.Collect(maps.Values(rules))
}

// ruleMethods returns the methods to write, nil for those that are meant when
// none is written: GET and HEAD. HEAD without GET is written.
func ruleMethods(at place, methods []string) []string {
	slices.Sort(methods)
	if !at.write && slices.Contains(methods, "GET") {
		return nil
	}
	return methods
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
