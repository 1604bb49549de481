package ecosystem

import "strings"

// readNPM reads the paths of the npm registry API and of the proxies that speak
// it: NAME, NAME/VERSION, NAME/-/FILE.tgz, with NAME scoped as @scope/name or
// @scope%2Fname. See https://github.com/npm/registry, docs/REGISTRY-API.md.
func readNPM(_, rest string) (found, bool) {
	if f, ok := readNPMService(rest); ok {
		return f, true
	}
	f, rest, ok := cutNPMName(rest)
	if !ok {
		return found{}, false
	}
	if rest == "" {
		return f, true
	}
	kind, file, more := first(rest)
	switch {
	case (kind == "-" || kind == "download") && more:
		return f.tarball(file)
	case !more:
		// A version or a dist-tag; the latter is a question about the package.
		v := decode(kind)
		if isSemver(v) {
			f.version = v
		}
		return f, isWord(v, "._~^+-")
	}
	return found{}, false
}

// readNPMService reads the paths that put something before the name.
func readNPMService(rest string) (found, bool) {
	if tail, ok := strings.CutPrefix(rest, "-/package/"); ok { // dist-tags
		f, what, ok := cutNPMName(tail)
		return f, ok && strings.HasPrefix(what, "dist-tags")
	}
	if tail, ok := strings.CutPrefix(rest, "-/npm/v1/attestations/"); ok {
		tail = decode(tail)
		i := strings.LastIndexByte(tail, '@')
		if i <= 0 || !isSemver(tail[i+1:]) {
			return found{}, false
		}
		f, what, ok := cutNPMName(tail[:i])
		f.version = tail[i+1:]
		return f, ok && what == ""
	}
	// GitHub's npm registry: download/@scope/name/VERSION/DIGEST.
	if tail, ok := strings.CutPrefix(rest, "download/@"); ok {
		f, what, ok := cutNPMName("@" + tail)
		version, digest, more := first(what)
		if !ok || !more || !isSemver(version) || !isWord(digest, "") {
			return found{}, false
		}
		f.version, f.artifact = version, true
		return f, true
	}
	return found{}, false
}

// tarball reads a file name, which must repeat the package's name: what is asked
// for is the file, so the two must not be able to differ.
func (f found) tarball(file string) (found, bool) {
	file = decode(file)
	if f.namespace != "" { // some proxies repeat the scope too
		file = strings.TrimPrefix(file, f.namespace+"/")
	}
	version, ok := strings.CutPrefix(file, f.name+"-")
	if !ok {
		return found{}, false
	}
	version, ok = strings.CutSuffix(version, ".tgz")
	if !ok || !isSemver(version) {
		return found{}, false
	}
	f.version, f.artifact = version, true
	return f, true
}

// cutNPMName cuts a package name off a path.
func cutNPMName(path string) (f found, rest string, ok bool) {
	segment, rest, more := first(path)
	name := decode(segment)
	if strings.HasPrefix(name, "@") {
		scope, bare, joined := strings.Cut(name, "/")
		if !joined {
			if !more {
				return found{}, "", false
			}
			segment, rest, more = first(rest)
			bare = decode(segment)
		}
		if !isWord(scope[1:], "._~-") {
			return found{}, "", false
		}
		f.namespace, name = scope, bare
	}
	if more && rest == "" {
		return found{}, "", false // a directory, not a package
	}
	f.name = name
	ok = isWord(name, "._~-") && name != "favicon.ico" && name != "node_modules"
	return f, rest, ok && len(name) <= 214
}

// guessNPM knows a tarball by "/-/" and by a file name that repeats the name,
// and a packument by the media type that only npm clients ask for.
func guessNPM(path, accept string) (found, bool) {
	if strings.HasSuffix(path, ".tgz") {
		for _, mark := range []string{"/-/", "/download/"} {
			if i := strings.LastIndex(path, mark); i > 0 {
				start := npmNameStart(path[:i])
				f, ok := readNPM("", path[start:])
				return f.at(start), ok && f.artifact
			}
		}
		return found{}, false
	}
	// GitHub's, which puts the scope behind it.
	if i := lastIndex(path, "/download/@"); i >= 0 {
		f, ok := readNPM("", path[i+1:])
		return f.at(i + 1), ok && f.artifact
	}
	if !strings.Contains(accept, "application/vnd.npm.install-v1+json") {
		return found{}, false
	}
	start := npmNameStart(path)
	f, ok := readNPM("", path[start:])
	return f.at(start), ok
}

// npmNameStart returns where the name at the end of path begins.
func npmNameStart(path string) int {
	name := strings.LastIndexByte(path, '/')
	scope := strings.LastIndexByte(path[:max(name, 0)], '/')
	if name > 0 && scope >= 0 && strings.HasPrefix(decode(path[scope+1:name]), "@") {
		return scope + 1
	}
	return name + 1
}
