package enforce

import "strings"

// field hides the value of a name that stands before the colon or the equals
// sign at i, as in "X-Api-Key: …", `"password": "…"` and "NPM_TOKEN=…", and
// returns where to go on.
func (m *masker) field(i int) int {
	nameEnd := i
	for nameEnd > 0 && strings.IndexByte("\"'\\ ", m.s[nameEnd-1]) >= 0 && i-nameEnd < 4 {
		nameEnd--
	}
	nameStart := nameEnd
	for nameStart > 0 && nameEnd-nameStart < maxName && (isAlnum(m.s[nameStart-1]) || strings.IndexByte("-_.", m.s[nameStart-1]) >= 0) {
		nameStart--
	}
	if !secretField(m.s[nameStart:nameEnd]) {
		return i + 1
	}
	start := i + 1
	for start < len(m.s) && strings.IndexByte(" \t[\\", m.s[start]) >= 0 {
		start++
	}
	stops := " \t\r\n,)]}<>\"'`"
	if start < len(m.s) && strings.IndexByte("\"'`", m.s[start]) >= 0 {
		stops = m.s[start : start+1]
		start++
	}
	if n := schemeLen(m.s[start:min(len(m.s), start+maxName)]); n > 0 {
		start += n
		if len(stops) > 1 {
			stops = "\r\n" // a list may follow, to the end of the line
		}
	}
	end := start
	for end < len(m.s) && strings.IndexByte(stops, m.s[end]) < 0 {
		end++
	}
	m.hide(start, end)
	return end
}

// credentials hides what follows the word Bearer or Basic before i-1, where it
// is too long for a word of the sentence, and returns where to go on.
func (m *masker) credentials(i int) int {
	const scheme = len("Bearer")
	before := m.s[max(0, i-1-scheme) : i-1]
	if !strings.EqualFold(before, "bearer") && !(len(before) >= 5 && strings.EqualFold(before[len(before)-5:], "basic")) {
		return i
	}
	end := i
	for end < len(m.s) && (isAlnum(m.s[end]) || strings.IndexByte("-._~+/=", m.s[end]) >= 0) { // token68, RFC 9110 section 11.2
		end++
	}
	if end-i < 16 {
		return i
	}
	m.hide(i, end)
	return end
}
