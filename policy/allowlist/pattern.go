package allowlist

import (
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// pattern is a path pattern: a literal, then stars and typed parts with a literal
// behind each.
type pattern struct {
	prefix string
	parts  []part
}

type part struct {
	kind    partKind
	literal string
}

// fault is what is wrong with a pattern, and where.
type fault struct {
	offset        int
	message, hint string
}

const (
	maxPattern = policy.MaxPattern
	maxStars   = 16

	// A private-use character stands for each star and each typed part while the
	// literal parts are canonicalised, and this is its encoding in a canonical path.
	star        = "\ue000"
	encodedStar = "%EE%80%80"
)

// compile reads a path pattern and canonicalises its literal parts.
func compile(text string) (pattern, *fault) {
	if f := checkPattern(text); f != nil {
		return pattern{}, f
	}
	marked, kinds, f := markParts(text)
	if f != nil {
		return pattern{}, f
	}
	canonical, err := policy.CanonicalPath(marked)
	if err != nil {
		return pattern{}, &fault{message: "path " + quoted(text) + ": " + err.Error(), hint: "write the path as a server would see it"}
	}
	return split(canonical, kinds), nil
}

func checkPattern(text string) *fault {
	const noRegexp = "a path is no regular expression: write * for any run in a segment, ** across segments"
	if strings.HasPrefix(text, "^") {
		return &fault{message: "path " + quoted(text) + " begins with a caret", hint: noRegexp}
	}
	if i := strings.IndexByte(text, '\\'); i >= 0 {
		return &fault{i, "a backslash in a path", noRegexp + "; what is between segments is a slash"}
	}
	if _, rest, isURL := strings.Cut(text, "://"); isURL && !strings.HasPrefix(text, "/") {
		host, path, _ := strings.Cut(rest, "/")
		return &fault{message: "path " + quoted(text) + " is a URL", hint: "write /" + path + ", and host: " + host}
	}
	if !strings.HasPrefix(text, "/") {
		return &fault{message: "path " + quoted(text) + " does not begin with a slash", hint: "write /" + strings.TrimLeft(text, "/")}
	}
	if len(text) > maxPattern {
		return &fault{message: "path is too long", hint: "a path may have 4096 bytes"}
	}
	if i := strings.Index(text, " /"); i >= 0 {
		return &fault{i, "two paths in one", "put a comma between them; a blank that is meant is written %20"}
	}
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		return &fault{i, "a path has no query and no fragment", "remove " + quoted(text[i:]) + "; a rule covers every query, or only what its key query lists"}
	}
	if i := strings.IndexAny(text, "[]"); i >= 0 {
		return noPattern(text, i)
	}
	if i := strings.Index(text, "***"); i >= 0 {
		return &fault{i, "three stars", "write * within a segment, ** across segments"}
	}
	if strings.Count(text, "*")+strings.Count(text, "{") > maxStars {
		return &fault{message: "path has too many stars", hint: "write several patterns"}
	}
	if holdsMark(text) {
		return &fault{message: "path holds a private-use character", hint: "write * in its place"}
	}
	return nil
}

func noPattern(text string, i int) *fault {
	return &fault{i, quoted(text[i:i+1]) + " is no pattern here", "only *, ** and {" + strings.Join(typedNames(), "}, {") + "} are; the character itself is written percent-encoded"}
}

// holdsMark reports whether text spells the private-use character.
func holdsMark(text string) bool {
	return strings.Contains(text, star) || strings.Contains(text, "%") && strings.Contains(strings.ToUpper(text), encodedStar)
}

// markParts puts the private-use character where stars and typed parts stand, and
// returns what they are, in order.
func markParts(text string) (marked string, kinds []partKind, f *fault) {
	if !strings.ContainsAny(text, "*{}") {
		return text, nil, nil
	}
	var b strings.Builder
	b.Grow(len(text) + len(star)*maxStars)
	kinds = make([]partKind, 0, maxStars)
	for i := 0; i < len(text); i++ {
		k := kindStar
		switch text[i] {
		case '*':
			if strings.HasPrefix(text[i:], "**") {
				k = kindDeep
				i++
			}
		case '{':
			if k, f = readTyped(text, i); f != nil {
				return "", nil, f
			}
			i += len(k.String()) - 1
		case '}':
			return "", nil, noPattern(text, i)
		default:
			b.WriteByte(text[i])
			continue
		}
		b.WriteString(star)
		kinds = append(kinds, k)
	}
	return b.String(), kinds, nil
}

// split takes a canonical path with encoded marks apart.
func split(canonical string, kinds []partKind) pattern {
	pat := pattern{parts: make([]part, len(kinds))}
	pat.prefix, canonical, _ = strings.Cut(canonical, encodedStar)
	for i, k := range kinds {
		pat.parts[i].kind = k
		pat.parts[i].literal, canonical, _ = strings.Cut(canonical, encodedStar)
	}
	return pat
}

// suffix is the literal at the end of a pattern with stars.
func (pat *pattern) suffix() string { return pat.parts[len(pat.parts)-1].literal }
