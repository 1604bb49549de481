package allowlist

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// question is a request and what has been found out about it.
type question struct {
	*policy.Request
	scheme    schemes
	overrides override
	clock     func() time.Time
	now       int64 // seconds since 1970; 0 until it is asked for
}

// found is what matched, of one action.
type found struct {
	first    *rule // in the file
	networks []netip.Prefix
	each     func(*rule) // told of every one, where it is not nil
}

func (f *found) add(r *rule) {
	if f.each != nil {
		f.each(r)
	}
	if f.first == nil || r.order < f.first.order {
		f.first = r
	}
	switch {
	case len(r.networks) == 0:
	case f.networks == nil:
		f.networks = r.networks
	case &f.networks[0] != &r.networks[0]:
		f.networks = join(f.networks, r.networks)
	}
}

// join returns the union of two lists, in an order that depends on nothing else.
func join(a, b []netip.Prefix) []netip.Prefix {
	out := slices.Concat(a, b)
	slices.SortFunc(out, func(x, y netip.Prefix) int {
		return cmp.Or(x.Addr().Compare(y.Addr()), cmp.Compare(x.Bits(), y.Bits()))
	})
	return slices.Compact(out)
}

// Decide implements policy.Policy. It never returns an error.
func (p *Policy) Decide(_ context.Context, r *policy.Request) (policy.Decision, error) {
	if p == nil || r == nil {
		return policy.Decision{Reason: "no policy"}, nil
	}
	q := question{Request: r, scheme: schemeOf(r.Scheme), clock: p.clock}
	if r.Method == "CONNECT" {
		return p.decideOpaque(&q), nil
	}
	var hits [3]found
	p.index.match(&q, &hits)
	for _, a := range []policy.Action{policy.Deny, policy.Allow, policy.Log} {
		hit := &hits[a]
		if hit.first == nil || a != policy.Deny && q.overridden() != 0 {
			continue
		}
		reason := hit.first.reason
		if q.scheme == schemeTCP && a == policy.Deny {
			reason = hit.first.unreadReason(schemeTCP)
		}
		return policy.Decision{
			Action: a, Rule: hit.first.name, Reason: reason, Networks: hit.networks,
			Passthrough: q.scheme == schemeTCP && a != policy.Deny, // a rule for tcp is the word for it
		}, nil
	}
	return p.unmatched(&q, hits), nil
}

// match adds the rules that match a request that can be read, or raw TCP.
func (ix *index) match(q *question, hits *[3]found) {
	for b := range ix.buckets(q.Host) {
		for a, g := range b {
			if g != nil {
				g.match(q, &hits[a])
			}
		}
	}
	ix.matchPackage(q, hits)
}

// buckets yields the rules for host: those for its name, then those for each
// domain it is below.
func (ix *index) buckets(host string) func(yield func(*bucket) bool) {
	return func(yield func(*bucket) bool) {
		if b := ix.hosts[host]; b != nil && !yield(b) {
			return
		}
		if len(ix.below) == 0 {
			return
		}
		for i := strings.IndexByte(host, '.'); i >= 0; {
			host = host[i+1:]
			if b := ix.below[host]; b != nil && !yield(b) {
				return
			}
			i = strings.IndexByte(host, '.')
		}
	}
}

// match adds the rules of g that match.
func (g *group) match(q *question, hits *found) {
	if q.scheme == schemeTCP && len(g.rules) > 0 && g.rules[0].action == policy.Deny {
		for _, r := range g.rules {
			if r.deniesRaw(q) {
				hits.add(r)
			}
		}
		return
	}
	for _, r := range g.any {
		if r.matches(q) {
			hits.add(r)
		}
	}
	if len(g.any) == len(g.rules) || q.scheme == schemeTCP {
		return
	}
	if g.rules[0].action == policy.Deny && q.overridden()&overridesPath != 0 {
		for _, r := range g.rules {
			if r.matches(q) {
				hits.add(r)
			}
		}
		return
	}
	for f := range forms {
		ps := &g.byForm[f]
		if ps.list == nil && ps.tree == nil || f >= often && !strings.Contains(q.Path, "%25") {
			continue // nothing to compare, or nothing that one round does not undo
		}
		path := respell(q.Path, f)
		ps.visit(path, func(e *entry) {
			if !e.rule.matches(q) {
				return
			}
			matched, known := e.pat.match(path, f == exact)
			if matched || !known && e.rule.action == policy.Deny {
				hits.add(e.rule)
			}
		})
	}
}

// matchPackage adds the rules for the request's package, where its registry is
// one of the policy's.
func (ix *index) matchPackage(q *question, hits *[3]found) {
	if q.Registry == "" || q.Package == "" || len(ix.packages) == 0 || q.scheme == schemeTCP {
		return
	}
	purl, ok := takeApart(q.Package)
	if !ok {
		return
	}
	for _, b := range [2]*packageBucket{ix.packages[purl.key], ix.packages[purl.key[:purl.slash]]} {
		if b == nil {
			continue
		}
		for a, rules := range b {
			for _, r := range rules {
				if r.matchesPackage(q, purl) {
					hits[a].add(r)
				}
			}
		}
	}
}

func (r *rule) matchesPackage(q *question, purl purlParts) bool {
	deny := r.action == policy.Deny
	if !r.matchesProcess(q) || r.expired(q) {
		return false
	}
	if !deny && (!isRead(q) || q.scheme&(schemeHTTP|schemeHTTPS) == 0) {
		return false
	}
	return r.pkg.matches(purl, deny)
}
