package allowlist

import (
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// Match is a rule that matches a request, whether or not it decides.
type Match struct {
	// Line is where the rule begins in the file, from 1.
	Line   int
	Action policy.Action
	// Versioned is true of a rule for some versions of a package. It matches the
	// package's metadata, too, which name no version.
	Versioned bool
}

// Matching calls each with every rule that matches r: the one that Decide names,
// and those that would decide if it were not there, for some more than once. A
// rule that is over or that a header of the request keeps from deciding is none.
func (p *Policy) Matching(r *policy.Request, each func(Match)) {
	if p == nil || r == nil {
		return
	}
	q := question{Request: r, scheme: schemeOf(r.Scheme), clock: p.clock}
	opaque := r.Method == "CONNECT" // its headers are not the origin's
	tell := func(r *rule) {
		if opaque || r.action == policy.Deny || q.overridden() == 0 {
			each(Match{Line: r.line, Action: r.action, Versioned: r.pkg != nil && (r.pkg.version != nil || r.pkg.versions != nil)})
		}
	}
	hits := [3]found{{each: tell}, {each: tell}, {each: tell}}
	if opaque {
		p.index.matchOpaque(&q, &hits)
		return
	}
	p.index.match(&q, &hits)
}

// KnowsHost reports whether a registry is there, or a rule that forwards may be
// about it.
func (p *Policy) KnowsHost(host string) bool {
	for b := range p.index.buckets(host) {
		if b[policy.Allow] != nil || b[policy.Log] != nil {
			return true
		}
	}
	return slices.Contains(p.registryHosts(), host)
}

// Hosts returns the hosts of rules that forward, as these name them (*.example.org
// too), and of registries: some may be there twice.
func (p *Policy) Hosts() []string {
	out := p.registryHosts()
	for _, r := range p.written() {
		if r.action != policy.Deny && r.pkg == nil {
			out = append(out, r.pattern())
		}
	}
	return out
}

func (p *Policy) registryHosts() []string {
	var out []string
	for _, urls := range p.registries {
		for _, url := range urls {
			_, rest, _ := strings.Cut(url, "://")
			authority, _, _ := strings.Cut(rest, "/")
			if name, _, err := hostname.ParseAuthority(authority); err == nil {
				out = append(out, name)
			}
		}
	}
	return out
}
