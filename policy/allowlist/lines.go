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
// them allows. Mistakes name file; hash is the policy's own, see Hash.
func FromLines(file, hash string, lines []Line) (*Policy, error) {
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
	return &Policy{hash: hash, index: newIndex(rules), file: file, clock: time.Now, lines: rules, source: joinLines(lines)}, nil
}

// joinLines is what Explain shows: a rule of one line on its line.
func joinLines(lines []Line) []byte {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text + "\n")
	}
	return []byte(b.String())
}
