package learn

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// source is where packages seem to come from.
type source struct {
	endpoint
	typ, base string
}

// sources finds registries by the form of what was read there. Files of packages
// whose form is unmistakable show one by themselves. What might be something
// else (an index page, an archive) does so only for a package that was seen in
// another form too.
func sources(known *ecosystem.Recognizer, seen []sighting) []source {
	type guess struct {
		source
		ecosystem.Shape
	}
	var guesses []guess
	sure, files, pages := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range seen {
		q := s.query(s.flow)
		if s.gone || s.method == passthrough {
			continue
		}
		if _, url := known.Identify(q); url != "" {
			continue
		}
		shape, ok := ecosystem.Guess(q)
		if !ok || strings.ContainsAny(shape.Base, "?#@*") {
			continue
		}
		guesses = append(guesses, guess{source{s.endpoint, shape.Type, shape.Base}, shape})
		switch {
		case shape.Sure:
			sure[shape.Name] = true
		case shape.Artifact:
			files[shape.Name] = true
		default:
			pages[shape.Name] = true
		}
	}
	certain, uncertain := map[source]bool{}, map[source]bool{}
	for _, g := range guesses {
		switch {
		case !sure[g.Name] && !(files[g.Name] && pages[g.Name]):
		case g.BaseSure:
			certain[g.source] = true
		default:
			uncertain[g.source] = true
		}
	}
	addIndexes(certain, seen)
	return settle(certain, uncertain)
}

// addIndexes adds the archives of which only the index was read, where packages
// of their kind were read from the same host.
func addIndexes(certain map[source]bool, seen []sighting) {
	type kind struct {
		endpoint
		typ string
	}
	has := map[kind]bool{}
	for s := range certain {
		has[kind{s.endpoint, s.typ}] = true
	}
	for _, s := range seen {
		typ, base, ok := ecosystem.GuessIndex(s.query(s.flow))
		if ok && !s.gone && has[kind{s.endpoint, typ}] && !strings.ContainsAny(base, "?#@*") {
			certain[source{s.endpoint, typ, base}] = true
		}
	}
}

// settle drops uncertain bases that lie below another base for the same packages.
func settle(certain, uncertain map[source]bool) []source {
	kept := slices.Collect(maps.Keys(certain))
	doubtful := slices.SortedFunc(maps.Keys(uncertain), func(a, b source) int {
		return cmp.Or(len(a.base)-len(b.base), a.compare(b.endpoint), cmp.Compare(a.base, b.base))
	})
	for _, u := range doubtful {
		covered := slices.ContainsFunc(kept, func(k source) bool {
			return k.endpoint == u.endpoint && k.typ == u.typ && strings.HasPrefix(u.base, k.base)
		})
		if !covered {
			kept = append(kept, u)
		}
	}
	return kept
}
