package lockfile

// readNuGet reads packages.lock.json, which has a list for each framework
// (https://learn.microsoft.com/nuget/consume-packages/package-references-in-project-files#locking-dependencies).
func readNuGet(r *reader) error {
	j := r.json()
	return j.document(func(key string, _ int) error {
		if key != "dependencies" {
			return j.skip()
		}
		return j.object(func(string, int) error {
			return j.object(func(name string, line int) error { return j.nugetPackage(name, line) })
		})
	})
}

func (j *jsonReader) nugetPackage(name string, line int) error {
	var kind, version, digest string
	err := j.object(func(key string, _ int) error {
		switch key {
		case "type":
			return j.text(&kind)
		case "resolved":
			return j.text(&version)
		case "contentHash":
			return j.text(&digest)
		}
		return j.skip()
	})
	if err != nil || kind == "Project" || version == "" {
		return err
	}
	return j.add(name, version, Entry{Line: line, Integrity: digest})
}
