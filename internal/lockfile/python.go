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
	source        fields  // of poetry and uv
	index         string  // of pylock
	files         []value // tables with file, name or url, and a digest
	elsewhere     fields  // of pylock: vcs, archive, directory
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
			files := make(map[string][]value, len(t.fields))
			for _, one := range t.fields {
				files[one.key] = one.list
			}
			for _, d := range all {
				d.files = append(d.files, files[d.name]...)
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
	d := &distribution{line: t.line, name: t.fields.get("name").text, version: t.fields.get("version").text}
	for _, f := range files {
		v := t.fields.get(f)
		if d.files = append(d.files, v.list...); v.fields != nil {
			d.files = append(d.files, v)
		}
	}
	return d
}

func (r *reader) poetry(d *distribution) error {
	address := d.source.get("url").text
	switch d.source.get("type").text {
	case "directory", "file":
		return nil
	case "git":
		r.elsewhere(d.line, "git", address+" "+cmp.Or(d.source.get("resolved_reference").text, d.source.get("reference").text))
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
		d.source = t.fields.get("source").fields
		switch {
		case d.source.get("git").text != "":
			r.elsewhere(d.line, "git", d.source.get("git").text)
		case d.source.get("url").text != "":
			r.elsewhere(d.line, "url", d.source.get("url").text)
		case d.source.get("registry").text != "":
			if _, ok := r.registryBase(d.source.get("registry").text); !ok {
				return nil // a folder of files
			}
			r.registry(d.source.get("registry").text, d.line)
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
			last.index, last.elsewhere = t.fields.get("index").text, t.fields
		case !below || last == nil:
		case kind == "sdist" || kind == "wheels":
			last.files = append(last.files, value{fields: t.fields})
		default:
			last.elsewhere = append(last.elsewhere, member{kind, value{fields: t.fields}})
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
		at := d.elsewhere.get(kind).fields
		if address := at.get("url").text; address != "" {
			r.elsewhere(d.line, map[string]string{"vcs": "git", "archive": "url"}[kind], strings.TrimSpace(address+" "+at.get("commit-id").text))
			return nil
		}
	}
	if d.elsewhere.get("directory").fields != nil || d.elsewhere.get("archive").fields != nil || d.version == "" {
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
	name, last := ecosystem.PurlName("pypi", d.name), Sdist{Line: d.line}
	named, wheel := false, false
	for _, f := range d.files {
		address := f.fields.get("url").text
		q, at, s := shapes(address, cmp.Or(f.fields.get("file").text, f.fields.get("name").text))
		if s.Type != "pypi" || s.Name != name {
			continue
		}
		named, last.Package = true, s.Package
		wheel = wheel || strings.HasSuffix(cmp.Or(f.fields.get("file").text, f.fields.get("name").text, address), ".whl")
		integrity := cmp.Or(f.fields.get("hash").text, f.fields.get("hashes").fields.get("sha256").text)
		if err := r.addEntry(Entry{Package: s.Package, Line: d.line, Integrity: integrity}); err != nil {
			return err
		}
		r.shown(q, at, d.line, s.Package, true)
	}
	if named {
		if !wheel {
			r.Sdists = append(r.Sdists, last)
		}
		return nil
	}
	return r.python(d.name, d.version, d.line, "")
}

// shapes returns what is known of a file by its address, and what by its name, which
// is that of the address where it is not told. Most addresses say both.
func shapes(address, file string) (q ecosystem.Query, at, named ecosystem.Shape) {
	q, ok := query(address)
	if ok {
		at = guess(q)
	}
	if file == "" && at.Type == "pypi" && at.Artifact {
		return q, at, at
	}
	if u, err := url.Parse(address); err == nil && file == "" {
		file = path.Base(u.Path)
	}
	named = guess(ecosystem.Query{Method: "GET", Scheme: "https", Path: "/packages/" + url.PathEscape(file)})
	return q, at, named
}

// guess is the zero Shape where nothing is known.
func guess(q ecosystem.Query) ecosystem.Shape {
	s, ok := ecosystem.Guess(q)
	if !ok {
		return ecosystem.Shape{}
	}
	return s
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
	var version, git, ref, file string
	err := j.object(func(key string, _ int) error {
		switch key {
		case "version":
			return j.text(&version)
		case "git":
			return j.text(&git)
		case "ref":
			return j.text(&ref)
		case "file":
			return j.text(&file)
		}
		return j.skip()
	})
	switch {
	case err != nil:
		return err
	case git != "":
		j.elsewhere(line, "git", strings.TrimSpace(git+" "+ref))
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
