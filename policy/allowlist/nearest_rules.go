package allowlist

import (
	"slices"
)

// Bounds of the search for the nearest rule. Beyond them the rule that is named
// may not be the nearest one; what is decided does not depend on it.
const (
	// maxApproaches is how many ways of reaching one host are told apart.
	maxApproaches = 64
	// maxNear is how many rules for the request's path, or any, are compared.
	maxNear = 256
)

// approaches returns the first rule of each way of reaching the host: of those
// that have scheme, port, method and process in common, only the path and what
// comes behind it can bring one nearer than another.
func approaches(rules []*rule) []*rule {
	if len(rules) <= few {
		return rules
	}
	out := rules[:1:1]
	last := rules[0]
	for _, r := range rules[1:] {
		if r.sameApproach(last) {
			continue
		}
		if i := slices.IndexFunc(out, r.sameApproach); i >= 0 {
			last = out[i]
			continue
		}
		if out, last = append(out, r), r; len(out) == maxApproaches {
			break
		}
	}
	return out
}

func (r *rule) sameApproach(o *rule) bool {
	return r.schemes == o.schemes && slices.Equal(r.ports, o.ports) &&
		slices.Equal(r.methods, o.methods) && slices.Equal(r.processes, o.processes)
}

// nearest returns the rule that the request came nearest to, the first in the file
// where several are as near, and what stopped it. The rules that have its path are
// found by the index, as in match.
func (g *group) nearest(q *question) (best *rule, stopped obstacle) {
	for _, r := range g.approaches {
		if o := r.stoppedBefore(q); best == nil || o > stopped {
			best, stopped = r, o
		}
	}
	left := maxNear
	compare := func(r *rule) {
		if o := r.stoppedBehind(q); o > stopped || o == stopped && r.order < best.order {
			best, stopped = r, o
		}
		left--
	}
	for _, r := range g.any[:min(len(g.any), maxNear)] {
		if r.stoppedBefore(q) == byPath {
			compare(r)
		}
	}
	g.byForm[exact].visit(q.Path, func(e *entry) {
		if left <= 0 || e.rule.stoppedBefore(q) != byPath {
			return
		}
		if matched, _ := e.pat.match(q.Path, true); matched {
			compare(e.rule)
		}
	})
	return best, stopped
}

// stoppedBefore returns what stops a rule before its path, and byPath where
// nothing does.
func (r *rule) stoppedBefore(q *question) obstacle {
	switch {
	case r.schemes&q.scheme == 0:
		return byScheme
	case !r.matchesPort(q):
		return byPort
	case !r.matchesMethod(q):
		return byMethod
	case !r.matchesProcess(q):
		return byProcess
	default:
		return byPath
	}
}

// stoppedBehind returns what stops a rule that has the request's path. Only the
// date is left when all else matches, since a rule without one would have matched.
func (r *rule) stoppedBehind(q *question) obstacle {
	switch {
	case !r.matchesHeaders(q):
		return byHeaders
	case !r.matchesQuery(q), r.expires == nil && r.matchesVia(q):
		return byQuery
	case !r.matchesVia(q):
		return byRedirect
	default:
		return byExpiry
	}
}

// matchesPath compares paths one by one, without the index.
func (r *rule) matchesPath(q *question) bool {
	return r.paths == nil || slices.ContainsFunc(r.paths, func(pat pattern) bool {
		matched, _ := pat.match(q.Path, true)
		return matched
	})
}
