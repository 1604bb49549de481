package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// unallowed says what a client needs to install what a lockfile names, and neither
// the lockfile's rules nor the policies beside it allow.
func unallowed(f *lockfile.Lockfile, beside readings) []string {
	var out []string
	few := slices.DeleteFunc(slices.Clone(f.Elsewhere), func(e lockfile.Elsewhere) bool { return beside.let(e) })
	if len(few) > 0 {
		more := ""
		if len(few) > 1 {
			more = fmt.Sprintf(" (and %d more)", len(few)-1)
		}
		out = append(out, fmt.Sprintf("%s:%d%s comes from no registry, and no rule allows it: proxaudit learn -lockfile %s proposes one to review",
			f.Path, few[0].Line, more, f.Path))
	}
	if len(f.Sdists) > 0 && !beside.others(f) {
		out = append(out, built(f))
	}
	return out
}

// built says which packages of a lockfile are built from source.
func built(f *lockfile.Lockfile) string {
	const most = 3
	var places []string
	for _, s := range f.Sdists[:min(len(f.Sdists), most)] {
		places = append(places, fmt.Sprintf("%s (line %d)", s.Package, s.Line))
	}
	if len(f.Sdists) > most {
		places = append(places, fmt.Sprintf("%d more", len(f.Sdists)-most))
	}
	return fmt.Sprintf("%s has no wheel of %s: to build that, pip asks for packages that no lockfile names, and those are denied: "+
		"learn from a build (proxaudit learn -lockfile %s -- COMMAND), or allow what its pyproject.toml has under build-system.requires, such as pkg:pypi/setuptools",
		f.Path, strings.Join(places, ", "), f.Path)
}

// let reports whether the policies allow what gets e. It is true of what cannot be
// asked about.
func (r readings) let(e lockfile.Elsewhere) bool {
	var all []policy.Policy
	for _, one := range r {
		all = append(all, one.policy)
	}
	fetches, _ := e.Fetches()
	for _, f := range fetches {
		d, err := policy.Combine(all...).Decide(context.Background(), f.Request())
		if err != nil || d.Action == policy.Deny {
			return false
		}
	}
	return true
}

// others reports whether the policies have rules for packages of a lockfile's type
// that it does not name, or may have: Rego lists no rules.
func (r readings) others(f *lockfile.Lockfile) bool {
	ix := lockfile.NewIndex(f)
	for _, one := range r {
		yaml, ok := one.policy.(*allowlist.Policy)
		if !ok {
			return true
		}
		for _, fact := range yaml.Facts() {
			name, _, _ := strings.Cut(fact.Package, "@")
			if fact.Action != policy.Deny && strings.HasPrefix(name, "pkg:"+f.Type+"/") && !ix.Has(name) {
				return true
			}
		}
	}
	return false
}
