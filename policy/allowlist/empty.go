package allowlist

import (
	"errors"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"
)

// errEmpty is about a range that a rule could as well not have: the rule would
// match nothing.
var errEmpty = errors.New("no version is in it")

// isEmpty reports whether no version can hold all comparators: there are versions
// between any two.
func isEmpty[B any](bounds []B, op func(B) string, compare func(a, b B) int) bool {
	return slices.ContainsFunc(bounds, func(a B) bool {
		return slices.ContainsFunc(bounds, func(b B) bool { return exclude(op(a), op(b), compare(a, b)) }) ||
			pins(bounds, a, op, compare) && slices.ContainsFunc(bounds, func(b B) bool { return op(b) == "!=" && compare(a, b) == 0 })
	})
}

// exclude reports whether nothing is above, or at, a bound and below, or at, another
// one that compares to it as order says.
func exclude(lower, upper string, order int) bool {
	switch {
	case lower != ">" && lower != ">=" && !isEqual(lower), upper != "<" && upper != "<=" && !isEqual(upper):
		return false
	case order == 0:
		return lower == ">" || upper == "<"
	default:
		return order > 0
	}
}

// pins reports whether a is all that the bounds leave.
func pins[B any](bounds []B, a B, op func(B) string, compare func(a, b B) int) bool {
	return isEqual(op(a)) || op(a) == ">=" && slices.ContainsFunc(bounds, func(b B) bool { return op(b) == "<=" && compare(a, b) == 0 })
}

func isEqual(op string) bool { return op == "=" || op == "==" }

// oneInBrackets is how Maven and NuGet write a single version.
var oneInBrackets = lazily(`^\[[^,\[\]()]+\]$`)

// isOneVersion reports whether a package rule, as written, is for one version.
func isOneVersion(text string) bool {
	text, versions, _ := cutRange(text)
	if versions == "" {
		purl, err := packageurl.FromString(strings.ReplaceAll(text, "*", star))
		return err == nil && purl.Version != "" && !strings.Contains(purl.Version, star)
	}
	comparators, plain := readComparators(versions)
	if !plain || len(comparators) != 1 {
		return oneInBrackets().MatchString(versions)
	}
	if !isEqual(comparators[0].op) || strings.Contains(versions, "*") {
		return false
	}
	switch typ, _, _ := strings.Cut(strings.TrimPrefix(text, "pkg:"), "/"); typ {
	case packageurl.TypeNPM, packageurl.TypeCargo, packageurl.TypeGolang: // =1.2 is any 1.2
		numbers, _, _ := strings.Cut(comparators[0].version, "-")
		return strings.Count(numbers, ".") == 2
	}
	return true
}
