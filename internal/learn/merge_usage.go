package learn

import (
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// usage is which rules of a policy the recorded requests match, by the lines on
// which they begin.
type usage struct {
	used map[int]bool
	// metadata are rules for versions of a package that matched what names no
	// version; versioned are the packages of which versions were read.
	metadata  map[packageRule]bool
	versioned map[string]bool
}

// packageRule is a package, and the line of a rule that it matched.
type packageRule struct {
	name string
	line int
}

func newUsage() usage {
	return usage{map[int]bool{}, map[packageRule]bool{}, map[string]bool{}}
}

// add notes which rules of base match r, which base has decided about.
func (u *usage) add(base Base, r *policy.Request) {
	name, isVersion := nameAndVersion(r)
	if r.Registry != "" && isVersion {
		u.versioned[name] = true
	}
	base.Match(r, func(line int, versions bool) {
		if versions && !isVersion {
			u.metadata[packageRule{name, line}] = true
			return
		}
		u.used[line] = true
	})
}

func nameAndVersion(r *policy.Request) (name string, isVersion bool) {
	name = nameOf(r.Package)
	return name, strings.HasPrefix(r.Package[len(name):], "@")
}

// seen reports whether the rule on a line is of use. Metadata is read of a package
// whatever its version: where versions were read, they alone tell which rules for
// versions are.
func (u *usage) seen(line int) bool {
	for r := range u.metadata {
		if !u.versioned[r.name] {
			u.used[r.line] = true
			delete(u.metadata, r)
		}
	}
	return u.used[line]
}
