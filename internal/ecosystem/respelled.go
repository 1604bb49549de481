package ecosystem

import (
	"iter"
	"strings"
)

// Respelled yields the packages of registered registries, and the registries, that
// the request names to a server that reads its path otherwise than it is written:
// unescaped once or more often, without the parameters of segments, without
// repeated slashes (nginx merges them, Tomcat cuts parameters off, most servers
// unescape before they look), or without its query. They must not earn the request anything, for another
// server reads something else; they are what a rule that denies is to be asked
// about. It yields nothing for nearly every request.
func (r *Recognizer) Respelled(q Query) iter.Seq2[string, string] {
	return func(yield func(purl, registry string) bool) {
		if r == nil || !q.reads() || q.RawQuery == "" && !strings.ContainsAny(q.Path, "%;") && !strings.Contains(q.Path, "//") {
			return
		}
		seen := map[string]bool{}
		if written, registry := r.Identify(q); registry != "" {
			seen[written] = true
		}
		q.RawQuery = "" // see grammar.elsewhere
		path := q.Path
		for range 4 {
			for _, q.Path = range [...]string{collapse(path), collapse(cutParameters(path))} {
				purl, registry := r.Identify(q)
				if registry == "" || seen[purl] {
					continue
				}
				seen[purl] = true
				if !yield(purl, registry) {
					return
				}
			}
			plain := decodeAll(path)
			if plain == path {
				return
			}
			path = plain
		}
	}
}

// decodeAll undoes one percent-encoding of a whole path. Broken escapes stay.
func decodeAll(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) && isHexDigit(path[i+1]) && isHexDigit(path[i+2]) {
			b.WriteString(decode(path[i : i+3]))
			i += 2
			continue
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

func isHexDigit(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// cutParameters removes ";" and what follows it from each segment (RFC 3986 section
// 3.3).
func cutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// collapse makes one slash of several.
func collapse(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}
