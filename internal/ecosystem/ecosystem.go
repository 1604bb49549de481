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
	// ask reads a request at rest whose query names the package. It may be nil.
	ask func(rest, query string) (found, bool)
	// elsewhere reports whether the query asks for the package of another registry.
	// It may be nil.
	elsewhere func(query string) bool
	// index returns a pattern, relative to the base, for the files at rest that
	// belong to the registry as a whole and whose names change from day to day.
	// It may be nil.
	index func(rest string) string
	// guessIndex finds the base by the form of a file of the registry as a
	// whole. It may be nil.
	guessIndex func(path string) (base int, ok bool)
}

// grammars are in the order in which guesses are tried: the forms that are least
// likely to be something else come first.
var grammars = []grammar{
	{typ: "golang", read: readGo, guess: guessGo, index: indexGo},
	{typ: "docker", read: readDocker, guess: guessDocker, elsewhere: elsewhereDocker},
	{typ: "npm", read: readNPM, guess: guessNPM},
	{typ: "gem", read: readGem, guess: guessGem, ask: askGem},
	{typ: "nuget", read: readNuGet, guess: guessNuGet, ask: askNuGet},
	{typ: "deb", read: readDeb, guess: guessDeb, index: indexDeb, guessIndex: guessDebIndex},
	{typ: "maven", read: readMaven, guess: guessMaven},
	{typ: "pypi", read: readPyPI, guess: guessPyPI},
	{typ: "composer", read: readComposer, guess: guessComposer, ask: askComposer, index: indexComposer},
	{typ: "cargo", read: readCargo, guess: guessCargo},
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
