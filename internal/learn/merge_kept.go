package learn

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// kept checks that nothing of a policy was lost or changed in the merged one,
// from the two texts alone: every line of it is there, in its order and to the
// byte, but for the marks, the block of what was not learned, and the lines that
// had to be rewritten; and what YAML reads from it is there, with rules and
// registries added and nothing else.
func kept(before, after *policyText) error {
	lines := after.ownLines()
	at := 0
	for _, old := range before.ownLines() {
		if before.rewritten[old.number] {
			continue
		}
		for at < len(lines) && lines[at].text != old.text {
			at++
		}
		if at == len(lines) {
			return fmt.Errorf("line %d cannot be kept as it is", old.number)
		}
		at++
	}
	for i := 0; i+1 < len(before.root.Content); i += 2 {
		key, was := before.root.Content[i], before.root.Content[i+1]
		_, is := field(after.root, key.Value)
		if is == nil || !keptValue(key.Value, was, is) {
			return fmt.Errorf("line %d: %s cannot be kept as it is", key.Line, key.Value)
		}
	}
	for i := 0; i+1 < len(after.root.Content); i += 2 {
		name := after.root.Content[i].Value
		if key, _ := field(before.root, name); key == nil && name != "allow" && name != "registries" {
			return fmt.Errorf("%s would be new", name)
		}
	}
	return nil
}

// ownLine is a line without what merging may change behind it.
type ownLine struct {
	number int
	text   string
}

func (p *policyText) ownLines() []ownLine {
	first, last, _ := p.leftBlock() // none where it has no end
	if first > 1 && p.line(first-1) == "" {
		first--
	}
	var out []ownLine
	for n := range len(p.lines) {
		if first > 0 && first <= n+1 && n+1 <= last {
			continue
		}
		text, ended := strings.CutSuffix(string(p.data[p.lineStart(n+1):p.lineStart(n+2)]), "\n")
		if !ended && p.eol == "\r\n" {
			text += "\r" // lines may follow it
		}
		if strings.Contains(text, "# seen in ") || strings.Contains(text, "# in ") {
			bare := strings.TrimRight(text, " \t\r")
			text = withoutMarks(bare) + text[len(bare):]
		}
		out = append(out, ownLine{n + 1, text})
	}
	return out
}

// keptValue compares the value of one of a policy's keys.
func keptValue(name string, was, is *yaml.Node) bool {
	switch name {
	case "allow":
		return is.Kind == yaml.SequenceNode && inOrder(was.Content, is.Content)
	case "registries":
		for i := 0; i+1 < len(was.Content); i += 2 {
			_, now := field(is, was.Content[i].Value)
			if now == nil || !inOrder(listOf(was.Content[i+1]), listOf(now)) {
				return false
			}
		}
		return true
	default:
		return same(was, is)
	}
}

func listOf(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// inOrder reports whether all of was are among is, in their order.
func inOrder(was, is []*yaml.Node) bool {
	for _, n := range was {
		for len(is) > 0 && !same(n, is[0]) {
			is = is[1:]
		}
		if len(is) == 0 {
			return false
		}
		is = is[1:]
	}
	return true
}

// same reports whether two parts read the same, in the same style. Text behind | or
// > may take in a line end where the file had none, or a blank line.
func same(a, b *yaml.Node) bool {
	was, is := a.Value, b.Value
	if a.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		was, is = strings.TrimRight(was, "\n"), strings.TrimRight(is, "\n")
	}
	if a.Kind != b.Kind || a.Style != b.Style || was != is || a.ShortTag() != b.ShortTag() || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}
