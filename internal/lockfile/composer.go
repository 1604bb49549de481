package lockfile

import (
	"cmp"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// archive is one package of composer.lock, and where its archive lies.
type archive struct {
	line                int
	name, version       string
	kind, address, hash string
	source, reference   string
}

// readComposer reads composer.lock. Composer downloads each archive from the
// address that stands there; most are on a code host and no business of a
// registry's.
func readComposer(r *reader) error {
	j := r.json()
	return j.document(func(key string, _ int) error {
		if key != "packages" && key != "packages-dev" {
			return j.skip()
		}
		return j.array(func() error {
			a, err := j.archive()
			if err != nil {
				return err
			}
			return r.composer(a)
		})
	})
}

func (j *jsonReader) archive() (a archive, err error) {
	dist := func(key string, _ int) error {
		switch key {
		case "type":
			return j.text(&a.kind)
		case "url":
			return j.text(&a.address)
		case "shasum":
			return j.text(&a.hash)
		}
		return j.skip()
	}
	source := func(key string, _ int) error {
		switch key {
		case "url":
			return j.text(&a.source)
		case "reference":
			return j.text(&a.reference)
		}
		return j.skip()
	}
	err = j.object(func(key string, n int) error {
		switch key {
		case "name":
			a.line = n
			return j.text(&a.name)
		case "version":
			return j.text(&a.version)
		case "source":
			return j.object(source)
		case "dist":
			return j.object(dist)
		}
		return j.skip()
	})
	return a, err
}

// composer notes a package by how its archive is called.
func (r *reader) composer(a archive) error {
	q, ok := query(a.address)
	switch s, is := ecosystem.Guess(q); {
	case a.kind == "path" || a.name == "":
		return nil
	case a.kind == "": // the source alone
		r.elsewhere(a.line, "git", strings.TrimSpace(cmp.Or(a.source, a.name+" "+a.version)+" "+a.reference))
		return nil
	case !ok:
		return r.add(a.name, strings.TrimPrefix(a.version, "v"), Entry{Line: a.line, Integrity: a.hash})
	case is && s.Type == "composer" && s.Name == ecosystem.PurlName("composer", a.name):
		return r.addEntry(Entry{Package: s.Package, Line: a.line, URL: a.address, Integrity: a.hash})
	}
	r.elsewhere(a.line, "url", a.address)
	return nil
}
