package allowlist

import (
	"net/url"
	"strings"

	"github.com/package-url/packageurl-go"
)

// canonicalPackage parses a purl and brings its name into the form in which its
// registry compares names.
func canonicalPackage(text string) (packageurl.PackageURL, error) {
	purl, err := packageurl.FromString(text)
	if err != nil {
		return purl, err
	}
	switch purl.Type {
	case packageurl.TypePyPi:
		purl.Name = normalizePython(purl.Name)
	case packageurl.TypeCargo: // the sparse index knows lower case only
		purl.Name = strings.ToLower(purl.Name)
	case packageurl.TypeNuget: // case counts neither in IDs nor in versions
		purl.Name, purl.Version = strings.ToLower(purl.Name), strings.ToLower(purl.Version)
	}
	return purl, nil
}

// normalizePython is the normalisation of the Python packaging specification
// (PEP 503): lowercase, each run of "-", "_" and "." one hyphen.
func normalizePython(name string) string {
	var b strings.Builder
	for i, part := range strings.FieldsFunc(strings.ToLower(name), isPythonSeparator) {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(part)
	}
	return b.String()
}

func isPythonSeparator(r rune) bool { return r == '-' || r == '_' || r == '.' }

// purlParts is a request's package, taken apart without allocation where it is
// canonical.
type purlParts struct {
	key        string // up to the version
	slash      int    // the length of key up to the name
	version    string // decoded; empty for what is about the package as a whole
	qualifiers string
}

// takeApart splits a purl. It returns false for what is no purl.
func takeApart(text string) (purlParts, bool) {
	head, qualifiers, _ := strings.Cut(text, "?")
	key, version := head, ""
	if i := strings.LastIndexByte(head, '@'); i > strings.LastIndexByte(head, '/') {
		key, version = head[:i], head[i+1:]
	}
	if !isCanonicalKey(key) || strings.Contains(text, "#") {
		purl, err := canonicalPackage(text)
		if err != nil {
			return purlParts{}, false
		}
		k := packageurl.PackageURL{Type: purl.Type, Namespace: purl.Namespace, Name: purl.Name}
		return newParts(k.ToString(), purl.Version, purl.Qualifiers.String()), true
	}
	if strings.Contains(version, "%") {
		plain, err := url.PathUnescape(version)
		if err != nil {
			return purlParts{}, false
		}
		version = plain
	}
	if strings.HasPrefix(key, "pkg:nuget/") {
		version = strings.ToLower(version)
	}
	return newParts(key, version, qualifiers), true
}

func newParts(key, version, qualifiers string) purlParts {
	return purlParts{key, strings.LastIndexByte(key, '/') + 1, version, qualifiers}
}

// name returns the package's name, decoded.
func (p *purlParts) name() string {
	name := p.key[p.slash:]
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// isCanonicalKey reports whether a purl without version is certainly in
// canonical form. Capitals and, for Python, separators other than the hyphen
// depend on the type: those are parsed.
func isCanonicalKey(key string) bool {
	python := strings.HasPrefix(key, "pkg:pypi/")
	if !strings.HasPrefix(key, "pkg:") || strings.HasPrefix(key, "pkg:/") {
		return false
	}
	slashes := 0
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == ':', c == '~':
		case c == '/':
			slashes++
			if i == len(key)-1 || key[i+1] == '/' {
				return false
			}
		case c == '-':
			if python && (i+1 == len(key) || key[i+1] == '-' || key[i-1] == '/') {
				return false
			}
		case c == '_' || c == '.':
			if python {
				return false
			}
		case c == '%' && i+2 < len(key):
			// Only what may not stand plain is encoded, in capitals.
			if escape := key[i+1 : i+3]; escape != "40" && escape != "2B" {
				return false
			}
			i += 2
		default:
			return false
		}
	}
	return slashes > 0
}

// matches reports whether the pattern covers a package whose key has been
// found already. Where the request names no version it is about all of
// them: an allow rule for one needs it, and a deny rule for one is not about it.
func (pat *packagePattern) matches(p purlParts, deny bool) bool {
	if pat.name != nil && !pat.name.match(p.name()) {
		return false
	}
	return pat.matchesVersion(p.version, deny) && pat.matchesQualifiers(p.qualifiers)
}

func (pat *packagePattern) matchesVersion(version string, deny bool) bool {
	switch {
	case pat.version == nil && pat.versions == nil:
		return true
	case version == "":
		return !deny
	case pat.followsTag(version) && !deny:
		return true
	case pat.version != nil:
		return pat.version.match(version)
	}
	in, known := pat.versions.contains(version, deny)
	return in && known || deny && !known
}

// matchesQualifiers reports whether every qualifier of the rule is in the
// request's.
func (pat *packagePattern) matchesQualifiers(qualifiers string) bool {
	for _, want := range pat.qualifiers {
		found := false
		for q := range strings.SplitSeq(qualifiers, "&") {
			found = found || q == want
		}
		if !found {
			return false
		}
	}
	return true
}

// glob is a word in which a star stands for any run of characters.
type glob struct {
	first string
	rest  []string // each behind a star
}

// newGlob reads a word in which the placeholder stands for a star.
func newGlob(word string) *glob {
	parts := strings.Split(word, star)
	return &glob{first: parts[0], rest: parts[1:]}
}

// match reports whether the whole of s matches.
func (g *glob) match(s string) bool {
	s, ok := strings.CutPrefix(s, g.first)
	if !ok || len(g.rest) == 0 {
		return ok && s == ""
	}
	last := len(g.rest) - 1
	for _, lit := range g.rest[:last] {
		i := strings.Index(s, lit)
		if i < 0 {
			return false
		}
		s = s[i+len(lit):]
	}
	return strings.HasSuffix(s, g.rest[last])
}
