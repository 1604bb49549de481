package allowlist

import (
	"errors"
	"fmt"
	"strings"

	"deps.dev/util/semver"
	"github.com/package-url/packageurl-go"
)

// versionRange is the part of a package rule behind "@" where that names an
// operator. It is safe for concurrent use.
type versionRange interface {
	// contains reports whether version is in the range: as the ecosystem says
	// under allow and log, by order alone under deny. The second result is false
	// for what is no version of the ecosystem.
	contains(version string, deny bool) (in, known bool)
}

// maxVersion bounds the versions and ranges that are compared, in bytes.
const maxVersion = 256

// ordering is how an ecosystem writes ranges.
type ordering struct {
	system semver.System
	// and joins comparators; it is empty where the ecosystem writes brackets.
	and string
	// native is true where the ecosystem has a range syntax of its own.
	native bool
}

// orderings has the ecosystems whose ranges are known, by purl type, but for
// Debian's and Composer's. Go orders versions as npm does (Semantic Versioning 2.0.0, which
// also orders pseudo-versions) and has no ranges of its own.
func orderings() map[string]ordering {
	return map[string]ordering{
		packageurl.TypeNPM:    {semver.NPM, " ", true},
		packageurl.TypeGolang: {semver.NPM, " ", false},
		packageurl.TypeCargo:  {semver.Cargo, ",", true},
		packageurl.TypePyPi:   {semver.PyPI, ",", true},
		packageurl.TypeGem:    {semver.RubyGems, ",", true},
		packageurl.TypeMaven:  {semver.Maven, "", true},
		packageurl.TypeNuget:  {semver.NuGet, "", true},
	}
}

// newRange reads the text of a range: comparators with a space or a comma
// between them in every ecosystem, else what the ecosystem itself writes.
func newRange(typ, text string) (versionRange, error) {
	if len(text) > maxVersion {
		return nil, errors.New("it is too long")
	}
	if typ == packageurl.TypeComposer {
		return newComposerRange(text)
	}
	comparators, plain := readComparators(text)
	if plain && typ == packageurl.TypeDebian {
		return newDebianRange(comparators)
	}
	o, ok := orderings()[typ]
	switch {
	case typ == packageurl.TypeDocker:
		return nil, errors.New("tags have no order")
	case !ok && typ != packageurl.TypeDebian:
		return nil, errors.New("how " + typ + " orders versions is not known here")
	case !plain && !o.native:
		return nil, errors.New("it is not made of comparators")
	case !plain && o.and == "" && !inBrackets().MatchString(text):
		return nil, errors.New("it is neither made of comparators nor all in brackets")
	case !plain:
		return newSemverRange(o.system, text, nil)
	}
	for _, c := range comparators {
		if typ == packageurl.TypeGolang && !strings.HasPrefix(c.version, "v") {
			return nil, fmt.Errorf("a version of a Go module begins with v: write %sv%s", c.op, c.version)
		}
	}
	text, err := o.spell(comparators)
	if err != nil {
		return nil, err
	}
	return newSemverRange(o.system, text, comparators)
}

// inBrackets keeps out the versions without brackets that Maven and NuGet take for
// a wish: any version grants it.
var inBrackets = lazily(`^(?:[\[(][^\[\]()]+[\])](?:,|$))+$`)

// comparator is an operator and a version.
type comparator struct{ op, version string }

// readComparators reads text, or returns false where it is something else.
func readComparators(text string) ([]comparator, bool) {
	var out []comparator
	for rest := strings.Trim(text, " "); rest != ""; {
		version := strings.TrimLeft(rest, "<>=!")
		op := rest[:len(rest)-len(version)]
		version = strings.TrimLeft(version, " ")
		end := strings.IndexAny(version, " ,<>=|")
		if end < 0 {
			end = len(version)
		}
		switch op {
		case ">", ">=", "<", "<=", "=", "==", "!=":
		default:
			return nil, false
		}
		if end == 0 {
			return nil, false
		}
		out = append(out, comparator{op, version[:end]})
		if rest = strings.TrimLeft(version[end:], " "); strings.HasPrefix(rest, ",") {
			if rest = strings.TrimLeft(rest[1:], " "); rest == "" {
				return nil, false
			}
		}
	}
	return out, len(out) > 0
}

// spell writes comparators as the ecosystem does.
func (o ordering) spell(comparators []comparator) (string, error) {
	if o.and == "" {
		return brackets(comparators)
	}
	words := make([]string, len(comparators))
	for i, c := range comparators {
		switch {
		case c.op == "=" && o.system == semver.PyPI:
			c.op = "=="
		case c.op == "==" && o.system != semver.PyPI:
			c.op = "="
		}
		words[i] = c.op + c.version
	}
	return strings.Join(words, o.and), nil
}

// brackets writes comparators in the notation of Maven and NuGet.
func brackets(comparators []comparator) (string, error) {
	from, to := "(", ")"
	for _, c := range comparators {
		switch {
		case strings.HasSuffix(c.op, "=") && c.op[0] == '=' && len(comparators) == 1:
			return "[" + c.version + "]", nil
		case c.op == ">=" && from == "(":
			from = "[" + c.version
		case c.op == ">" && from == "(":
			from = "(" + c.version
		case c.op == "<=" && to == ")":
			to = c.version + "]"
		case c.op == "<" && to == ")":
			to = c.version + ")"
		default:
			return "", errors.New("a range here is one version, or a lower and an upper bound")
		}
	}
	return from + "," + to, nil
}
