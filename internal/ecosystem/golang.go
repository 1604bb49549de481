package ecosystem

import (
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// readGo reads the GOPROXY protocol (https://go.dev/ref/mod#goproxy-protocol)
// and the lookups of the checksum database, by itself or below a proxy's sumdb/
// (https://go.dev/design/25530-sumdb).
func readGo(_, rest string) (found, bool) {
	if tail, ok := cutSumDB(rest); ok {
		escaped, version, ok := strings.Cut(tail, "@")
		if !ok {
			return found{}, false
		}
		return goModule(escaped, strings.TrimSuffix(version, "/go.mod"))
	}
	if escaped, ok := strings.CutSuffix(rest, "/@latest"); ok {
		return goModule(escaped, "")
	}
	escaped, file, ok := strings.Cut(rest, "/@v/")
	switch {
	case !ok:
		return found{}, false
	case file == "list":
		return goModule(escaped, "")
	}
	version, ok := trimOneSuffix(file, ".info", ".mod", ".zip")
	if !ok {
		return found{}, false
	}
	f, ok := goModule(escaped, version)
	if f.version != "" {
		f.artifact = true
		return f, ok
	}
	// A branch or a prefix of a version is a question about the module, and only
	// .info answers it.
	return f, ok && strings.HasSuffix(file, ".info") && isWord(decode(version), "._!+~-")
}

// cutSumDB returns what follows "lookup/", at the start or below "sumdb/HOST/".
func cutSumDB(rest string) (string, bool) {
	if tail, ok := strings.CutPrefix(rest, "sumdb/"); ok {
		_, rest, _ = first(tail)
	}
	return strings.CutPrefix(rest, "lookup/")
}

// goModule undoes the escaping of capitals and keeps a version only when it is
// one.
func goModule(escapedPath, escapedVersion string) (found, bool) {
	path, err := module.UnescapePath(decode(escapedPath))
	if err != nil || len(path) > 1024 {
		return found{}, false
	}
	f := found{}
	f.namespace, f.name, _ = last(path)
	if escapedVersion == "" {
		return f, true
	}
	version, err := module.UnescapeVersion(decode(escapedVersion))
	if err != nil || len(version) > 255 {
		return found{}, false
	}
	if semver.IsValid(version) && strings.Count(version, ".") >= 2 {
		f.version = version
	}
	return f, true
}

// guessGo takes the base to end before the first segment that looks like the
// host name that a module path begins with.
func guessGo(path, _ string) (found, bool) {
	mark := strings.Index(path, "/@v/")
	if mark < 0 {
		mark = strings.Index(path, "/@latest")
	}
	if mark > 0 {
		start := goModuleStart(path[:mark])
		f, ok := readGo("", path[start:])
		return f.at(start), ok
	}
	if mark = strings.Index(path, "/lookup/"); mark < 0 {
		return found{}, false
	}
	start := mark + 1
	if i := strings.LastIndex(path[:mark+1], "/sumdb/"); i >= 0 {
		start = i + 1
	}
	f, ok := readGo("", path[start:])
	return f.at(start), ok && f.version != ""
}

func goModuleStart(path string) int {
	start := 1
	for segment := range strings.SplitSeq(path[1:], "/") {
		if strings.Contains(segment, ".") {
			return start
		}
		start += len(segment) + 1
	}
	return 1
}

// indexGo covers the tiles of the checksum database: which ones a client asks
// for depends on how far the log has grown.
func indexGo(rest string) string {
	prefix := ""
	if tail, ok := strings.CutPrefix(rest, "sumdb/"); ok {
		name, below, _ := first(tail)
		if !isWord(name, ".-") {
			return ""
		}
		prefix, rest = "sumdb/"+name+"/", below
	}
	if strings.HasPrefix(rest, "tile/") {
		return prefix + "tile/**"
	}
	return ""
}
