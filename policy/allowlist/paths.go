package allowlist

import (
	"bytes"
	"strings"
)

// few is how many patterns are compared one by one rather than indexed.
const few = 8

// entry is one path pattern of one rule.
type entry struct {
	rule *rule
	pat  pattern
}

// paths finds the patterns that may match a path. Its zero value holds none.
type paths struct {
	list []entry // compared one by one
	tree *node   // nil where list holds all of them
}

func newPaths(entries []entry) paths {
	if len(entries) <= few {
		return paths{list: entries}
	}
	places := make([]place, len(entries))
	for i := range entries {
		places[i] = place{&entries[i], 0}
	}
	return paths{tree: newTree(places, false)}
}

// visit calls f for each entry whose pattern may match path, for some more than
// once.
func (p *paths) visit(path string, f func(*entry)) {
	for i := range p.list {
		f(&p.list[i])
	}
	p.tree.visit(path, f)
}

// place is a literal in a pattern: the prefix, then that behind each star.
type place struct {
	*entry
	at int
}

func (p place) literal() string {
	if p.at == 0 {
		return p.pat.prefix
	}
	return p.pat.parts[p.at-1].literal
}

// star returns the star behind the literal, and the place behind that.
func (p place) star() (part, place, bool) {
	if p.at == len(p.pat.parts) {
		return part{}, place{}, false
	}
	return p.pat.parts[p.at], place{p.entry, p.at + 1}, true
}

// node is a node of a radix tree over literals. Its places are those whose
// literal the labels on the way to it spell. Where they crowd, they are told
// apart by their next literal, in a tree that is visited with what is left of
// the path: at the next slash, where a * or a typed part stands for the rest of a segment;
// else at every position that the star could end at.
type node struct {
	label    string
	firsts   []byte // the first byte of each child's label
	children []*node
	places   []place

	segment, shallow, deep *node
}

// newTree indexes places by their literals. Trees that are visited at many
// positions are not nested, so that no path makes the visits multiply.
func newTree(places []place, nested bool) *node {
	root := &node{}
	for _, p := range places {
		root.insert(p.literal(), p)
	}
	root.branch(nested)
	return root
}

func (n *node) branch(nested bool) {
	for _, c := range n.children {
		c.branch(nested)
	}
	if len(n.places) <= few {
		return
	}
	var stay, segment, shallow, deep []place
	for _, p := range n.places {
		switch star, next, ok := p.star(); {
		case !ok:
			stay = append(stay, p)
		case star.kind != kindDeep && strings.HasPrefix(star.literal, "/"):
			segment = append(segment, next)
		case nested:
			stay = append(stay, p)
		case star.kind == kindDeep:
			deep = append(deep, next)
		default:
			shallow = append(shallow, next)
		}
	}
	n.places = stay
	n.segment = subtree(segment, nested)
	n.shallow = subtree(shallow, true)
	n.deep = subtree(deep, true)
}

func subtree(places []place, nested bool) *node {
	if len(places) == 0 {
		return nil
	}
	return newTree(places, nested)
}

func (n *node) visit(rest string, f func(*entry)) {
	for n != nil {
		for _, p := range n.places {
			f(p.entry)
		}
		if n.segment != nil {
			if i := strings.IndexByte(rest, '/'); i >= 0 {
				n.segment.visit(rest[i:], f)
			}
		}
		if n.shallow != nil {
			for i := 0; i <= len(rest); i++ {
				n.shallow.visit(rest[i:], f)
				if i < len(rest) && rest[i] == '/' {
					break
				}
			}
		}
		if n.deep != nil {
			for i := 0; i <= len(rest); i++ {
				n.deep.visit(rest[i:], f)
			}
		}
		if n = n.child(rest); n != nil {
			rest = rest[len(n.label):]
		}
	}
}

// child returns the child whose label text begins with, or nil.
func (n *node) child(text string) *node {
	if text == "" {
		return nil
	}
	i := bytes.IndexByte(n.firsts, text[0])
	if i < 0 || !strings.HasPrefix(text, n.children[i].label) {
		return nil
	}
	return n.children[i]
}
