package lockfile

// readPDM reads pdm.lock. A package stands there once more for each set of extras,
// and one from elsewhere has git, url or path beside its name
// (https://github.com/pdm-project/pdm, Candidate.as_lockfile_entry).
func readPDM(r *reader) error {
	return r.tables(func(t *table) error {
		if t.name != "package" {
			return nil
		}
		d := newDistribution(t, "files")
		for _, vcs := range []string{"git", "hg", "svn", "bzr"} {
			if address := t.fields.get(vcs).text; address != "" {
				r.elsewhere(d.line, "git", address+" "+t.fields.get("revision").text)
				return nil
			}
		}
		switch {
		case t.fields.get("path").text != "":
			return nil
		case t.fields.get("url").text != "":
			r.elsewhere(d.line, "url", t.fields.get("url").text)
			return nil
		}
		return r.distribution(d)
	})
}
