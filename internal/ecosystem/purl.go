package ecosystem

import packageurl "github.com/package-url/packageurl-go"

// found is a package as a path names it.
type found struct {
	namespace, name, version string
	// arch is a Debian architecture.
	arch string
	// base is the length of the path that comes before the registry's own
	// grammar, for guesses.
	base       int
	baseUnsure bool
	// artifact is true for a file of the package, false for metadata.
	artifact bool
	// unsure marks a guess at an artifact that may well be something else, plain
	// one at metadata that is hardly anything else.
	unsure, plain bool
}

// at returns f with the base that a guess found.
func (f found) at(base int) found {
	f.base = base
	return f
}

// purl returns the canonical package URL (ECMA-427), or "" when there is none.
func (f found) purl(typ string) string {
	var qualifiers packageurl.Qualifiers
	if f.arch != "" {
		qualifiers = packageurl.Qualifiers{{Key: "arch", Value: f.arch}}
	}
	p := packageurl.NewPackageURL(typ, f.namespace, f.name, f.version, qualifiers, "")
	if err := p.Normalize(); err != nil {
		return ""
	}
	return p.ToString()
}
