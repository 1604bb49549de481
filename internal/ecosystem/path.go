package ecosystem

import (
	"net/url"
	"strings"

	"golang.org/x/mod/semver"
)

// first cuts the first segment off a relative path. more is false when no slash
// followed it.
func first(path string) (segment, rest string, more bool) {
	return strings.Cut(path, "/")
}

// last cuts the last segment off a path; dir keeps no slash at its end.
func last(path string) (dir, segment string, more bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// lastIndex is strings.LastIndex, which is slow where there is nothing, as in
// most paths that every request is asked about.
func lastIndex(path, mark string) int {
	if !strings.Contains(path, mark) {
		return -1
	}
	return strings.LastIndex(path, mark)
}

// decode removes the percent-encoding of one segment. It returns "", which is no
// name of anything, when that is broken.
func decode(segment string) string {
	if strings.IndexByte(segment, '%') < 0 {
		return segment
	}
	s, err := url.PathUnescape(segment)
	if err != nil {
		return ""
	}
	return s
}

// isWord reports whether s begins with an ASCII letter or digit and goes on with
// those and the bytes of also. Every name and version that leaves this package
// is such a word, so none can hold a slash, a star, a space, a control character
// or a dot segment. A word has at most 255 bytes.
func isWord(s, also string) bool {
	if s == "" || len(s) > 255 || !isAlnum(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isAlnum(s[i]) && strings.IndexByte(also, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isSemver reports whether s is a whole version by Semantic Versioning 2.0.0,
// without a leading v.
func isSemver(s string) bool {
	core, _, _ := strings.Cut(s, "+")
	return len(s) <= 255 && semver.Canonical("v"+s) == "v"+core
}

// trimOneSuffix removes the first of suffixes that s ends in. Each of them begins
// with a dot.
func trimOneSuffix(s string, suffixes ...string) (string, bool) {
	if strings.IndexByte(s, '.') < 0 {
		return s, false // as most paths that every request is asked about
	}
	for _, suffix := range suffixes {
		if t, ok := strings.CutSuffix(s, suffix); ok {
			return t, true
		}
	}
	return s, false
}
