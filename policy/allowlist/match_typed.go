package allowlist

import "math/bits"

// typed reports whether a part of the pattern is a word in braces.
func (pat *pattern) typed() bool {
	for i := range pat.parts {
		if pat.parts[i].kind.typed() {
			return true
		}
	}
	return false
}

// positions is a set of offsets in a text.
type positions []uint64

func (p positions) add(n int) { p[n/64] |= 1 << (n % 64) }

// next returns the least offset that is n or more, or -1.
func (p positions) next(n int) int {
	for i := n / 64; i < len(p); i++ {
		if word := p[i] >> (n % 64); word != 0 {
			return n + bits.TrailingZeros64(word)
		}
		n = (i + 1) * 64
	}
	return -1
}

// runTyped is run for patterns with typed parts, whose texts are of several
// lengths and no others: the leftmost place for each part is not enough. It keeps
// every offset at which a part may begin, and goes through the parts once, without
// going back: any way to take the text apart is found, whatever stands around.
func (m *matcher) runTyped() (matched, known bool) {
	var space [2][64]uint64 // for most paths, so that nothing is allocated
	size := len(m.text)/64 + 1
	from, to := positions(space[0][:min(size, 64)]), positions(space[1][:min(size, 64)])
	if size > len(from) {
		from, to = make(positions, size), make(positions, size)
	}
	from.add(0)
	for i := range m.parts {
		clear(to)
		if m.parts[i].kind.typed() {
			matched = m.typedPart(i, from, to)
		} else {
			matched = m.starPart(i, from, to)
		}
		if matched || m.steps > maxSteps {
			return matched, matched
		}
		from, to = to, from
	}
	return false, true
}

// typedPart adds to to where the part behind part i, which is typed, may begin,
// and reports whether it is the last and matches.
func (m *matcher) typedPart(i int, from, to positions) bool {
	for pos := from.next(0); pos >= 0; pos = from.next(pos + 1) {
		if m.steps += maxTyped / 8; m.steps > maxSteps {
			return false
		}
		ls := m.lengths(i, pos)
		for n := ls.next(1); n > 0; n = ls.next(n + 1) {
			m.steps++
			if end, ok := m.literal(i, pos+n); ok {
				if i == len(m.parts)-1 {
					return true
				}
				to.add(end)
			}
		}
	}
	return false
}

// starPart is typedPart for * and **.
func (m *matcher) starPart(i int, from, to positions) bool {
	deep := m.parts[i].kind == kindDeep
	for pos := from.next(0); pos >= 0; {
		if m.steps++; m.steps > maxSteps {
			return false
		}
		if end, ok := m.literal(i, pos); ok {
			if i == len(m.parts)-1 {
				return true
			}
			to.add(end)
		}
		switch {
		case pos >= len(m.text):
			return false
		case m.slash(pos) && !deep:
			pos = from.next(pos + 1)
		default:
			pos = m.next(pos)
		}
	}
	return false
}

// lengths returns the lengths that the typed part i may have at pos.
func (m *matcher) lengths(i, pos int) lengths {
	if m.stands && pos < len(m.text) && m.text[pos] == m.parts[i].kind.stand() {
		var one lengths
		one.add(1)
		return one
	}
	return m.parts[i].kind.lengths(m.text[pos:])
}

// stand is a byte that stands for a part of the kind where patterns are compared
// with each other: one that no path has and no kind holds.
func (k partKind) stand() byte { return byte(k) }
