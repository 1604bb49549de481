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
	query       string // the value of the key, in YAML; empty for none
	passthrough bool
	paths       []*pathLine
	via         []string // patterns of URLs that redirect here, sorted
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
	// fixed is true where nothing may be generalised, gone where nothing was.
	fixed, gone bool
	// paths counts the paths that a word stands for, example is the least.
	paths   int
	example string
}

// place is where lines with one pattern are joined. Reads and writes are apart,
// so that a write is a rule of its own that nobody overlooks.
type place struct {
	endpoint
	pattern string
	query   string
	write   bool
}

const maskedReview = "a segment that looks like a secret was masked, and any other matches"

// rules turns what is no package into rules by host.
func (l *Learner) rules(seen []sighting, code codeHosts, written writtenAs) []*rule {
	lines := map[place]*pathLine{}
	asked := map[string]place{}
	var out []*rule
	for _, s := range seen {
		if s.scheme == "tcp" || s.method == passthrough {
			out = append(out, &rule{
				endpoint: s.endpoint, passthrough: s.method == passthrough, networks: l.networks(s.endpoint),
				evidence: s.evidence, reviews: addWord(nil, s.review),
			})
			continue
		}
		at := l.line(lines, s, s.reading(code))
		if s.folded == nil {
			asked[s.url(s.asked)] = at
		}
	}
	joined := l.generalise(lines)
	for url, at := range asked {
		if to, ok := joined[at]; ok {
			at = to
		}
		written.note(url, at.url(at.pattern))
	}
	return append(out, l.group(lines)...)
}

// compareRule is the order in which rules are written.
func (r *rule) compareRule(o *rule) int {
	return cmp.Or(r.compare(o.endpoint), compareBool(r.passthrough, o.passthrough), slices.Compare(r.via, o.via),
		slices.Compare(r.methods, o.methods), cmp.Compare(r.query, o.query))
}

// reading says how s is written.
func (s *sighting) reading(code codeHosts) reading {
	switch {
	case s.index:
		return reading{pattern: s.path, note: "the registry's own files, whose names change", fixed: true}
	case s.folded != nil:
		return reading{pattern: s.folded.pattern(), note: s.folded.note(), fixed: true}
	}
	r := code.read(*s)
	if s.gone && r.pattern != "" {
		r.pattern, r.note = s.path, "" // who puts something there may put it anywhere
	}
	return r
}

// line adds what was seen to the line that it is written on.
func (l *Learner) line(lines map[place]*pathLine, s sighting, r reading) place {
	if r.pattern == "" {
		r.pattern = s.path
	}
	var masked bool
	r.pattern, masked = maskBut(r.pattern, r.known)
	at := place{s.endpoint, r.pattern, r.query, !isRead(s.method)}
	line := lines[at]
	if line == nil {
		line = &pathLine{pattern: r.pattern, note: r.note, gone: true}
		lines[at] = line
	}
	line.fixed = line.fixed || r.fixed
	line.evidence.add(&s.evidence)
	line.gone = line.gone && s.gone
	line.methods = addWord(line.methods, s.method)
	line.reviews = addWord(addWord(line.reviews, s.review), r.review)
	if masked || strings.Contains(r.pattern, "*") && s.folded != nil {
		line.reviews = addWord(line.reviews, maskedReview)
	}
	if r.pattern != s.path && !s.index && !masked {
		path, _ := mask(s.path)
		line.stands(path)
	}
	return at
}

// group joins the paths of one endpoint that were asked for by the same methods.
func (l *Learner) group(lines map[place]*pathLine) []*rule {
	type bundle struct {
		endpoint
		methods, query string
	}
	rules := map[bundle]*rule{}
	for at, line := range lines {
		methods := ruleMethods(at, line.methods)
		b := bundle{at.endpoint, strings.Join(methods, ","), at.query}
		r := rules[b]
		if r == nil {
			r = &rule{endpoint: at.endpoint, methods: methods, query: at.query, networks: l.networks(at.endpoint)}
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
