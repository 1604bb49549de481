package lockfile

import "strings"

// npmEntry is one dependency in package-lock.json.
type npmEntry struct {
	name, version, resolved, integrity string
	link, bundled                      bool
}

// readPackageLock reads package-lock.json and npm-shrinkwrap.json, of versions 1
// to 3 (npm help package-lock-json). Version 2
// says everything twice; packages is what npm itself reads.
func readPackageLock(r *reader) error {
	j := r.json()
	// What dependencies names counts only where there are no packages, and they may
	// come later in the file.
	old := &reader{
		Lockfile: &Lockfile{Path: r.Path, Name: r.Name, Type: r.Type},
		data:     r.data, entries: map[string]bool{}, bases: map[string]int{},
	}
	versioned, packages := false, false
	err := j.document(func(key string, _ int) error {
		switch key {
		case "lockfileVersion":
			versioned = true
			return j.skip()
		case "packages":
			versioned, packages = true, true
			return j.object(func(path string, line int) error { return j.npmPackage(r, path, line) })
		case "dependencies":
			return j.object(func(name string, line int) error { return j.npmDependency(old, name, line) })
		}
		return j.skip()
	})
	switch {
	case err != nil:
		return err
	case !versioned:
		return r.fail(0, "it has no lockfileVersion, so it is no lockfile of npm's")
	case !packages:
		r.Entries, r.Elsewhere, r.Registries = old.Entries, old.Elsewhere, old.Registries
	}
	return nil
}

// fields reads the members that versions 1 to 3 have in common.
func (j *jsonReader) npmField(e *npmEntry, key string) error {
	switch key {
	case "name":
		return j.text(&e.name)
	case "version":
		return j.text(&e.version)
	case "resolved":
		return j.text(&e.resolved)
	case "integrity":
		return j.text(&e.integrity)
	case "link":
		return j.truth(&e.link)
	case "bundled", "inBundle":
		return j.truth(&e.bundled)
	}
	return j.skip()
}

// npmPackage reads a member of packages: where it is installed, and what it is.
// The project itself, its workspaces and links to them are not below
// node_modules or have no version; what is bundled comes inside another package.
func (j *jsonReader) npmPackage(r *reader, path string, line int) error {
	var e npmEntry
	if err := j.object(func(key string, _ int) error { return j.npmField(&e, key) }); err != nil {
		return err
	}
	i := strings.LastIndex(path, "node_modules/")
	if i < 0 {
		return nil
	}
	if e.name == "" {
		e.name = path[i+len("node_modules/"):]
	}
	return r.npm(e, line)
}

// npmDependency reads a member of dependencies, with those below it.
func (j *jsonReader) npmDependency(r *reader, name string, line int) error {
	var e npmEntry
	err := j.object(func(key string, _ int) error {
		if key == "dependencies" {
			return j.object(func(name string, line int) error { return j.npmDependency(r, name, line) })
		}
		return j.npmField(&e, key)
	})
	if err != nil {
		return err
	}
	e.name = name
	return r.npm(e, line)
}

// npm notes one dependency. Beside an alias stands the name of what is meant.
func (r *reader) npm(e npmEntry, line int) error {
	if e.link || e.bundled || e.version == "" && e.resolved == "" {
		return nil
	}
	if spec, ok := strings.CutPrefix(e.version, "npm:"); ok {
		e.name, e.version = cutVersion(spec)
	}
	for _, reference := range []string{e.resolved, e.version} {
		kind, local := kindOf(reference)
		if kind == "url" && reference == e.resolved {
			continue // most likely at a registry
		}
		if local {
			return nil
		}
		if kind != "" {
			r.elsewhere(line, kind, reference)
			return nil
		}
	}
	address, _, _ := strings.Cut(e.resolved, "#")
	if kind, _ := kindOf(address); kind == "" {
		address = "" // the name of a file in a mirror of one's own
	}
	return r.add(e.name, e.version, Entry{Line: line, URL: address, Integrity: e.integrity})
}

// cutVersion cuts NAME@VERSION, where the name may begin with "@".
func cutVersion(spec string) (name, version string) {
	i := strings.LastIndexByte(spec, '@')
	if i <= 0 {
		return spec, ""
	}
	return spec[:i], spec[i+1:]
}
