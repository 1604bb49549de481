package learn

import (
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// usage is which rules of a policy the recorded requests match, by the lines on
// which they begin, and on which day the first did.
type usage struct {
	used map[int]day
	// metadata are rules for versions of a package that matched what names no
	// version; versioned are the packages of which versions were read.
	metadata  map[packageRule]day
	versioned map[string]bool
}

// packageRule is a package, and the line of a rule that it matched.
type packageRule struct {
	name string
	line int
}

func newUsage() usage {
	return usage{map[int]day{}, map[packageRule]day{}, map[string]bool{}}
}

// add notes which rules of base match r, which base has decided about, and which was
// made on a day.
func (u *usage) add(base Base, r *policy.Request, on day) {
	name, isVersion := nameAndVersion(r)
	if r.Registry != "" && isVersion {
		u.versioned[name] = true
	}
	base.Match(r, func(line int, versions bool) {
		if versions && !isVersion {
			at := packageRule{name, line}
			u.metadata[at] = earlier(u.metadata[at], on)
			return
		}
		u.used[line] = earlier(u.used[line], on)
	})
}

func nameAndVersion(r *policy.Request) (name string, isVersion bool) {
	name = nameOf(r.Package)
	return name, strings.HasPrefix(r.Package[len(name):], "@")
}

// seen reports whether the rule on a line is of use. Metadata is read of a package
// whatever its version: where versions were read, they alone tell which rules for
// versions are.
func (u *usage) seen(line int) (first day, ok bool) {
	for r, on := range u.metadata {
		if !u.versioned[r.name] {
			u.used[r.line] = earlier(u.used[r.line], on)
			delete(u.metadata, r)
		}
	}
	first, ok = u.used[line]
	return first, ok
}
