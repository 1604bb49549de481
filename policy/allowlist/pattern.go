package allowlist

import (
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// pattern is a path pattern: a literal, then stars with a literal behind each.
type pattern struct {
	prefix string
	parts  []part
}

type part struct {
	deep    bool // **
	literal string
}

// fault is what is wrong with a pattern, and where.
type fault struct {
	offset        int
	message, hint string
}

const (
	maxPattern = 4096
	maxStars   = 16

	// Two private-use characters stand for the stars while the literal parts are
	// canonicalised, and these are their encodings in a canonical path.
	star, deepStar               = "\ue000", "\ue001"
	encodedStar, encodedDeepStar = "%EE%80%80", "%EE%80%81"
)

// compile reads a path pattern and canonicalises its literal parts.
func compile(text string) (pattern, *fault) {
	if f := checkPattern(text); f != nil {
		return pattern{}, f
	}
	marked := strings.ReplaceAll(strings.ReplaceAll(text, "**", deepStar), "*", star)
	canonical, err := policy.CanonicalPath(marked)
	if err != nil {
		return pattern{}, &fault{message: "path " + quoted(text) + ": " + err.Error(), hint: "write the path as a server would see it"}
	}
	return split(canonical), nil
}

func checkPattern(text string) *fault {
	if !strings.HasPrefix(text, "/") {
		return &fault{message: "path " + quoted(text) + " does not begin with a slash", hint: "write /" + strings.TrimLeft(text, "/")}
	}
	if len(text) > maxPattern {
		return &fault{message: "path is too long", hint: "a path may have 4096 bytes"}
	}
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		return &fault{i, "a path has no query and no fragment", "remove " + quoted(text[i:]) + "; a rule covers every query, or only what its key query lists"}
	}
	if i := strings.IndexAny(text, "[]{}"); i >= 0 {
		return &fault{i, quoted(text[i:i+1]) + " is no pattern here", "only * and ** are; the character itself is written percent-encoded"}
	}
	if i := strings.Index(text, "***"); i >= 0 {
		return &fault{i, "three stars", "write * within a segment, ** across segments"}
	}
	if strings.Count(text, "*") > maxStars {
		return &fault{message: "path has too many stars", hint: "write several patterns"}
	}
	if holdsMark(text) {
		return &fault{message: "path holds a private-use character", hint: "write * in its place"}
	}
	return nil
}

// holdsMark reports whether text spells one of the private-use characters.
func holdsMark(text string) bool {
	if strings.Contains(text, star) || strings.Contains(text, deepStar) {
		return true
	}
	if !strings.Contains(text, "%") {
		return false
	}
	upper := strings.ToUpper(text)
	return strings.Contains(upper, encodedStar) || strings.Contains(upper, encodedDeepStar)
}

// split takes a canonical path with encoded stars apart.
func split(canonical string) pattern {
	var pat pattern
	rest := canonical
	i := nextStar(rest)
	pat.prefix, rest = rest[:i], rest[i:]
	for rest != "" {
		p := part{deep: strings.HasPrefix(rest, encodedDeepStar)}
		rest = rest[len(encodedStar):]
		i = nextStar(rest)
		p.literal, rest = rest[:i], rest[i:]
		pat.parts = append(pat.parts, p)
	}
	return pat
}

// nextStar returns the offset of the first encoded star, or the length of s.
func nextStar(s string) int {
	const common = "%EE%80%8"
	i := 0
	for {
		j := strings.Index(s[i:], common)
		if j < 0 || i+j+len(encodedStar) > len(s) {
			return len(s)
		}
		i += j
		if last := s[i+len(common)]; last == '0' || last == '1' {
			return i
		}
		i += len(common)
	}
}

// suffix is the literal at the end of a pattern with stars.
func (pat *pattern) suffix() string { return pat.parts[len(pat.parts)-1].literal }
