package allowlist

import (
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// form is a way to spell a path for comparison. Allow and log rules compare
// exact paths only.
type form uint8

const (
	exact     form = iota // as in policy.Request
	once                  // unescaped, in lower case, repeated and trailing slashes removed
	onceBare              // and without the parameters of segments
	often                 // as once, but unescaped until nothing changes
	oftenBare             // as onceBare, but unescaped until nothing changes
	forms
)

// rounds is how often the form is unescaped at most; policy.CanonicalPath looks
// through as many.
func (f form) rounds() int {
	if f >= often {
		return 3
	}
	return 1
}

// respell returns path in form f.
func respell(path string, f form) string {
	if f == exact {
		return path
	}
	path = lower(unescape(path, f.rounds()))
	if f == onceBare || f == oftenBare {
		path = policy.CutParameters(path)
	}
	return strings.TrimSuffix(policy.CollapseSlashes(path), "/")
}

// unescape undoes percent-encoding. Broken escapes stay.
func unescape(path string, rounds int) string {
	for range rounds {
		plain := policy.Unescape(path)
		if plain == path {
			break
		}
		path = plain
	}
	return path
}

// lower returns path with its ASCII letters in lower case: code hosts, and servers on
// Windows, tell no case apart. Bytes that are no UTF-8 stay what they are.
func lower(path string) string {
	isUpper := func(c rune) bool { return 'A' <= c && c <= 'Z' }
	if strings.IndexFunc(path, isUpper) < 0 {
		return path
	}
	b := []byte(path)
	for i, c := range b {
		if isUpper(rune(c)) {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// loose returns the forms in which the pattern of a deny rule is compared
// besides exactly, and the pattern in each. A pattern that names parameters is
// compared with paths that keep theirs.
func (pat *pattern) loose() map[form]pattern {
	out := map[form]pattern{}
	for _, f := range []form{once, often} {
		loose := pattern{prefix: policy.CollapseSlashes(lower(unescape(pat.prefix, f.rounds())))}
		last := &loose.prefix
		parameters := strings.Contains(loose.prefix, ";")
		loose.parts = slices.Clone(pat.parts)
		for i := range loose.parts {
			last = &loose.parts[i].literal
			*last = policy.CollapseSlashes(lower(unescape(*last, f.rounds())))
			parameters = parameters || strings.Contains(*last, ";")
		}
		*last = strings.TrimSuffix(*last, "/")
		if !parameters {
			f++ // the bare form
		}
		out[f] = loose
	}
	return out
}
