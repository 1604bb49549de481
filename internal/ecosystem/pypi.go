package ecosystem

import "strings"

// readPyPI reads the simple index (PEP 503, PEP 691), the JSON API, and the
// files of packages: wheels (PEP 427), source distributions (PEP 625) and what
// is published beside them (PEP 658, PEP 740). Files are known by their names
// wherever they lie: index servers put them in many places.
func readPyPI(base, rest string) (found, bool) {
	dir, file, _ := last(rest)
	if file == "provenance" { // integrity/NAME/VERSION/FILE/provenance
		_, file, _ = last(dir)
	}
	if f, ok := readPyPIFile(decode(file)); ok {
		return f, true
	}
	kind, tail, _ := first(rest)
	switch decode(kind) {
	case "simple", "+simple":
		return readPyPIProject(tail)
	case "pypi":
		return readPyPIJSON(tail)
	case "packages", "":
		return found{}, false
	}
	if strings.HasSuffix(base, "simple/") || strings.HasSuffix(rest, "/") {
		return readPyPIProject(rest)
	}
	return found{}, false
}

func readPyPIProject(tail string) (found, bool) {
	name, rest, _ := first(tail)
	name = decode(name)
	if rest != "" || !isWord(name, "._-") {
		return found{}, false
	}
	return found{name: normalPyPI(name)}, true
}

// readPyPIJSON reads NAME/json and NAME/VERSION/json.
func readPyPIJSON(tail string) (found, bool) {
	name, rest, _ := first(tail)
	f, ok := readPyPIProject(name)
	if version, ok := strings.CutSuffix(rest, "/json"); ok {
		f.version = decode(version)
		return f, isPyPIVersion(f.version) && f.name != ""
	}
	return f, ok && rest == "json"
}

func readPyPIFile(file string) (found, bool) {
	file, _ = trimOneSuffix(file, ".metadata", ".asc")
	if stem, ok := strings.CutSuffix(file, ".whl"); ok {
		return readWheel(stem, 5, 6)
	}
	if stem, ok := strings.CutSuffix(file, ".egg"); ok {
		return readWheel(stem, 3, 4)
	}
	stem, ok := trimOneSuffix(file, ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")
	if !ok {
		return found{}, false
	}
	// The version is what follows the last hyphen that a version follows, which may
	// begin with a v (PEP 440, "Preceding v character"): names with hyphens are older
	// than PEP 625, and tool-2a-v1.0 is no version of tool.
	for i := len(stem) - 2; i > 0; i-- {
		if stem[i] == '-' && beginsPyPIVersion(stem[i+1:]) {
			return pypiFile(stem[:i], stem[i+1:])
		}
	}
	return found{}, false
}

func beginsPyPIVersion(s string) bool {
	if s[0]|0x20 == 'v' {
		s = s[1:]
	}
	return s != "" && isDigit(s[0])
}

// readWheel reads NAME-VERSION-…, of at least low and at most high parts.
func readWheel(stem string, low, high int) (found, bool) {
	n := strings.Count(stem, "-") + 1
	if n < low || n > high || strings.Contains(stem, "--") || strings.HasSuffix(stem, "-") {
		return found{}, false
	}
	name, rest, _ := strings.Cut(stem, "-")
	version, _, _ := strings.Cut(rest, "-")
	return pypiFile(name, version)
}

func pypiFile(name, version string) (found, bool) {
	if !isWord(name, "._-") || !isPyPIVersion(version) {
		return found{}, false
	}
	return found{name: normalPyPI(name), version: version, artifact: true}, true
}

// isPyPIVersion is PEP 440's alphabet, with the underscore that file names use
// for a hyphen.
func isPyPIVersion(s string) bool { return isWord(s, ".!+_-") && strings.ContainsAny(s, "0123456789") }

// normalPyPI is PEP 503's normal form of a name.
func normalPyPI(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case c == '-' || c == '_' || c == '.':
			if i == 0 || strings.IndexByte("-_.", name[i-1]) < 0 {
				b.WriteByte('-')
			}
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// guessPyPI knows wheels anywhere, source distributions only where index servers
// put files (their names look like those of any archive), and index pages by
// "/simple/".
func guessPyPI(path, _ string) (found, bool) {
	dir, file, ok := last(path)
	if !ok {
		return found{}, false
	}
	if file == "provenance" {
		dir, file, _ = last(dir)
	}
	if f, ok := readPyPIFile(decode(file)); ok {
		start, marked := pypiFilesStart(dir)
		f.unsure = !strings.Contains(file, ".whl")
		return f.at(start), marked || !f.unsure
	}
	for _, mark := range []string{"/simple/", "/+simple/"} {
		if i := strings.Index(path, mark); i >= 0 {
			f, ok := readPyPIProject(path[i+len(mark):])
			return f.at(i + 1), ok
		}
	}
	return found{}, false
}

// pypiFilesStart returns where the base ends for files in dir: before the
// directory that index servers keep files in, else at the end of dir.
func pypiFilesStart(dir string) (start int, marked bool) {
	dir += "/"
	for _, mark := range []string{"/packages/pypi/files/", "/pypi/download/", "/+f/", "/packages/", "/simple/", "/integrity/"} {
		if i := strings.Index(dir, mark); i >= 0 {
			switch mark { // GitLab and Azure: the index is beside files
			case "/packages/pypi/files/":
				i += len("/packages/pypi")
			case "/pypi/download/":
				i += len("/pypi")
			}
			return i + 1, true
		}
	}
	return len(dir), false
}
