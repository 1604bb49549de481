package lockfile

import (
	"cmp"
	"net/url"
	"path"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// distribution is one package of poetry.lock, uv.lock or pylock.toml.
type distribution struct {
	line          int
	name, version string
	source        map[string]value // of poetry and uv
	index         string           // of pylock
	files         []value          // tables with file, name or url, and a digest
	elsewhere     map[string]value // of pylock: vcs, archive, directory
}

// readPoetry reads poetry.lock. Files stand beside each package, and in older ones
// under metadata.files.
func readPoetry(r *reader) error {
	var all []*distribution
	err := r.tables(func(t *table) error {
		switch t.name {
		case "package":
			all = append(all, newDistribution(t, "files"))
		case "package.source":
			if len(all) > 0 {
				all[len(all)-1].source = t.fields
			}
		case "metadata.files":
			for _, d := range all {
				d.files = append(d.files, t.fields[d.name].list...)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := r.poetry(d); err != nil {
			return err
		}
	}
	return nil
}

func newDistribution(t *table, files ...string) *distribution {
	d := &distribution{line: t.line, name: t.fields["name"].text, version: t.fields["version"].text}
	for _, f := range files {
		v := t.fields[f]
		if d.files = append(d.files, v.list...); v.fields != nil {
			d.files = append(d.files, v)
		}
	}
	return d
}

func (r *reader) poetry(d *distribution) error {
	address := d.source["url"].text
	switch d.source["type"].text {
	case "directory", "file":
		return nil
	case "git":
		r.elsewhere(d.line, "git", address+" "+cmp.Or(d.source["resolved_reference"].text, d.source["reference"].text))
		return nil
	case "url":
		r.elsewhere(d.line, "url", address)
		return nil
	case "legacy": // an index that is not the default one
		r.registry(address, d.line)
	}
	return r.distribution(d)
}

// readUV reads uv.lock.
func readUV(r *reader) error {
	return r.tables(func(t *table) error {
		if t.name != "package" {
			return nil
		}
		d := newDistribution(t, "sdist", "wheels")
		d.source = t.fields["source"].fields
		switch {
		case d.source["git"].text != "":
			r.elsewhere(d.line, "git", d.source["git"].text)
		case d.source["url"].text != "":
			r.elsewhere(d.line, "url", d.source["url"].text)
		case d.source["registry"].text != "":
			if _, ok := query(d.source["registry"].text); !ok {
				return nil // a folder of files
			}
			r.registry(d.source["registry"].text, d.line)
			return r.distribution(d)
		}
		return nil // a folder, or the project itself
	})
}

// readPylock reads pylock.toml (PEP 751).
func readPylock(r *reader) error {
	var last *distribution
	flush := func() error {
		if last == nil {
			return nil
		}
		d := last
		last = nil
		return r.pylock(d)
	}
	err := r.tables(func(t *table) error {
		switch kind, below := strings.CutPrefix(t.name, "packages."); {
		case t.name == "packages":
			if err := flush(); err != nil {
				return err
			}
			last = newDistribution(t, "sdist", "wheels")
			last.index, last.elsewhere = t.fields["index"].text, t.fields
		case !below || last == nil:
		case kind == "sdist" || kind == "wheels":
			last.files = append(last.files, value{fields: t.fields})
		default:
			last.elsewhere[kind] = value{fields: t.fields}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

func (r *reader) pylock(d *distribution) error {
	for _, kind := range []string{"vcs", "archive"} {
		if address := d.elsewhere[kind].fields["url"].text; address != "" {
			r.elsewhere(d.line, map[string]string{"vcs": "git", "archive": "url"}[kind], address)
			return nil
		}
	}
	if d.elsewhere["directory"].fields != nil || d.elsewhere["archive"].fields != nil || d.version == "" {
		return nil
	}
	if d.index != "" {
		r.registry(d.index, d.line)
	}
	return r.distribution(d)
}

// distribution notes a package by the names of its files, which is what requests
// will be for, or by its version where no file of it is named.
func (r *reader) distribution(d *distribution) error {
	named := false
	for _, f := range d.files {
		address := f.fields["url"].text
		file := cmp.Or(f.fields["file"].text, f.fields["name"].text)
		if u, err := url.Parse(address); err == nil && file == "" {
			file = path.Base(u.Path)
		}
		s, ok := ecosystem.Guess(ecosystem.Query{Method: "GET", Scheme: "https", Path: "/packages/" + url.PathEscape(file)})
		if !ok || s.Type != "pypi" || s.Name != ecosystem.PurlName("pypi", d.name) {
			continue
		}
		named = true
		integrity := cmp.Or(f.fields["hash"].text, f.fields["hashes"].fields["sha256"].text)
		if err := r.addEntry(Entry{Package: s.Package, Line: d.line, Integrity: integrity}); err != nil {
			return err
		}
		r.file(address, d.line, s.Package, true)
	}
	if named {
		return nil
	}
	return r.python(d.name, d.version, d.line, "")
}

// readPipfile reads Pipfile.lock.
func readPipfile(r *reader) error {
	j := r.json()
	return j.document(func(key string, _ int) error {
		if key == "_meta" {
			return j.pipfileSources()
		}
		return j.object(func(name string, line int) error { return j.pipfilePackage(name, line) })
	})
}

func (j *jsonReader) pipfileSources() error {
	return j.object(func(key string, _ int) error {
		if key != "sources" {
			return j.skip()
		}
		return j.array(func() error {
			var address string
			line := 0
			err := j.object(func(key string, n int) error {
				if key != "url" {
					return j.skip()
				}
				line = n
				return j.text(&address)
			})
			j.registry(address, line)
			return err
		})
	})
}

func (j *jsonReader) pipfilePackage(name string, line int) error {
	var version, git, file string
	err := j.object(func(key string, _ int) error {
		switch key {
		case "version":
			return j.text(&version)
		case "git":
			return j.text(&git)
		case "file":
			return j.text(&file)
		}
		return j.skip()
	})
	switch {
	case err != nil:
		return err
	case git != "":
		j.elsewhere(line, "git", git)
		return nil
	case file != "":
		if kind, _ := kindOf(file); kind != "" {
			j.elsewhere(line, kind, file)
		}
		return nil
	case version == "":
		return nil // a folder
	}
	return j.python(name, strings.TrimLeft(version, "= "), line, "")
}
