package allowlist

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// Fact is one rule, told to whoever counts rules or compares policies. What is
// absent from the rule has the meaning that it has there. Requests are decided by
// Policy.Decide alone.
type Fact struct {
	// Rule is its name, as decisions have it, and Action the list it is in.
	Rule   string
	Action policy.Action
	// Package is the purl as written, empty for a rule about a host.
	Package string
	// OneVersion is true of a rule for one version of a package, in whatever notation.
	OneVersion bool
	// Host is exact, or *.example.org. It is empty for a rule about a package.
	Host string
	// Schemes are those of the rule; nil means any, which only deny rules have.
	Schemes []string
	// Methods nil means any under deny, and GET and HEAD elsewhere.
	Methods []string
	// Ports nil means any under deny, and the scheme's own elsewhere.
	Ports []uint16
	// Paths are the patterns as written; nil means any.
	Paths []string
	// Query and Headers have, for each name that the rule has a condition on, a
	// value that meets it, and Processes a program for each that may ask. They are
	// nil where the rule does not mind, and no whole of what it takes.
	Query, Headers map[string]string
	Processes      []string
	// Via are the URL patterns that must have redirected here, as written; nil
	// where it does not matter. Then no paths may mean whatever was redirected to.
	Via []string
	// Passthrough is true of a host that is not decrypted.
	Passthrough bool
	// Comments are what stands behind the rule's lines, without its mark and in
	// their order.
	Comments []string
}

// Facts returns the rules in the order of the file. It reads the policy's text
// again and is for a person who waits, not for a run.
func (p *Policy) Facts() []Fact {
	if p == nil {
		return nil
	}
	var out []Fact
	for _, r := range p.written() {
		f := Fact{Rule: r.name, Action: r.action, Comments: r.comments()}
		for _, pattern := range r.processes {
			f.Processes = append(f.Processes, strings.NewReplacer("*", "x", "?", "x").Replace(pattern))
		}
		if r.pkg != nil {
			f.Package = r.node.Value
			if n := valueOf(r.node, "package"); n != nil {
				f.Package = n.Value
			}
			f.OneVersion = isOneVersion(f.Package)
			out = append(out, f)
			continue
		}
		f.Host, f.Passthrough = r.pattern(), r.passthrough
		f.Methods, f.Ports = slices.Clone(r.methods), slices.Clone(r.ports)
		f.Paths = r.pathsWritten()
		if r.via != nil {
			f.Via = texts(valueOf(r.node, "via"))
		}
		f.Query, f.Headers = met(r.query), met(r.headers)
		if r.schemes != schemeAny {
			for _, name := range schemeNames() {
				if r.schemes&schemeOf(name) != 0 {
					f.Schemes = append(f.Schemes, name)
				}
			}
		}
		out = append(out, f)
	}
	return out
}

// comments returns what stands behind the lines of a rule.
func (r *rule) comments() []string {
	var at []*yaml.Node
	for n := range nodes(r.node) {
		if n.LineComment != "" {
			at = append(at, n)
		}
	}
	slices.SortStableFunc(at, func(a, b *yaml.Node) int { return a.Line - b.Line })
	var out []string
	for _, n := range at {
		out = append(out, strings.TrimSpace(strings.TrimPrefix(n.LineComment, "#")))
	}
	return out
}

// pathsWritten returns the path patterns of a rule as its author wrote them.
func (r *rule) pathsWritten() []string {
	if r.paths == nil {
		return nil
	}
	if r.node.Kind == yaml.ScalarNode {
		_, rest, _ := strings.Cut(r.node.Value, "://")
		_, path, _ := strings.Cut(rest, "/")
		return []string{"/" + path}
	}
	return texts(valueOf(r.node, "paths"))
}

// texts returns the texts of a list, or one that stands alone.
func texts(n *yaml.Node) []string {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.ScalarNode:
		return []string{n.Value}
	}
	var out []string
	for _, item := range n.Content {
		out = append(out, item.Value)
	}
	return out
}

// met returns values that meet conditions.
func met(conditions []condition) map[string]string {
	if conditions == nil {
		return nil
	}
	out := map[string]string{}
	for _, c := range conditions {
		if len(c.values) > 0 && c.name != anyName {
			out[c.name] = strings.Join(append([]string{c.values[0].first}, c.values[0].rest...), "x")
		}
	}
	return out
}

// valueOf returns the value of a key of a mapping, or nil.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
