package allowlist

import "strings"

// maxSteps bounds the work of one pattern on one path: some milliseconds, which
// only a path made to be slow takes.
const maxSteps = 1 << 20

// match reports whether the whole of path matches. Where a path is in its
// canonical form, encoded is true, and an escape is one character that a star
// takes whole or not at all; the encoded slash is a slash to it. The second
// result is false when the work was too much to know.
func (pat *pattern) match(path string, encoded bool) (matched, known bool) {
	return pat.compare(matcher{text: path, encoded: encoded})
}

// compare is match for a matcher that has no parts yet.
func (pat *pattern) compare(m matcher) (matched, known bool) {
	rest, ok := strings.CutPrefix(m.text, pat.prefix)
	if !ok {
		return false, true
	}
	if len(pat.parts) == 0 {
		return rest == "", true
	}
	if !strings.HasSuffix(rest, pat.suffix()) {
		return false, true
	}
	m.parts, m.text = pat.parts, rest
	if pat.typed() {
		return m.runTyped()
	}
	return m.run()
}

// matcher compares a text with the parts of a pattern.
type matcher struct {
	parts   []part
	text    string
	encoded bool
	stands  bool // the text holds bytes that stand for parts, see covers
	steps   int  // of runTyped
}

// run finds the leftmost place for each star. Going back to the last star of each
// kind is enough: an earlier * cannot help, since it could not take a slash that
// the last one stopped at, and the leftmost place of what stands before a ** leaves
// it the most room.
func (m *matcher) run() (matched, known bool) {
	pos, i := 0, 0
	shallow, shallowAt := -1, 0
	deep, deepAt := -1, 0
	retry := false
	for range maxSteps {
		switch {
		case retry:
		case m.parts[i].kind == kindDeep:
			deep, deepAt, shallow = i, pos, -1
		default:
			shallow, shallowAt = i, pos
		}
		if end, ok := m.literal(i, pos); ok {
			if i == len(m.parts)-1 {
				return true, true
			}
			pos, i, retry = end, i+1, false
			continue
		}
		retry = true
		switch {
		case shallow >= 0 && !m.slash(shallowAt) && shallowAt < len(m.text):
			shallowAt = m.next(shallowAt)
			pos, i = shallowAt, shallow
		case deep >= 0 && deepAt < len(m.text):
			deepAt, shallow = m.next(deepAt), -1
			pos, i = deepAt, deep
		default:
			return false, true
		}
	}
	return false, false
}

// literal reports whether the literal of part i stands at pos; the last one
// must also end the text.
func (m *matcher) literal(i, pos int) (end int, ok bool) {
	lit := m.parts[i].literal
	end = pos + len(lit)
	if i == len(m.parts)-1 {
		// The last literal is known to end the text.
		return end, end == len(m.text) || m.parts[i].kind == kindDeep && lit == ""
	}
	return end, strings.HasPrefix(m.text[pos:], lit)
}

// slash reports whether a slash stands at pos, plain or encoded.
func (m *matcher) slash(pos int) bool {
	if pos >= len(m.text) {
		return false
	}
	if m.text[pos] == '/' {
		return true
	}
	return m.encoded && pos+2 < len(m.text) && m.text[pos] == '%' && m.text[pos+1] == '2' && m.text[pos+2]|0x20 == 'f'
}

// next returns the position behind the character at pos.
func (m *matcher) next(pos int) int {
	if m.encoded && m.text[pos] == '%' {
		return min(pos+3, len(m.text))
	}
	return pos + 1
}
