package ecosystem

import "strings"

// readComposer reads a Composer repository: p2/VENDOR/NAME.json and what it was
// called before, and the archives of those that keep their own: Satis
// (dist/VENDOR/NAME/VENDOR-NAME-VERSION-REFERENCE.zip), Private Packagist and
// Repman (dists/VENDOR/NAME/VERSION/REFERENCE.zip), and Nexus
// (VENDOR/NAME/VERSION/FILE.zip). Most archives lie at a code host instead, and
// are no business of this file. See https://getcomposer.org/doc/05-repositories.md.
func readComposer(_, rest string) (found, bool) {
	kind, tail, _ := first(rest)
	switch kind {
	case "p2", "p":
		return readComposerMetadata(tail)
	case "dist":
		return readSatis(tail)
	case "dists":
		rest = tail
	}
	return readComposerArchive(rest)
}

// readComposerMetadata reads VENDOR/NAME.json, VENDOR/NAME~dev.json and
// VENDOR/NAME$SHA256.json.
func readComposerMetadata(tail string) (found, bool) {
	vendor, file, _ := first(tail)
	file, ok := strings.CutSuffix(decode(file), ".json")
	if !ok {
		return found{}, false
	}
	if name, digest, hashed := strings.Cut(file, "$"); hashed {
		if !isDigest("sha256:" + digest) {
			return found{}, false
		}
		file = name
	}
	f, ok := composerName(vendor, strings.TrimSuffix(file, "~dev"))
	f.plain = true
	return f, ok
}

// composerName folds names to lower case, as Composer compares them.
func composerName(vendor, name string) (found, bool) {
	return found{namespace: strings.ToLower(vendor), name: strings.ToLower(name)}, isWord(vendor, "._-") && isWord(name, "._-")
}

// readSatis reads VENDOR/NAME/FILE, whose name repeats both. The version stands
// between that and the references of archive and source
// (Composer\Package\Archiver\ArchiveManager): where an archive comes from a
// commit, the commit is all that the name has.
func readSatis(tail string) (found, bool) {
	dir, file, _ := last(tail)
	vendor, name, _ := first(dir)
	f, ok := composerName(vendor, name)
	if !ok {
		return found{}, false
	}
	stem, ok := cutComposerArchive(decode(file))
	if !ok {
		return found{}, false
	}
	version, ok := strings.CutPrefix(stem, plainComposer(vendor)+"-"+plainComposer(name)+"-")
	if !ok {
		return found{}, false
	}
	if commit, _, _ := strings.Cut(version, "-"); isHex(commit, 40) {
		version = commit
	} else if i := strings.LastIndexByte(version, '-'); i > 0 && isHex(version[i+1:], 6) {
		version = version[:i]
	}
	f.version, f.artifact = version, true
	return f, isComposerVersion(version)
}

// plainComposer is how file names spell a vendor or a name.
func plainComposer(s string) string { return strings.ReplaceAll(s, ".", "-") }

// readComposerArchive reads VENDOR/NAME/VERSION/FILE.
func readComposerArchive(rest string) (found, bool) {
	dir, file, _ := last(rest)
	dir, version, _ := last(dir)
	vendor, name, _ := first(dir)
	f, ok := composerName(vendor, name)
	f.version, f.artifact, f.unsure = decode(version), true, true
	file, isArchive := cutComposerArchive(decode(file))
	return f, ok && isArchive && isComposerVersion(f.version) && isWord(file, "._+~-")
}

// askComposer reads GitLab's archives/VENDOR/NAME.zip?sha=COMMIT.
func askComposer(rest, query string) (found, bool) {
	tail, ok := strings.CutPrefix(rest, "archives/")
	commit, asked := strings.CutPrefix(query, "sha=")
	vendor, file, _ := first(tail)
	name, isArchive := strings.CutSuffix(file, ".zip")
	f, named := composerName(vendor, name)
	f.version, f.artifact = commit, true
	return f, ok && asked && isArchive && named && isHex(commit, 40)
}

func cutComposerArchive(file string) (string, bool) {
	return trimOneSuffix(file, ".zip", ".tar", ".tar.gz", ".tar.bz2")
}

func isComposerVersion(s string) bool {
	return isWord(s, "._+~-") && strings.ContainsAny(s, "0123456789") || strings.HasPrefix(s, "dev-") && isWord(s, "._+~-")
}

func isHex(s string, size int) bool {
	return len(s) == size && strings.Trim(s, "0123456789abcdef") == ""
}

// indexComposer covers the files of all packages whose names hold a digest of
// what is in them.
func indexComposer(rest string) string {
	for _, kind := range []struct{ prefix, pattern string }{
		{"p/provider-", "p/provider-*.json"},
		{"include/all$", "include/all$*.json"},
	} {
		name, ok := strings.CutPrefix(rest, kind.prefix)
		if ok && isWord(name, "$.-") && strings.HasSuffix(name, ".json") {
			return kind.pattern
		}
	}
	return ""
}

// guessComposer knows metadata by p2/ or by its digest, and archives where they
// lie beside that.
func guessComposer(path, _ string) (found, bool) {
	if _, isArchive := cutComposerArchive(path); !isArchive && !strings.HasSuffix(path, ".json") {
		return found{}, false // as most paths that every request is asked about
	}
	for _, mark := range []string{"/p2/", "/p/", "/dist/", "/dists/"} {
		i := lastIndex(path, mark)
		if i < 0 || mark == "/p/" && !strings.Contains(path, "$") && !strings.Contains(path, "%24") {
			continue
		}
		f, ok := readComposer("", path[i+1:])
		return f.at(i + 1), ok
	}
	return found{}, false
}
