package learn

import (
	"slices"
	"strings"
)

// generalise joins lines whose paths differ in nothing but the values of typed
// parts into one, with a word for each part of which two values were seen. It
// takes in nothing else: no path that was read once, no write, no pattern that
// was made by somebody who knows the host, and no path where nothing was, which
// is no evidence for more. It returns where what was joined went.
func (l *Learner) generalise(lines map[place]*pathLine) (moved map[place]place) {
	type family struct {
		place // with the skeleton as its pattern
		head  bool
	}
	families := map[family]*kin{}
	member := func(at place, line *pathLine) (family, skeleton, bool) {
		if at.write || line.fixed || strings.Contains(at.pattern, "**") || strings.Contains(at.pattern, "{") {
			return family{}, skeleton{}, false
		}
		s := skeletonOf(at.pattern, l.lists.tenants.of(at.host))
		at.pattern = s.text
		// Who looked whether something is there did not read it.
		return family{at, !slices.Contains(line.methods, "GET")}, s, len(s.values) > 0
	}
	for at, line := range lines {
		f, s, ok := member(at, line)
		if !ok || line.gone {
			continue
		}
		if families[f] == nil {
			families[f] = new(kin)
		}
		families[f].add(at.pattern, s)
	}
	joined := map[place]*pathLine{}
	moved = map[place]place{}
	for at, line := range lines {
		f, s, ok := member(at, line)
		k := families[f]
		if !ok || k == nil || !k.differ() || !k.covers(s) {
			continue
		}
		delete(lines, at)
		path, before := at.pattern, at
		at.pattern = k.pattern()
		moved[before] = at
		if joined[at] == nil {
			joined[at] = &pathLine{pattern: at.pattern}
		}
		joined[at].join(line)
		joined[at].stands(path)
	}
	for at, line := range joined {
		if lines[at] != nil {
			line.join(lines[at])
		}
		lines[at] = line
	}
	return moved
}

// join adds what is known of another line. That nothing was at one path says
// little about all of them.
func (p *pathLine) join(o *pathLine) {
	p.evidence.add(&o.evidence)
	for _, review := range o.reviews {
		if !o.gone {
			p.reviews = addWord(p.reviews, review)
		}
	}
	for _, method := range o.methods {
		p.methods = addWord(p.methods, method)
	}
}

// stands notes that p stands for a path.
func (p *pathLine) stands(path string) {
	if p.paths++; p.example == "" || path < p.example {
		p.example = path
	}
}
