package learn

import (
	"bytes"
	"strings"

	"gopkg.in/yaml.v3"
)

// YAML says where a part begins and not where it ends; this file finds the ends.

// end returns the offset behind n. It is false where that cannot be told from n
// alone: of text in several lines without quotes.
func (p *policyText) end(n *yaml.Node) (int, bool) {
	switch {
	case n.Kind == yaml.ScalarNode:
		return p.scalarEnd(n)
	case isFlow(n):
		return p.flowEnd(n)
	case len(n.Content) == 0:
		return 0, false
	default:
		return p.end(n.Content[len(n.Content)-1])
	}
}

func (p *policyText) scalarEnd(n *yaml.Node) (int, bool) {
	at := p.offset(n)
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := at + 1; i < len(p.data); i++ {
			switch p.data[i] {
			case '\\':
				i++
			case '"':
				return i + 1, true
			}
		}
		return 0, false
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := at + 1; i < len(p.data); i++ {
			switch {
			case p.data[i] != '\'':
			case i+1 < len(p.data) && p.data[i+1] == '\'':
				i++
			default:
				return i + 1, true
			}
		}
		return 0, false
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return p.blockEnd(n)
	default:
		return at + len(n.Value), bytes.HasPrefix(p.data[at:], []byte(n.Value))
	}
}

// blockEnd is for text behind | or >, which ends where a line is less indented
// than its first.
func (p *policyText) blockEnd(n *yaml.Node) (int, bool) {
	header, _, _ := strings.Cut(p.line(n.Line)[p.offset(n)-p.lineStart(n.Line):], "#")
	if strings.ContainsAny(header, "123456789") {
		return 0, false // the depth is written, and counts from what is around it
	}
	last, depth := n.Line, 0
	if strings.TrimSpace(n.Value) == "" {
		depth = -1 // no line is part of it
	}
	for l := n.Line + 1; l <= len(p.lines) && depth >= 0; l++ {
		line := p.line(l)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case strings.TrimSpace(line) == "":
			if strings.Contains(header, "+") {
				last = l
			}
			continue
		case depth == 0:
			depth = indent
		}
		if indent < depth {
			break
		}
		last = l
	}
	return p.lineStart(last + 1), true
}

// flowEnd is for what stands in brackets.
func (p *policyText) flowEnd(n *yaml.Node) (int, bool) {
	closing := byte(']')
	if n.Kind == yaml.MappingNode {
		closing = '}'
	}
	at := p.offset(n) + 1
	if len(n.Content) > 0 {
		end, ok := p.end(n.Content[len(n.Content)-1])
		if !ok {
			return 0, false
		}
		at = end
	}
	at, _ = p.skip(at)
	return at + 1, at < len(p.data) && p.data[at] == closing
}

// skip passes over space, comments and commas, and says whether a comma was there.
func (p *policyText) skip(at int) (to int, comma bool) {
	for ; at < len(p.data); at++ {
		switch p.data[at] {
		case ',':
			comma = true
		case ' ', '\t', '\r', '\n':
		case '#':
			i := bytes.IndexByte(p.data[at:], '\n')
			if i < 0 {
				return len(p.data), comma
			}
			at += i
		default:
			return at, comma
		}
	}
	return at, comma
}

// lastLine returns the last line of n, which ends before the line limit.
func (p *policyText) lastLine(n *yaml.Node, limit int) int {
	if end, ok := p.end(n); ok {
		return max(p.lineOf(end-1), n.Line)
	}
	for l := limit - 1; l > n.Line; l-- {
		if s := strings.TrimSpace(p.line(l)); s != "" && s != "..." && s[0] != '#' {
			return l
		}
	}
	return n.Line
}

// limit returns a line that the value of a key of the policy ends before.
func (p *policyText) limit(value *yaml.Node) int {
	for i := 1; i+1 < len(p.root.Content); i += 2 {
		if p.root.Content[i] == value {
			return p.root.Content[i+1].Line
		}
	}
	return len(p.lines) + 1
}
