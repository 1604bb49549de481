package learn

import "strings"

// versionAt returns the length of the version that begins at i: an optional v,
// numbers with dots between them, and what is known to stand behind them before
// and after a release. A single number is one only as a whole segment that
// begins with v.
func versionAt(segment string, i int) (class, int) {
	rest := segment[i:]
	v := 0
	if rest[0] == 'v' {
		v = 1
	}
	n := digits(rest[v:])
	if n == 0 {
		return classNone, 0
	}
	if v == 1 && i == 0 && v+n == len(rest) && n < 20 {
		return classVersion, v + n
	}
	end, dots := v+n, 0
	for end < len(rest) && rest[end] == '.' {
		n = digits(rest[end+1:])
		if n == 0 || isLetterAt(rest, end+1+n) && preRelease(rest[end+1+n:]) == 0 {
			break // 1.2.7z is the version 1.2 of an archive
		}
		end += 1 + n
		dots++
	}
	if dots == 0 || v == 0 && isAddress(rest[:end]) {
		return classNone, 0
	}
	for range 3 {
		end += preRelease(rest[end:])
	}
	if end > 64 {
		return classNone, 0
	}
	return classVersion, end
}

// preRelease returns the length of what stands behind the numbers of a version:
// rc1, -beta.2, .post3, -SNAPSHOT, -1, +7.
func preRelease(s string) int {
	sep := 0
	if s != "" && strings.IndexByte("-._~+", s[0]) >= 0 {
		sep = 1
	}
	letters := sep
	for isLetterAt(s, letters) {
		letters++
	}
	if letters == sep { // a revision
		n := digits(s[sep:])
		if sep == 0 || n == 0 || s[0] == '.' || s[0] == '_' || isWordAt(s, sep+n) {
			return 0
		}
		return sep + n
	}
	switch strings.ToLower(s[sep:letters]) {
	case "a", "alpha", "b", "beta", "c", "rc", "cr", "pre", "preview", "dev", "post", "snapshot", "nightly", "canary", "m", "final", "release", "ga", "sp":
	default:
		return 0
	}
	end := letters
	if n := digits(s[end:]); n > 0 {
		end += n
	} else if end < len(s) && (s[end] == '.' || s[end] == '-') {
		if n := digits(s[end+1:]); n > 0 {
			end += 1 + n
		}
	}
	if isWordAt(s, end) {
		return 0
	}
	return end
}
