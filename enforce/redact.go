package enforce

import "strings"

// redacted stands where a secret stood.
const redacted = "REDACTED"

// RedactURL returns raw with its secrets replaced by REDACTED and every other
// byte as it was: passwords of userinfo, query parameters that are secret by
// their name or look random, and tokens that can be told by how they begin,
// wherever they stand. raw may be any part of a URL, or a line with a URL in it.
// When there is nothing to hide it returns raw itself and allocates nothing.
//
// It is a filter for logs, not proof that nothing secret is left: a secret that
// has no name and looks like a word stays.
func RedactURL(raw string) string { return redact(raw, false, 0) }

// RedactText is RedactURL for free text, such as an error: it finds URLs in it,
// and secrets after their name and a colon or an equals sign, or after the word
// Bearer or Basic.
func RedactText(s string) string { return redact(s, true, 0) }

// RedactHeader returns a copy of h without its secrets: whole values of fields
// that carry credentials, save the scheme ("Bearer REDACTED"), and in other
// fields what RedactText hides.
func RedactHeader(h map[string][]string) map[string][]string {
	if h == nil {
		return nil
	}
	out := make(map[string][]string, len(h))
	for name, values := range h {
		secret := secretHeader(name)
		copied := make([]string, len(values))
		for i, v := range values {
			if secret {
				copied[i] = redactCredentials(v)
			} else {
				copied[i] = RedactText(v)
			}
		}
		out[name] = copied
	}
	return out
}

// redactCredentials hides v but for an authentication scheme that it begins with.
func redactCredentials(v string) string {
	if n := schemeLen(v); n > 0 {
		return v[:n] + redacted
	}
	if v == "" {
		return ""
	}
	return redacted
}

// schemeLen returns the length of the authentication scheme that s begins with,
// its space included, and 0 where there is none. Only known schemes count: an
// unknown first word may be the secret itself.
func schemeLen(s string) int {
	word, _, ok := strings.Cut(s, " ")
	if !ok {
		return 0
	}
	for _, scheme := range [...]string{
		"Bearer", "Basic", "Digest", "Token", "Negotiate", "NTLM", "DPoP", "OAuth", "Hawk", "Mutual", "ApiKey",
		"GoogleLogin", "AWS4-HMAC-SHA256", "SharedKey", "SharedAccessSignature", "PrivateToken", "vapid",
	} {
		if strings.EqualFold(word, scheme) {
			return len(word) + 1
		}
	}
	return 0
}

// masker walks over s once, from left to right, and hides ranges on its way.
type masker struct {
	s     string
	text  bool // s is prose: blanks and quotes end a URL, and names announce secrets
	depth int  // how many layers of percent-encoding were taken off
	out   []byte
	last  int // everything before it is in out, once anything was hidden

	nextAt, nextBlank int // see pastedAt
}

func redact(s string, text bool, depth int) string {
	m := masker{s: s, text: text, depth: depth}
	i := 0
	if !text {
		i = m.leadingAuthority()
	}
	for i < len(s) {
		i = m.step(i)
	}
	if m.last == 0 {
		return s
	}
	return string(append(m.out, s[m.last:]...))
}

// hide replaces s[from:to], less what is hidden already.
func (m *masker) hide(from, to int) {
	from = max(from, m.last)
	if from >= to || m.s[from:to] == redacted {
		return
	}
	m.out = append(m.out, m.s[m.last:from]...)
	m.out = append(m.out, redacted...)
	m.last = to
}

// step looks at what begins at i and returns where to go on.
func (m *masker) step(i int) int {
	switch c := m.s[i]; c {
	case ':', '=':
		if strings.HasPrefix(m.s[i:], "://") {
			return m.authority(i+3, true)
		}
		if m.text {
			return m.field(i)
		}
	case '?', '&', ';', '#':
		return m.parameter(i + 1)
	case ' ':
		if m.text {
			return m.credentials(i + 1)
		}
	default:
		if end := tokenEnd(m.s, i); end > i {
			m.hide(i, end)
			return end
		}
	}
	return i + 1
}

// tokens hides the tokens in s[from:to].
func (m *masker) tokens(from, to int) {
	for i := from; i < to; {
		end := tokenEnd(m.s, i)
		if end == i {
			i++
			continue
		}
		m.hide(i, min(end, to))
		i = end
	}
}
