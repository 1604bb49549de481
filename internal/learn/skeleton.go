package learn

import "strings"

// skeleton is a path whose typed parts are taken out: what paths have in common
// that may become one pattern.
type skeleton struct {
	text   string // with a class byte in place of each part
	values []string
}

// maxPlaces bounds the typed parts of one path: a pattern may not have many.
const maxPlaces = 8

// skeletonOf takes the typed parts out of a path, but for those that name an
// owner or a tenant.
func skeletonOf(path string, tenants tenants) skeleton {
	if !hasTyped(path) {
		return skeleton{text: path}
	}
	var s skeleton
	var b strings.Builder
	segments := strings.Split(path[1:], "/")
	named := tenants.in(segments)
	for i, segment := range segments {
		b.WriteByte('/')
		if named>>min(i, 63)&1 == 1 {
			b.WriteString(segment)
			continue
		}
		for at := 0; at < len(segment); {
			c, n := classAt(segment, at)
			// What comes first in a path tells its tenants apart.
			if c == classNone || len(s.values) == maxPlaces || i == 0 && (c == classInt || c == classSHA || c == classUUID) {
				n = max(n, 1)
				b.WriteString(segment[at : at+n])
			} else {
				b.WriteByte(byte(c))
				s.values = append(s.values, segment[at:at+n])
			}
			at += n
		}
	}
	s.text = b.String()
	return s
}

// hasTyped is a quick look: no type goes without a digit.
func hasTyped(path string) bool { return len(path) > 1 && strings.ContainsAny(path, "0123456789") }

// kin are paths with one skeleton.
type kin struct {
	skeleton string
	places   []values
	paths    int
	example  string // the least path
}

// values are what was seen at one place.
type values struct {
	only  string // the value while there is one
	many  bool
	dates bool // all of them are dates
}

func (k *kin) add(path string, s skeleton) {
	if k.places == nil {
		k.skeleton, k.example = s.text, path
		k.places = make([]values, len(s.values))
		for i, v := range s.values {
			k.places[i] = values{only: v, dates: isDate(v)}
		}
	}
	for i, v := range s.values {
		p := &k.places[i]
		p.many = p.many || v != p.only
		p.dates = p.dates && isDate(v)
	}
	k.paths++
	k.example = min(k.example, path)
}

// differ reports whether more than one value was seen at any place.
func (k *kin) differ() bool {
	for _, p := range k.places {
		if p.many {
			return true
		}
	}
	return false
}

// pattern writes a word where values differ, and the value where there is one.
func (k *kin) pattern() string {
	var b strings.Builder
	place := 0
	for i := range len(k.skeleton) {
		c := class(k.skeleton[i])
		if c >= classes {
			b.WriteByte(k.skeleton[i])
			continue
		}
		if p := k.places[place]; p.many {
			b.WriteString(c.word(p.dates))
		} else {
			b.WriteString(p.only)
		}
		place++
	}
	return b.String()
}

// covers reports whether the pattern matches the path of s, which is of the kin.
func (k *kin) covers(s skeleton) bool {
	for i, p := range k.places {
		if !p.many && s.values[i] != p.only {
			return false
		}
	}
	return true
}
