package learn

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// Lists and mappings in brackets are added to within their brackets: all that was
// written stays, to the byte.

// insertFlow adds to a list or a mapping in brackets. Items that stand on lines of
// their own end with what the line is to say behind the comma.
func (p *policyText) insertFlow(n *yaml.Node, items []flowItem, ownLines bool) bool {
	end, ok := p.end(n)
	if !ok {
		return false
	}
	behind, comma := p.offset(n)+1, true
	if len(n.Content) > 0 {
		if behind, ok = p.end(n.Content[len(n.Content)-1]); !ok {
			return false
		}
		_, comma = p.skip(behind)
	}
	var b strings.Builder
	for i, item := range items {
		switch {
		case ownLines:
			b.WriteString("    " + item.text + ",")
			if item.comment != "" {
				b.WriteString("  " + item.comment)
			}
			b.WriteString("\n")
		case i > 0 || len(n.Content) > 0:
			b.WriteString(", " + item.text)
		default:
			b.WriteString(item.text)
		}
	}
	switch line := p.lineOf(end - 1); {
	case !ownLines && comma && len(n.Content) > 0:
		p.rewrite(end-1, 0, strings.TrimPrefix(b.String(), ", "))
	case !ownLines:
		p.rewrite(behind, 0, b.String())
	case strings.TrimSpace(p.line(line)[:end-1-p.lineStart(line)]) == "" && line > n.Line:
		if !comma {
			p.rewrite(behind, 0, ",")
		}
		p.insert(line, b.String())
	default:
		if !comma {
			p.rewrite(behind, 0, ",")
		}
		p.rewrite(end-1, 0, "\n"+b.String()+"  ")
	}
	return true
}

// flowItem is one item in brackets, and the comment behind it.
type flowItem struct{ text, comment string }

// flowItems writes drafted rules for a list in brackets, each on one line.
func flowItems(entries []entry) ([]flowItem, error) {
	var out []flowItem
	for _, e := range entries {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(e.text), &doc); err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(e.text, "\n")
		comment := ""
		if i := strings.Index(first, "  # "); i >= 0 {
			comment = first[i+2:]
		}
		out = append(out, flowItem{flowText(doc.Content[0].Content[0]), comment})
	}
	return out, nil
}

// flowText writes n in brackets, on one line.
func flowText(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() != "!!str" || isPlainScalar(n.Value) && only(n.Value, "/:@-._%*+~=&") {
			return n.Value
		}
		return quoted(n.Value)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, flowText(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+flowText(n.Content[i+1])) // keys are words of ours
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
}
