package allowlist

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// document is a file, read.
type document struct {
	fallback   policy.Action
	registries map[string][]string
	rules      []*rule
	// at has the key of each part that is there.
	at map[string]*yaml.Node
	// ecosystems are the keys under registries.
	ecosystems []*yaml.Node
}

// documentKeys are the keys of a policy, each with what an editor shows for it.
func documentKeys() (names []string, docs map[string]string) {
	return []string{"version", "default", "registries", "allow", "deny", "log"}, map[string]string{
		"version":    "The version of this language.",
		"default":    "What becomes of a request that no rule matches: deny, when absent; log and allow forward it.",
		"registries": "Where packages may come from: for each ecosystem one base URL or several. A package is read from there or it is none. learn fills this in.",
		"allow":      "Rules for what is forwarded. Absent keys are narrow: https, its own port, GET and HEAD.",
		"deny":       "Rules for what is refused, whatever else allows it. Absent keys mean any; spelling a request differently does not help it.",
		"log":        "Rules for what is forwarded and listed for review. Absent keys are narrow, as under allow.",
	}
}

// document reads the whole file. What it returns counts only when there was no
// mistake.
func (p *parser) document() document {
	var doc document
	root := p.root()
	if root == nil {
		return doc
	}
	versioned := false
	names, _ := documentKeys()
	doc.at = map[string]*yaml.Node{}
	ok := p.fields(root, "a policy", names, func(key, value *yaml.Node) {
		doc.at[key.Value] = key
		switch key.Value {
		case "version":
			versioned = true
			p.version(value)
		case "default":
			doc.fallback = p.action(value)
		case "registries":
			doc.registries = p.registries(value)
			for i := 0; i+1 < len(value.Content); i += 2 {
				doc.ecosystems = append(doc.ecosystems, value.Content[i])
			}
		case "allow":
			doc.rules = append(doc.rules, p.rules(value, policy.Allow)...)
		case "deny":
			doc.rules = append(doc.rules, p.rules(value, policy.Deny)...)
		case "log":
			doc.rules = append(doc.rules, p.rules(value, policy.Log)...)
		}
	})
	if ok && !versioned && !p.partial {
		p.at(root, "the version is missing", `add "version: 1"`)
	}
	slices.SortStableFunc(doc.rules, func(a, b *rule) int { return a.line - b.line })
	for i, r := range doc.rules {
		r.order = i
	}
	return doc
}

func (p *parser) version(n *yaml.Node) {
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int":
		p.at(n, "version must be a number, not "+kind(n), `write "version: 1"`)
	case n.Value != "1":
		p.at(n, "unknown version "+n.Value, "this release reads version 1")
	}
}

func (p *parser) action(n *yaml.Node) policy.Action {
	var a policy.Action
	s, ok := p.text(n, "default")
	if !ok {
		return policy.Deny
	}
	if err := a.UnmarshalText([]byte(s)); err != nil {
		hint := suggestion(s, []string{"deny", "log", "allow"})
		if s == "block" || s == "no" || s == "none" || s == "reject" || s == "drop" || s == "false" {
			hint = "write default: deny"
		}
		p.at(n, "unknown default "+quoted(s), hint)
	}
	return a
}

// rules reads one of the three lists.
func (p *parser) rules(n *yaml.Node, a policy.Action) []*rule {
	if p.partial && isNull(n) {
		return nil // its rules were taken out
	}
	if n.Kind != yaml.SequenceNode {
		hint := "begin each rule with a dash"
		if isNull(n) {
			hint = "remove the key, or write " + a.String() + ": []"
		} else if n.Kind == yaml.MappingNode && strings.HasPrefix(strings.Replace(n.Content[0].Value, "\u2013", "-", 1), "-") {
			hint = "begin each rule with a straight dash and a blank"
		} else if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			hint = "remove the | or > behind the key: what is below it is a list, and no text"
		}
		p.at(n, a.String()+" must be a list of rules, not "+kind(n), hint)
		return nil
	}
	out := make([]*rule, 0, len(n.Content))
	for _, item := range n.Content {
		if p.full() {
			break
		}
		r := newRule(p.base, item.Line, a)
		if p.places {
			r.node = item
		}
		var ok bool
		switch item.Kind {
		case yaml.MappingNode:
			ok = p.longRule(item, r)
		default:
			ok = p.shortRule(item, r)
		}
		if ok {
			out = append(out, r)
		}
	}
	return out
}
