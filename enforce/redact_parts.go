package enforce

import "strings"

// maxDepth is how many layers of percent-encoding are looked through.
const maxDepth = 3

// leadingAuthority handles an authority that s begins with although it has no
// scheme ("user:password@host:443", "//user:password@host/").
func (m *masker) leadingAuthority() int {
	if strings.HasPrefix(m.s, "//") {
		return m.authority(2, false)
	}
	end := m.find(0, "/?#\\")
	if colon, at := strings.IndexByte(m.s[:end], ':'), strings.LastIndexByte(m.s[:end], '@'); colon >= 0 && colon < at {
		return m.authority(0, false)
	}
	return 0
}

// authority hides the userinfo of the authority that begins at from and returns
// where to go on. Per RFC 3986 section 3.2 it ends at a slash, a question mark or
// a number sign; the last @ in it ends the userinfo, as browsers have it. After a
// scheme, a password that was pasted in with such a character unescaped is found
// by the port that is none.
func (m *masker) authority(from int, afterScheme bool) int {
	end := m.find(from, "/?#\\")
	at := strings.LastIndexByte(m.s[from:end], '@')
	if at < 0 && afterScheme && hasOddPort(m.s[from:end]) {
		at = m.pastedAt(end) - from
	}
	if at < 0 {
		return from
	}
	at += from
	user, _, hasPassword := strings.Cut(m.s[from:at], ":")
	colon := from + len(user)
	m.tokens(from, colon)
	// A name that looks random, or that comes with an empty password, is a token
	// put where the name goes.
	if looksRandom(user) || hasPassword && colon+1 == at {
		m.hide(from, colon)
	}
	m.hide(colon+1, at)
	return at
}

// pastedAt returns the index of the next @ from i on that is still in the same
// URL, and -1 where there is none. It remembers what it found: i only grows.
func (m *masker) pastedAt(i int) int {
	if m.nextAt <= i {
		m.nextAt = len(m.s)
		if n := strings.IndexByte(m.s[i:], '@'); n >= 0 {
			m.nextAt = i + n
		}
	}
	if m.nextBlank <= i {
		m.nextBlank = m.find(i, "")
	}
	if m.nextAt >= m.nextBlank {
		return -1
	}
	return m.nextAt
}

// hasOddPort reports whether what stands behind the host is not a number.
func hasOddPort(authority string) bool {
	host := authority[strings.LastIndexByte(authority, ']')+1:]
	_, port, ok := strings.Cut(host, ":")
	return ok && strings.Trim(port, "0123456789") != ""
}

// parameter hides the value of the query parameter that begins at from, where
// it is secret, and returns where to go on. A semicolon separates parameters for
// some servers and not for others: it ends what is looked at, and does not end
// what is hidden.
func (m *masker) parameter(from int) int {
	end := m.find(from, "&;?#")
	name, value, hasValue := strings.Cut(m.s[from:end], "=")
	if !hasValue {
		if looksRandom(name) {
			m.hide(from, end)
			return end
		}
		return from
	}
	start := from + len(name) + 1
	m.tokens(from, start-1)
	switch {
	case secretParameter(name):
		end = m.find(from, "&#")
		m.hide(start, end)
		return end
	case looksRandom(value), m.wraps(value):
		m.hide(start, end)
		return end
	default:
		return start
	}
}

// wraps reports whether value has secrets in it once percent-encoding is taken
// off, as the address to return to in a login has.
func (m *masker) wraps(value string) bool {
	if m.depth >= maxDepth || !conceals(value) {
		return false
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) {
			if c, ok := unhexByte(value[i+1], value[i+2]); ok {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(value[i])
	}
	decoded := b.String()
	return redact(decoded, m.text, m.depth+1) != decoded
}

// conceals reports whether a percent-encoded byte of v could hide what is looked
// for: an equals or an at sign, a percent sign, a character of a token.
func conceals(v string) bool {
	for i := strings.IndexByte(v, '%'); i >= 0 && i+2 < len(v); i++ {
		if v[i] != '%' {
			continue
		}
		if c, ok := unhexByte(v[i+1], v[i+2]); ok && (isAlnum(c) || strings.IndexByte("=@%_-.", c) >= 0) {
			return true
		}
	}
	return false
}

// find returns the index of the first of stops at or after from; in text, a
// blank, a quote or an angle bracket stops too.
func (m *masker) find(from int, stops string) int {
	for i := from; i < len(m.s); i++ {
		c := m.s[i]
		if strings.IndexByte(stops, c) >= 0 || m.text && (c <= ' ' || c == '"' || c == '<' || c == '>' || c == '`') {
			return i
		}
	}
	return len(m.s)
}
