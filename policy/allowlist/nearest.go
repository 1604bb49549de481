package allowlist

import (
	"net/http"

	"github.com/juliendoutre/proxaudit/policy"
)

const noMatch = "no rule matches"

// obstacle is what a rule about the right host was stopped by. Later ones are
// nearer to a match.
type obstacle uint8

const (
	byScheme obstacle = iota
	byPort
	byMethod
	byProcess
	byPath
	byHeaders
	byQuery
	byRedirect
	byExpiry
)

func (o obstacle) String() string {
	return [...]string{"this scheme", "this port", "this method", "this process", "this path", "these header fields", "this query", "this way", "this date"}[o]
}

// unmatched returns the default, and where that denies, words for the rule that
// came nearest. Whoever is denied decides how often it is called, so it must not
// take longer where a host has more rules.
func (p *Policy) unmatched(q *question, hits [3]found) policy.Decision {
	d := policy.Decision{Action: p.fallback, Default: true, Reason: noMatch}
	d.Passthrough = q.scheme == schemeTCP && p.fallback != policy.Deny
	if p.fallback != policy.Deny {
		return d
	}
	for _, a := range []policy.Action{policy.Allow, policy.Log} {
		if r := hits[a].first; r != nil {
			d.Reason = noMatch + ": " + r.name + " would, but for the header " + q.overrideHeader()
			return d
		}
	}
	if words := p.index.nearest(q); words != "" {
		d.Reason = noMatch + ": " + words
	} else if words := p.index.nearestPackage(q); words != "" {
		d.Reason = noMatch + ": " + words
	}
	return d
}

// overrideHeader returns the header field that stands in the way.
func (q *question) overrideHeader() string {
	name := ""
	for n := range q.Header {
		if overrides(n) != 0 && (name == "" || n < name) {
			name = n
		}
	}
	return http.CanonicalHeaderKey(name)
}

// nearest returns words for the rule about the request's host that came nearest.
func (ix *index) nearest(q *question) string {
	var best, opaque *rule
	var stopped obstacle
	for b := range ix.buckets(q.Host) {
		for _, g := range []*group{b[policy.Allow], b[policy.Log]} {
			if g == nil {
				continue
			}
			if len(g.opaque) > 0 && opaque == nil {
				opaque = g.opaque[0]
			}
			if r, o := g.nearest(q); r != nil && (best == nil || o > stopped) {
				best, stopped = r, o
			}
		}
	}
	switch {
	case best != nil && stopped == byExpiry:
		return best.expiredWords()
	case best != nil && stopped == byQuery && q.methodInQuery():
		return best.name + " has this host, but the query names a method (" + methodParameter + "), which servers may take for that of a POST: a rule that means it lists it under query"
	case best != nil && stopped == byRedirect:
		return best.name + " has this host, but only for " + best.viaWords(q)
	case best != nil:
		return best.name + " has this host, but not " + stopped.String()
	case opaque != nil:
		return opaque.name + " lets this host pass undecrypted only"
	default:
		return ""
	}
}

// expiredWords is the sentence about a rule that matches but for its date.
func (r *rule) expiredWords() string { return r.name + " would, but it expired on " + r.expires.day }

// nearestPackage returns words for why no rule about the request's package
// matched.
func (ix *index) nearestPackage(q *question) string {
	if q.Package == "" || len(ix.packages) == 0 {
		return ""
	}
	purl, ok := takeApart(q.Package)
	if !ok {
		return ""
	}
	b := ix.packages[purl.key]
	if b == nil {
		return ""
	}
	for _, a := range []policy.Action{policy.Allow, policy.Log} {
		for _, r := range b[a] {
			switch {
			case q.Registry == "":
				return r.name + " has this package, but its origin does not stand under registries"
			case !isRead(q):
				return r.name + " has this package, but not this method"
			case r.expired(q) && r.pkg.matches(purl, false):
				return r.expiredWords()
			case !r.matchesProcess(q):
				return r.name + " has this package, but not this process"
			default:
				return r.name + " has this package, but not this version"
			}
		}
	}
	return ""
}
