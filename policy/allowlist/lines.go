package allowlist

import (
	"net/netip"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// Line is a rule under allow that is written in no policy file, in the form of
// one line.
type Line struct {
	Text string
	// Name is what decisions call the rule, such as "package-lock.json:812".
	Name   string
	Reason string
	// Networks are the addresses that are not public and may be dialled for it. The
	// slice is kept.
	Networks []netip.Prefix
}

// FromLines returns the policy whose only rules are lines. It denies what none of
// them allows. Mistakes name file; hash and registries are what Hash and Registries
// return.
func FromLines(file, hash string, registries map[string][]string, lines []Line) (*Policy, error) {
	p := newParser(file, nil)
	rules := make([]*rule, 0, len(lines))
	for i, l := range lines {
		n := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: l.Text, Line: i + 1, Column: 1}
		r := newRule("", n.Line, policy.Allow)
		r.name, r.order, r.networks = l.Name, i, l.Networks
		r.node = &n
		if l.Reason != "" {
			r.reason = l.Reason
		}
		if p.shortRule(&n, r) {
			rules = append(rules, r)
		}
		if p.full() {
			break
		}
	}
	if len(p.mistakes) > 0 {
		return nil, p.sorted()
	}
	return &Policy{
		hash: hash, registries: registries, index: newIndex(rules), file: file, clock: time.Now,
		lines: rules, source: joinLines(lines),
	}, nil
}

// written returns the rules with the places where they are written.
func (p *Policy) written() []*rule {
	if p.lines != nil {
		return p.lines
	}
	return parsePlaces(p.file, p.source).rules
}

// Networks returns the addresses that are not public and that allow rules let
// packages of a type be read from: those for such packages, and those for any of
// the hosts.
func (p *Policy) Networks(typ string, hosts ...string) []netip.Prefix {
	var out []netip.Prefix
	for key, b := range p.index.packages {
		if !strings.HasPrefix(key, "pkg:"+typ+"/") {
			continue
		}
		for _, r := range b[policy.Allow] {
			out = append(out, r.networks...)
		}
	}
	for _, host := range hosts {
		for b := range p.index.buckets(host) {
			if g := b[policy.Allow]; g != nil {
				for _, r := range g.rules {
					out = append(out, r.networks...)
				}
			}
		}
	}
	return join(out, nil)
}

// joinLines is what Explain shows: a rule of one line on its line.
func joinLines(lines []Line) []byte {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text + "\n")
	}
	return []byte(b.String())
}
