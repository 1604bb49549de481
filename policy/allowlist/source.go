package allowlist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// parser reads one file and collects what is wrong with it.
type parser struct {
	file, base string
	data       []byte
	rule       []ruleKey
	ruleNames  []string // of rule, in its order
	mistakes   []Mistake
	// blank is what is wrong with a file that says nothing.
	blank Mistake
	// places keeps where rules are written, which takes more than the rules.
	places bool
	// partial is true where part of data was taken out, after a mistake in it.
	partial bool
	probed  int // bytes read to find the places of mistakes
}

func newParser(name string, data []byte) *parser {
	p := &parser{file: name, base: filepath.Base(name), data: data, rule: ruleKeys()}
	p.blank = Mistake{Line: 1, Column: 1, Message: "the policy is empty", Hint: "a policy that denies everything says so: version: 1"}
	for _, k := range p.rule {
		p.ruleNames = append(p.ruleNames, k.name)
	}
	return p
}

// root returns the only document of the file, or nil after a mistake.
func (p *parser) root() *yaml.Node {
	if !p.readable() {
		return nil
	}
	root, err := p.decode()
	for err != nil {
		if !p.syntax(err) {
			return nil
		}
		root, err = p.decode()
	}
	if root == nil {
		return nil
	}
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		p.empty()
		return nil
	}
	if !p.plain(root, 0) {
		return nil
	}
	return root
}

// decode returns the only document, nil after a mistake, and an error where the file
// is no YAML.
func (p *parser) decode() (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(p.data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		p.empty()
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		if err == nil {
			p.at(&second, "a second document", "one file holds one policy; give each its own -policy")
		}
		return nil, err
	}
	return doc.Content[0], nil
}

func (p *parser) empty() {
	if !p.partial {
		p.add(p.blank)
	}
}

// readable checks the bytes before they are taken for YAML. What a reviewer
// cannot see, or sees on another line than YAML does, has no place in a policy.
func (p *parser) readable() bool {
	if len(p.data) > maxSize {
		p.add(Mistake{Message: fmt.Sprintf("the policy is larger than %d MB", maxSize>>20), Hint: "split it into several files"})
		return false
	}
	if line := policy.MergeConflict(p.data); line > 0 {
		p.add(Mistake{Line: line, Column: 1, Message: "a merge conflict", Hint: "keep one of the two sides, or both, and remove the lines with <<<<<<<, ======= and >>>>>>>"})
		return false
	}
	data, parts := p.data, 0
	for i := 0; i < len(data); {
		r, n := rune(data[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(data[i:])
		}
		switch {
		case r >= ' ' && r < 0x7f, r == '\n', r == '\t':
			if isSeparator(data, i) {
				parts++
			}
		case r == '\r' && i+1 < len(data) && data[i+1] == '\n':
		case r == '\r':
			return p.unreadable(i, "a carriage return (U+000D) without a line feed", "save the file with the line ends of Unix or of Windows")
		case r == '\u00a0' && isStructural(data[:i]):
			return p.unreadable(i, "a no-break space (U+00A0), which YAML takes for text", "write a blank")
		case r == utf8.RuneError && n == 1:
			return p.unreadable(i, "not UTF-8", "save the file as UTF-8")
		case r == 0xfeff && i == 0:
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
			return p.unreadable(i, fmt.Sprintf("invisible character %U", r), "remove it")
		}
		i += n
	}
	if parts > maxParts {
		p.add(Mistake{Message: "the policy has too many parts", Hint: "half a million lines, commas and brackets are the most; split it into several files"})
		return false
	}
	return true
}

// beforeBlank is the beginning of a line behind which YAML wants blanks.
var beforeBlank = lazily(`^[ \t]*(?:-[ \t]+)*(?:-|[A-Za-z]+:)?[ \t]*$`)

// isStructural reports whether data ends where a blank would tell keys, dashes and
// values apart. Anywhere else, what looks like a blank is part of a text.
func isStructural(data []byte) bool {
	line := data[bytes.LastIndexByte(data, '\n')+1:]
	return len(line) < 200 && beforeBlank().Match(line)
}

// maxParts bounds what the YAML reader builds, which takes some 400 bytes for
// each: a file of commas would else take gigabytes.
const maxParts = 500_000

// isSeparator reports whether the byte at i may begin a value.
func isSeparator(data []byte, i int) bool {
	switch data[i] {
	case '\n', ',', '[', '{':
		return true
	case ' ', '\t':
		return i > 0 && (data[i-1] == '-' || data[i-1] == '?' || data[i-1] == ':')
	default:
		return false
	}
}

func (p *parser) unreadable(offset int, message, hint string) bool {
	before := p.data[:offset]
	line := bytes.LastIndexByte(before, '\n') + 1
	p.add(Mistake{
		Line: bytes.Count(before, []byte("\n")) + 1, Column: utf8.RuneCount(before[line:]) + 1,
		Message: message, Hint: hint,
	})
	return false
}

// maxDepth bounds nesting: a policy has a list in a rule in a list in a mapping.
const maxDepth = 8

// plain refuses what makes YAML say other things than it shows: anchors,
// aliases, merge keys and tags.
func (p *parser) plain(n *yaml.Node, depth int) bool {
	const hint = "write the value out where it is used"
	switch {
	case depth > maxDepth:
		p.at(n, "nested too deeply", "")
		return false
	case n.Kind == yaml.AliasNode:
		p.at(n, "an alias (*"+n.Value+")", hint)
		return false
	case n.Anchor != "":
		p.at(n, "an anchor (&"+n.Anchor+")", hint)
		return false
	case n.Tag == "!!merge":
		p.at(n, "a merge key (<<)", hint)
		return false
	case n.Style&yaml.TaggedStyle != 0:
		p.at(n, "a tag ("+n.Tag+")", "leave the tag out")
		return false
	}
	ok := true
	for _, c := range n.Content {
		if p.full() {
			return false
		}
		ok = p.plain(c, depth+1) && ok
	}
	return ok
}

// at adds a mistake about n.
func (p *parser) at(n *yaml.Node, message, hint string) { p.within(n, 0, message, hint) }

// within adds a mistake about the character at byte offset of n's text, as far
// as the place can be known: escapes and folded lines move it.
func (p *parser) within(n *yaml.Node, offset int, message, hint string) {
	column := max(n.Column, 1)
	if offset > 0 && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && offset <= len(n.Value) {
		column += utf8.RuneCountInString(n.Value[:offset])
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			column++
		}
	}
	p.add(Mistake{Line: max(n.Line, 1), Column: column, Message: message, Hint: hint})
}
