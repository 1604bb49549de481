package allowlist

import (
	"fmt"

	"pault.ag/go/debian/version"
)

// debianRange is a list of comparators, ordered as deb-version(7) says. All of
// them must hold. Debian knows no pre-releases: ~ orders, and nothing else.
type debianRange []debianBound

type debianBound struct {
	op      string
	version version.Version
}

func newDebianRange(comparators []comparator) (debianRange, error) {
	out := make(debianRange, len(comparators))
	for i, c := range comparators {
		v, err := version.Parse(c.version)
		switch {
		case err != nil || v.Version == "":
			return nil, fmt.Errorf("bad version %q", c.version)
		case v.Epoch != 0: // the bound would be above every file
			return nil, fmt.Errorf("the name of an archive's file leaves the epoch out: write %s%s", c.op, v.StringWithoutEpoch())
		}
		out[i] = debianBound{c.op, v}
	}
	if isEmpty(out, func(b debianBound) string { return b.op }, func(a, b debianBound) int { return version.Compare(a.version, b.version) }) {
		return nil, errEmpty
	}
	return out, nil
}

// contains implements versionRange.
func (r debianRange) contains(text string, _ bool) (in, known bool) {
	if len(text) > maxVersion {
		return false, false
	}
	v, err := version.Parse(text)
	if err != nil || v.Version == "" {
		return false, false
	}
	for _, b := range r {
		if !holds(b.op, version.Compare(v, b.version)) {
			return false, true
		}
	}
	return true, true
}

// holds reports whether an operator accepts the result of a comparison.
func holds(op string, order int) bool {
	switch op {
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case "!=":
		return order != 0
	default:
		return order == 0
	}
}
