package allowlist

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"
	"gopkg.in/yaml.v3"
)

// packagePattern is a rule's package. Key is the canonical purl without its
// version; where the name has stars, key ends with the slash before the name.
type packagePattern struct {
	key        string
	name       *glob
	version    *glob        // nil means any, but for versions
	versions   versionRange // nil means any, but for version
	qualifiers []string
	byTag      bool // see followsTag
}

// packagePattern reads a purl with stars that is n's text.
func (p *parser) packagePattern(n *yaml.Node, text string) *packagePattern {
	if f := checkPackage(text); f != nil {
		p.within(n, f.offset, f.message, f.hint)
		return nil
	}
	if typ, _, ok := strings.Cut(text[len("pkg:"):], "/"); ok && !p.ecosystem(n, len("pkg:"), typ) {
		return nil
	}
	text, versions, at := cutRange(text)
	purl, err := canonicalPackage(strings.ReplaceAll(text, "*", star))
	switch {
	case err != nil:
		p.at(n, "bad package "+quoted(text)+": "+err.Error(), "write pkg:npm/lodash@4.17.21, pkg:npm/@scope/name or pkg:maven/org.example/*")
	case strings.Contains(purl.Namespace, star) || strings.Contains(purl.Qualifiers.String(), url.QueryEscape(star)):
		p.at(n, "a star stands in a package's name or version only", "write a rule for each namespace")
	case isEncodedRange(purl.Version):
		p.at(n, "version "+quoted(plainStars(purl.Version))+" is a range in percent-encoding, which is never one", "write the operators plainly: "+rangeExample(purl.Type))
	case isWordRange(purl.Type, purl.Version):
		p.at(n, "version "+quoted(plainStars(purl.Version))+" looks like a range without an operator", "write a star: 4.*, or an operator: "+rangeExample(purl.Type))
	default:
		if message, hint := neverMatches(purl, plainStars(text)); message != "" {
			p.at(n, message, hint)
			return nil
		}
		pat := newPackagePattern(purl)
		if versions == "" {
			return pat
		}
		if pat.versions, err = newRange(purl.Type, versions); err == nil {
			return pat
		}
		p.within(n, at, rangeMistake(purl.Type, versions, err), rangeHint(purl.Type))
	}
	return nil
}

// cutRange takes the range out of a package rule, and says where it was. An
// operator is one only where it is written plainly: a version that a client asked
// for is percent-encoded in a purl, and can thus never become a range.
func cutRange(text string) (rest, versions string, at int) {
	head := text
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		head = text[:i]
	}
	at = strings.LastIndexByte(head, '@')
	if at <= strings.LastIndexByte(head, '/') || !hasOperator(head[at+1:]) {
		return text, "", 0
	}
	return text[:at] + text[len(head):], head[at+1:], at + 1
}

// hasOperator reports whether a version is written as a range. A tilde inside a
// version orders it, in Debian.
func hasOperator(version string) bool {
	return strings.ContainsAny(version, "<>=^|,[]() ") || strings.HasPrefix(version, "~")
}

func isEncodedRange(version string) bool {
	return hasOperator(version) || strings.HasPrefix(version, "vers:")
}

// rangeExample is a range as people of the ecosystem would write it.
func rangeExample(typ string) string {
	switch typ {
	case packageurl.TypeGolang:
		return ">=v1.2.0 <v2"
	case packageurl.TypeDebian:
		return ">=7.88.1 <8"
	default:
		return ">=4.17.21 <5"
	}
}

func rangeHint(typ string) string {
	if typ == packageurl.TypeDocker {
		return "write one tag, a star: 3.*, or a digest"
	}
	return "write comparators: " + rangeExample(typ) + "; or one version, or a star: 4.*"
}

func newPackagePattern(purl packageurl.PackageURL) *packagePattern {
	pat := &packagePattern{byTag: isByTag(purl)}
	if purl.Version != "" {
		pat.version = newGlob(purl.Version)
	}
	for _, q := range purl.Qualifiers {
		pat.qualifiers = append(pat.qualifiers, packageurl.Qualifiers{q}.String())
	}
	key := packageurl.PackageURL{Type: purl.Type, Namespace: purl.Namespace, Name: purl.Name}
	if strings.Contains(purl.Name, star) {
		pat.name = newGlob(purl.Name)
		key.Name = "x"
		pat.key = strings.TrimSuffix(key.ToString(), "x")
		return pat
	}
	pat.key = key.ToString()
	return pat
}

func checkPackage(text string) *fault {
	if !strings.HasPrefix(text, "pkg:") {
		return &fault{message: "package " + quoted(text) + " is not a package URL", hint: "write pkg:npm/" + text + ", or what ecosystem it is of"}
	}
	if strings.HasPrefix(text, "pkg:/") {
		return &fault{offset: len("pkg:"), message: "slash before the package's type", hint: "write pkg:" + strings.TrimLeft(text[4:], "/")}
	}
	if i := strings.Index(text, "**"); i >= 0 {
		return &fault{offset: i, message: "two stars in a package", hint: "one star stands for any run of characters"}
	}
	if i := strings.IndexByte(text, '#'); i >= 0 {
		return &fault{i, "a package rule has no subpath", "remove everything from the #"}
	}
	if holdsMark(text) {
		return &fault{message: "package holds a private-use character", hint: "write * in its place"}
	}
	return nil
}

// ecosystem checks a purl type at offset of n.
func (p *parser) ecosystem(n *yaml.Node, offset int, typ string) bool {
	if _, ok := packageurl.KnownTypes[typ]; ok {
		return true
	}
	hint := suggestion(typ, slices.Sorted(maps.Keys(packageurl.KnownTypes)))
	if alias := ecosystemAlias(typ); alias != "" {
		hint = "write " + alias
	}
	p.within(n, offset, "unknown ecosystem "+quoted(typ), hint)
	return false
}

// ecosystemAlias returns the purl type of an ecosystem that people know by another
// name, or "".
func ecosystemAlias(name string) string {
	switch strings.ToLower(name) {
	case "pip", "python":
		return packageurl.TypePyPi
	case "go", "gomod":
		return packageurl.TypeGolang
	case "crates", "rust":
		return packageurl.TypeCargo
	case "apt", "debian":
		return packageurl.TypeDebian
	case "rubygems", "ruby":
		return packageurl.TypeGem
	case "java", "gradle":
		return packageurl.TypeMaven
	case "php", "packagist":
		return packageurl.TypeComposer
	case "dotnet", "csharp":
		return packageurl.TypeNuget
	case "container", "image", "containers":
		return packageurl.TypeDocker
	case "node", "yarn", "pnpm":
		return packageurl.TypeNPM
	default:
		return ""
	}
}

// isWordRange reports whether a version is one of npm's and Cargo's ranges with
// an x, which would be compared letter by letter and never match.
func isWordRange(typ, version string) bool {
	if version == "" || typ != packageurl.TypeNPM && typ != packageurl.TypeCargo {
		return false
	}
	numbers, _, _ := strings.Cut(version, "-")
	return slices.ContainsFunc(strings.Split(numbers, "."), func(s string) bool { return s == "x" || s == "X" })
}

func plainStars(s string) string { return strings.ReplaceAll(s, star, "*") }
