// Package ecosystem reads the name of a package out of the URL of a request.
// One package ecosystem a file.
//
// It is responsible for the path grammars of package registries and for package
// URLs (purls). It must never touch the network, never know a registry by its
// host name, and never say that a request reads from a registry unless scheme,
// host, port and base path all agree with one that was registered.
package ecosystem

import "slices"

// grammar is how one ecosystem spells its packages in paths. Paths are in the
// form of policy.CanonicalPath. To add an ecosystem, write its grammar in a file
// of its own and list it in grammars.
type grammar struct {
	// typ is the purl type.
	typ string
	// read reads rest, the part of a path below base, the base path of a
	// registered registry.
	read func(base, rest string) (found, bool)
	// guess reads a whole path by its form alone, and finds the base. accept is
	// the request's Accept header.
	guess func(path, accept string) (found, bool)
	// index returns a pattern, relative to the base, for the files at rest that
	// belong to the registry as a whole and whose names change from day to day.
	// It may be nil.
	index func(rest string) string
}

// grammars are in the order in which guesses are tried: the forms that are least
// likely to be something else come first.
var grammars = []grammar{
	{"golang", readGo, guessGo, indexGo},
	{"npm", readNPM, guessNPM, nil},
	{"deb", readDeb, guessDeb, indexDeb},
	{"maven", readMaven, guessMaven, nil},
	{"pypi", readPyPI, guessPyPI, nil},
	{"cargo", readCargo, guessCargo, nil},
}

// Types returns the purl types that have a grammar here, sorted.
func Types() []string {
	var types []string
	for _, g := range grammars {
		types = append(types, g.typ)
	}
	slices.Sort(types)
	return types
}

func grammarOf(typ string) *grammar {
	for i := range grammars {
		if grammars[i].typ == typ {
			return &grammars[i]
		}
	}
	return nil
}

// Query is the part of a request that can name a package.
type Query struct {
	Method, Scheme string
	// Host is canonical, as in policy.Request.
	Host string
	Port uint16
	// Path is in the form of policy.CanonicalPath.
	Path     string
	RawQuery string
	// Header holds the request's header fields under canonical keys; it may be
	// nil.
	Header map[string][]string
}

// reads reports whether the request can be a read of a package.
func (q *Query) reads() bool {
	return (q.Method == "GET" || q.Method == "HEAD") && (q.Scheme == "https" || q.Scheme == "http")
}

func (q *Query) accept() string {
	if v := q.Header["Accept"]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Shape is what the form of a URL alone says. It is a guess: any server can give
// its URLs any form.
type Shape struct {
	// Type is the purl type.
	Type string
	// Package is the purl, Name the purl without version and qualifiers.
	Package, Name string
	// Base is the path, with a slash at its end, that the registry would stand
	// at.
	Base string
	// Artifact is true for a file of the package, false for its metadata.
	Artifact bool
	// Sure is true for the form of an artifact that is hardly ever anything
	// else.
	Sure bool
	// BaseSure is false when the path does not say where Base ends.
	BaseSure bool
}

// Guess returns what the form of the URL of a GET or HEAD request says. It never
// looks at the host.
func Guess(q Query) (Shape, bool) {
	if !q.reads() {
		return Shape{}, false
	}
	g, f, ok := guess(&q)
	if !ok {
		return Shape{}, false
	}
	name := found{namespace: f.namespace, name: f.name}
	s := Shape{
		Type: g.typ, Package: f.purl(g.typ), Name: name.purl(g.typ), Base: q.Path[:f.base],
		Artifact: f.artifact, Sure: f.artifact && !f.unsure, BaseSure: !f.baseUnsure,
	}
	return s, s.Package != ""
}

// guess prefers a file of any ecosystem over metadata of any other.
func guess(q *Query) (*grammar, found, bool) {
	if q.Path == "" || q.Path[0] != '/' {
		return nil, found{}, false
	}
	var weak found
	var weakGrammar *grammar
	accept := q.accept()
	for i := range grammars {
		g := &grammars[i]
		f, ok := g.guess(q.Path, accept)
		if !ok {
			continue
		}
		if f.artifact {
			return g, f, true
		}
		if weakGrammar == nil {
			weak, weakGrammar = f, g
		}
	}
	return weakGrammar, weak, weakGrammar != nil
}
