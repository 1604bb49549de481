package learn

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// policyText is a policy as bytes, and where YAML says that its parts stand. What
// is changed are the bytes: nothing of it is ever written anew from what was read.
type policyText struct {
	data  []byte
	lines []int // where each begins
	eol   string
	root  *yaml.Node
	edits []edit
	// rewritten are the lines, from 1, that cannot stay as they are.
	rewritten map[int]bool
}

// edit replaces cut bytes at an offset.
type edit struct {
	at, cut int
	text    string
}

const byteOrderMark = "\ufeff"

// newPolicyText reads a policy that policy/allowlist takes.
func newPolicyText(data []byte) (*policyText, error) {
	p := &policyText{data: data, lines: []int{0}, eol: "\n", rewritten: map[int]bool{}}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("a policy is one mapping")
	}
	p.root = doc.Content[0]
	for i, c := range data {
		if c == '\n' && i+1 < len(data) {
			p.lines = append(p.lines, i+1)
		}
	}
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		p.eol = "\r\n"
	}
	return p, nil
}

// field returns the key and the value of a mapping, nil where it has none.
func field(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; mapping != nil && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

func isFlow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

// offset returns where n begins.
func (p *policyText) offset(n *yaml.Node) int {
	at := p.lineStart(n.Line)
	if n.Line == 1 && bytes.HasPrefix(p.data, []byte(byteOrderMark)) {
		at += len(byteOrderMark)
	}
	for range n.Column - 1 { // which counts characters
		_, size := utf8.DecodeRune(p.data[at:])
		at += size
	}
	return at
}

// lineStart returns where a line begins, from 1; the end, for those behind the
// last.
func (p *policyText) lineStart(line int) int {
	if line > len(p.lines) {
		return len(p.data)
	}
	return p.lines[line-1]
}

// lineOf returns the line that holds the byte at an offset.
func (p *policyText) lineOf(offset int) int {
	i, found := slices.BinarySearch(p.lines, offset)
	if found {
		i++
	}
	return max(i, 1)
}

// line returns the bytes of a line, without what ends it.
func (p *policyText) line(n int) string {
	return strings.TrimRight(string(p.data[p.lineStart(n):p.lineStart(n+1)]), "\r\n")
}

// cut notes a change within lines that stay what they are otherwise.
func (p *policyText) cut(at, cut int, text string) {
	p.edits = append(p.edits, edit{at, cut, strings.ReplaceAll(text, "\n", p.eol)})
}

// rewrite notes a change to a line that a reviewer will see as another one.
func (p *policyText) rewrite(at, cut int, text string) {
	for l := p.lineOf(at); l <= p.lineOf(at+cut); l++ {
		p.rewritten[l] = true
	}
	p.cut(at, cut, text)
}

// insert puts whole lines before a line.
func (p *policyText) insert(line int, text string) {
	at := p.lineStart(line)
	if at == len(p.data) && at > 0 && p.data[at-1] != '\n' {
		text = "\n" + text
	}
	p.cut(at, 0, text)
}

// apply returns the text with every change. Of those at one place the first noted
// comes first.
func (p *policyText) apply() []byte {
	slices.SortStableFunc(p.edits, func(a, b edit) int { return cmp.Compare(a.at, b.at) })
	var out bytes.Buffer
	at := 0
	for _, e := range p.edits {
		out.Write(p.data[at:max(at, e.at)])
		out.WriteString(e.text)
		at = max(at, e.at+e.cut)
	}
	out.Write(p.data[at:])
	return out.Bytes()
}

// indented moves lines that were written two spaces deep to another depth.
func indented(text string, depth int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "  "); ok {
			b.WriteString(strings.Repeat(" ", depth))
			line = rest
		}
		b.WriteString(line)
	}
	return b.String()
}
