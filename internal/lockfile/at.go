package lockfile

import (
	"slices"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// At returns l as it is where packages of its type come from these registries: what
// is recorded at an address that is of no form a registry has for it, by itself or
// at one of these, is no package of theirs, and moves to Elsewhere. A client would
// fetch the address; a rule for the name would let in what has that name elsewhere.
func (l *Lockfile) At(registries []string) (*Lockfile, error) {
	known, err := ecosystem.New(ecosystem.Registries{l.Type: registries})
	if err != nil {
		return nil, err
	}
	at := *l
	at.Entries = nil
	at.Elsewhere = slices.Clone(l.Elsewhere)
	for _, e := range l.Entries {
		if e.stray(known) {
			at.Elsewhere = append(at.Elsewhere, Elsewhere{e.Line, "url", e.URL})
		} else {
			at.Entries = append(at.Entries, e)
		}
	}
	return &at, nil
}

func (e *Entry) stray(known *ecosystem.Recognizer) bool {
	if e.URL == "" {
		return false
	}
	q, ok := query(e.URL)
	if !ok {
		return true
	}
	if s, ok := ecosystem.Guess(q); ok && s.Package == e.Package {
		return false
	}
	purl, registry := known.Identify(q)
	return registry == "" || purl != e.Package
}
