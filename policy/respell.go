package policy

import "strings"

// What servers do to a path before they look it up: nginx merges slashes, Tomcat
// cuts parameters off, most unescape. A path that was changed so must not earn a
// request anything; it is what a rule that denies is to be compared with.

// Unescape undoes one percent-encoding of a whole path (RFC 3986 section 2.1).
// Broken escapes stay.
func Unescape(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			b.WriteByte(unhex(path[i+1])<<4 | unhex(path[i+2]))
			i += 2
			continue
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// CutParameters removes ";" and what follows it from each segment of a path (RFC
// 3986 section 3.3).
func CutParameters(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// CollapseSlashes makes one slash of several.
func CollapseSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}
