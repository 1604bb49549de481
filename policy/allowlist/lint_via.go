package allowlist

import (
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// redirects points at rules with via that too much can redirect to, or nothing.
func (w *linting) redirects() {
	s := sources{open: w.open, bases: w.bases, byHost: map[string][]placed{}, left: maxComparisons}
	var waiting []placed
	for _, r := range w.live() {
		switch {
		case r.action == policy.Deny || r.pkg != nil || r.passthrough || r.schemes&(schemeHTTP|schemeHTTPS) == 0:
		case r.via == nil:
			s.add(r)
		default:
			waiting = append(waiting, r)
		}
	}
	for _, r := range waiting {
		if i := slices.IndexFunc(r.via, func(from redirector) bool { return from.wildcard }); i >= 0 {
			w.at(r, policy.Warning, "wildcard-via", "whatever host has a name below "+r.via[i].host+" says where requests to "+r.pattern()+" lead",
				"name the hosts that redirect", "via")
		}
	}
	// A chain of redirects is reached hop by hop.
	for found := true; found; {
		found = false
		waiting = slices.DeleteFunc(waiting, func(r placed) bool {
			if !slices.ContainsFunc(r.via, func(from redirector) bool { return s.holds(&from) }) {
				return false
			}
			s.add(r)
			found = true
			return true
		})
	}
	if s.left < 0 {
		return // too many rules to know
	}
	for _, r := range waiting {
		w.at(r, policy.Warning, "unreachable-via", "the rule matches nothing: no rule and no registry lets a request to "+r.via[0].String()+" pass, and so nothing redirects from there",
			"allow the request that is redirected, or name the URL that is", "via")
	}
}

// sources are the requests that may pass, and so be redirected.
type sources struct {
	open   bool // all, by default
	bases  []string
	byHost map[string][]placed
	left   int // comparisons
}

func (s *sources) add(r placed) {
	s.byHost[r.bucketKey()] = append(s.byHost[r.bucketKey()], r)
}

// holds reports whether a request may pass whose URL from is about. It says yes
// where it cannot tell.
func (s *sources) holds(from *redirector) bool {
	if s.open || slices.ContainsFunc(s.bases, from.meetsBase) {
		return true
	}
	meets := func(r placed) bool { s.left--; return from.meets(r.rule) }
	if from.wildcard {
		for _, rules := range s.byHost {
			if slices.ContainsFunc(rules, meets) {
				return true
			}
		}
		return s.left < 0
	}
	host := strings.Trim(from.host, "[]")
	if slices.ContainsFunc(s.byHost[host], meets) {
		return true
	}
	for _, above, more := strings.Cut(host, "."); more; _, above, more = strings.Cut(above, ".") {
		if slices.ContainsFunc(s.byHost["*."+above], meets) {
			return true
		}
	}
	return s.left < 0
}

// meets reports whether some URL may be one of from and one that r lets pass.
func (from *redirector) meets(r *rule) bool {
	host := strings.Trim(from.host, "[]")
	switch {
	case r.schemes&schemeOf(from.scheme) == 0 || !slices.Contains(portsOr(r.ports, policy.DefaultPort(from.scheme)), from.port):
		return false
	case from.wildcard && r.wildcard && r.host != host && !r.coversName(host) && !from.coversName(r.host),
		from.wildcard && !r.wildcard && !from.coversName(r.host),
		!from.wildcard && !r.coversName(host):
		return false
	case from.path == nil || r.paths == nil:
		return true
	}
	return slices.ContainsFunc(r.paths, func(p pattern) bool { return from.path.meets(&p) })
}

// meets reports whether some path may match both.
func (pat *pattern) meets(other *pattern) bool {
	switch {
	case len(pat.parts) == 0:
		matched, known := other.match(pat.prefix, true)
		return matched || !known
	case len(other.parts) == 0:
		matched, known := pat.match(other.prefix, true)
		return matched || !known
	}
	return strings.HasPrefix(pat.prefix, other.prefix) || strings.HasPrefix(other.prefix, pat.prefix)
}

// meetsBase reports whether what is below the base of a registry may be one of
// from.
func (from *redirector) meetsBase(base string) bool {
	scheme, rest, _ := strings.Cut(base, "://")
	slash := strings.IndexByte(rest, '/')
	origin := redirector{scheme: from.scheme, host: from.host, wildcard: from.wildcard, suffix: from.suffix}
	if slash < 0 || !origin.matches(scheme+"://"+rest[:slash]+"/") {
		return false
	}
	below := pattern{prefix: rest[slash:], parts: []part{{kind: kindDeep}}}
	return from.path == nil || from.path.meets(&below)
}
