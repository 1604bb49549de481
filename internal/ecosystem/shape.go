package ecosystem

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
	// Sure is true for a form that is hardly ever anything else: most artifacts,
	// little metadata.
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
	if !ok || f.base < repositoryEnd(q.Path) {
		return Shape{}, false
	}
	name := found{namespace: f.namespace, name: f.name}
	s := Shape{
		Type: g.typ, Package: f.purl(g.typ), Name: name.purl(g.typ), Base: q.Path[:f.base],
		Artifact: f.artifact, Sure: f.artifact && !f.unsure || f.plain, BaseSure: !f.baseUnsure,
	}
	return s, s.Package != ""
}

// GuessIndex returns the type and the base path that the form of a file of a
// registry as a whole shows. It says less than Guess does: the form is easily
// met elsewhere, so it counts only beside packages of that type.
func GuessIndex(q Query) (typ, base string, ok bool) {
	if !q.reads() {
		return "", "", false
	}
	for _, g := range grammars {
		if g.guessIndex == nil {
			continue
		}
		if n, ok := g.guessIndex(q.Path); ok && n >= repositoryEnd(q.Path) {
			return g.typ, q.Path[:n], true
		}
	}
	return "", "", false
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
		f = g.settle(q.Path, f)
		if f.artifact {
			return g, f, true
		}
		if weakGrammar == nil {
			weak, weakGrammar = f, g
		}
	}
	return weakGrammar, weak, weakGrammar != nil
}
