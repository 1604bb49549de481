package allowlist

import "bytes"

// insert puts p at key, below n.
func (n *node) insert(key string, p place) {
	for key != "" {
		i := bytes.IndexByte(n.firsts, key[0])
		if i < 0 {
			child := &node{label: key}
			n.firsts = append(n.firsts, key[0])
			n.children = append(n.children, child)
			child.places = append(child.places, p)
			return
		}
		child := n.children[i]
		common := commonPrefix(child.label, key)
		if common < len(child.label) {
			child = child.split(common)
			n.children[i] = child
		}
		n, key = child, key[common:]
	}
	n.places = append(n.places, p)
}

// split puts a node in front of n that takes the first at bytes of its label.
func (n *node) split(at int) *node {
	front := &node{label: n.label[:at], firsts: []byte{n.label[at]}, children: []*node{n}}
	n.label = n.label[at:]
	return front
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
