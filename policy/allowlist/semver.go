package allowlist

import (
	"errors"
	"fmt"
	"strings"

	"deps.dev/util/semver"
)

// semverRange is a range of an ecosystem that deps.dev/util/semver knows.
type semverRange struct {
	system     semver.System
	constraint *semver.Constraint
	// named holds the releases of which the range names a pre-release.
	named []string
	// bounds are the comparators, where the range is made of them.
	bounds []semverBound
}

type semverBound struct {
	op      string
	version *semver.Version
}

func newSemverRange(system semver.System, text string, comparators []comparator) (r *semverRange, err error) {
	defer func() {
		if recover() != nil { // the reader indexes what it has not measured
			r, err = nil, errors.New("it cannot be read")
		}
	}()
	c, err := system.ParseConstraint(text)
	if err != nil && strings.Contains(err.Error(), "max less than min") {
		return nil, errEmpty
	}
	if err != nil {
		return nil, err
	}
	if set := c.Set(); set.Empty() || hasEmptySpan(system, text) {
		return nil, errEmpty
	}
	r = &semverRange{system: system, constraint: c}
	for _, v := range strings.FieldsFunc(text, isOperator) {
		if isPrerelease(system, v) {
			r.named = append(r.named, release(v))
		}
	}
	for _, c := range comparators {
		v, err := system.Parse(c.version)
		if err != nil {
			return nil, err
		}
		if v.IsWildcard() { // the constraint alone knows what that means
			r.bounds = nil
			break
		}
		r.bounds = append(r.bounds, semverBound{c.op, v})
	}
	if isEmpty(r.bounds, func(b semverBound) string { return b.op }, func(a, b semverBound) int { return a.version.Compare(b.version) }) {
		return nil, errEmpty
	}
	return r, nil
}

// span is a range in brackets with both its bounds.
var span = lazily(`([\[(])([^,\[\]()]+),([^,\[\]()]+)([\])])`)

// hasEmptySpan reports whether a part of a range in brackets is that of one version
// and without it, which the reader takes for that version.
func hasEmptySpan(system semver.System, text string) bool {
	for _, m := range span().FindAllStringSubmatch(text, -1) {
		if (m[1] == "(" || m[4] == ")") && system.Compare(strings.TrimSpace(m[2]), strings.TrimSpace(m[3])) == 0 {
			return true
		}
	}
	return false
}

func isOperator(r rune) bool { return strings.ContainsRune("<>=~^|,[]() ", r) }

// contains implements versionRange. Under allow and log a pre-release is in a
// range only where the range names one of the same release, which is the rule of
// npm and Cargo: 5.0.0-beta is not in <5, nor 4.2.0-rc.1 in >=4. The other
// ecosystems' own rules let more in. Under deny the order alone counts, so that
// what is denied cannot be had as a pre-release.
func (r *semverRange) contains(version string, deny bool) (in, known bool) {
	defer func() {
		if recover() != nil {
			in, known = false, false
		}
	}()
	if len(version) > maxVersion {
		return false, false
	}
	if r.system == semver.PyPI && deny {
		version, _, _ = strings.Cut(version, "+") // a local version is one of its public version
	}
	v, err := r.system.Parse(version)
	if err != nil || v.IsWildcard() {
		return false, false
	}
	if deny {
		return r.constraint.MatchVersion(v) || r.constraint.MatchVersionPrerelease(v) || r.orders(v), true
	}
	return r.constraint.MatchVersion(v) && (!isPrerelease(r.system, version) || r.names(version)), true
}

// orders reports whether the comparators hold by order alone.
func (r *semverRange) orders(v *semver.Version) bool {
	for _, b := range r.bounds {
		if !holds(b.op, v.Compare(b.version)) {
			return false
		}
	}
	return len(r.bounds) > 0
}

// names reports whether the range names a pre-release of the version's release.
func (r *semverRange) names(version string) bool {
	for _, named := range r.named {
		if r.system.Compare(named, release(version)) == 0 {
			return true
		}
	}
	return false
}

// releaseNumbers is what a version has before words: an epoch and numbers.
var releaseNumbers = lazily(`^v?(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*`)

func release(version string) string { return releaseNumbers().FindString(version) }

// mavenPrerelease finds the qualifiers that Maven orders before the release.
// See the Maven POM reference, "Version Order Specification".
var mavenPrerelease = lazily(`(?i)(?:^|[0-9._-])(?:alpha|beta|milestone|rc|cr|snapshot|[abm][0-9]+)(?:$|[0-9._-])`)

// isPrerelease reports whether the ecosystem takes a version for one that comes
// before its release.
func isPrerelease(system semver.System, version string) bool {
	words := strings.ToLower(version[len(release(version)):])
	switch system {
	case semver.Maven:
		return mavenPrerelease().MatchString(version)
	case semver.RubyGems: // any letter; see Gem::Version
		return strings.ContainsFunc(version, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' })
	case semver.PyPI: // a, b, c, rc, alpha, beta, pre, preview and dev, but not post, rev and r
		words, _, _ = strings.Cut(words, "+")
		return strings.ContainsAny(words, "abc") || strings.Contains(words, "pre") || strings.Contains(words, "dev")
	default:
		words, _, _ = strings.Cut(words, "+")
		return strings.Contains(words, "-")
	}
}

// rangeMistake puts the library's words into a sentence.
func rangeMistake(typ, text string, err error) string {
	return fmt.Sprintf("version %s is not a range of %s: %s", quoted(text), typ, strings.ReplaceAll(err.Error(), "`", `"`))
}
