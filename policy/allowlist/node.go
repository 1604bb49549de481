package allowlist

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// fields reads a mapping and calls set for each key that is known, once.
func (p *parser) fields(n *yaml.Node, what string, known []string, set func(key, value *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		p.at(n, what+" must be a mapping, not "+kind(n), p.mappingHint(n, what))
		return false
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content) && !p.full(); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !isText(key) {
			hint := "put it in quotes"
			if key.Kind == yaml.MappingNode {
				hint = "templates are not replaced in a policy: write what is meant"
			}
			p.at(key, "a key must be text, not "+kind(key), hint)
			continue
		}
		if line, twice := seen[key.Value]; twice {
			p.at(key, "duplicate key "+quoted(key.Value), fmt.Sprintf("it stands on line %d already; keep one", line))
			continue
		}
		seen[key.Value] = key.Line
		if known != nil && !slices.Contains(known, key.Value) {
			p.at(key, "unknown key "+quoted(key.Value)+" in "+what, keyHint(key.Value, what, known))
			continue
		}
		set(key, value)
	}
	return true
}

// items returns the elements of a list, which must have some.
func (p *parser) items(n *yaml.Node, key string) []*yaml.Node {
	switch {
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		return n.Content
	case n.Kind == yaml.SequenceNode:
		p.at(n, key+" is an empty list, which matches nothing", "remove "+key+", or name what it matches")
	case n.Kind == yaml.ScalarNode && !isNull(n):
		p.at(n, key+" must be a list, not "+kind(n), "write "+key+": ["+n.Value+"]")
	default:
		p.at(n, key+" must be a list, not "+kind(n), "remove "+key+", or name what it matches, each behind a dash")
	}
	return nil
}

// text returns the value of a scalar that YAML takes for text.
func (p *parser) text(n *yaml.Node, what string) (string, bool) {
	if isText(n) {
		return n.Value, true
	}
	p.at(n, what+" must be text, not "+kind(n), textHint(n, what))
	return "", false
}

// maxProse bounds a text for people, in bytes: it is printed with each denial.
const maxProse = 1000

// prose returns a text for people, on one line.
func (p *parser) prose(n *yaml.Node, what string) string {
	s, ok := p.text(n, what)
	if !ok {
		return ""
	}
	if len(s) > maxProse {
		p.at(n, what+" is too long", "1000 bytes are the most; put the rest into a comment")
		return ""
	}
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		p.at(n, what+" is empty", "say why, or remove it")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		p.at(n, what+" holds a control character", "remove it")
	}
	return s
}

func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kind names what n is, for a sentence.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int":
		return "a number"
	case "!!float":
		return "a number with a point"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	default:
		return "text"
	}
}
