package ecosystem

import "strings"

// readMaven reads the layout of a Maven 2 repository: GROUP/ARTIFACT/VERSION/
// ARTIFACT-VERSION[-CLASSIFIER].EXTENSION with the group's dots as slashes, and
// maven-metadata.xml above. Checksums and signatures belong to their file.
// See https://maven.apache.org/repository/layout.html.
func readMaven(_, rest string) (found, bool) {
	dir, file, ok := last(rest)
	if !ok {
		return found{}, false
	}
	f, group, ok := readMavenTail(dir, decode(file))
	if !ok || group == "" || len(group) > 1024 {
		return found{}, false
	}
	for segment := range strings.SplitSeq(group, "/") {
		if !isMavenWord(segment) {
			return found{}, false
		}
	}
	f.namespace = strings.ReplaceAll(group, "/", ".")
	return f, true
}

// readMavenTail reads everything but the group, and returns where that is.
func readMavenTail(dir, file string) (f found, group string, ok bool) {
	above, version, _ := last(dir)
	if isMavenMetadata(file) {
		if v := decode(version); strings.HasSuffix(v, "-SNAPSHOT") && isMavenWord(v) {
			f.version = v
			group, f.name, _ = last(above)
		} else {
			group, f.name = above, version
		}
		return f, group, isMavenWord(f.name)
	}
	group, f.name, _ = last(above)
	f.version = decode(version)
	f.artifact = true
	stem := strings.TrimSuffix(f.version, "SNAPSHOT") // a snapshot's files carry a date
	tail, ok := cutPrefixes(file, f.name, "-", stem)
	ok = ok && isMavenWord(f.name) && isMavenWord(f.version) && isWord(file, "._+~-")
	return f, group, ok && (stem != f.version || strings.HasPrefix(tail, ".") || strings.HasPrefix(tail, "-"))
}

func cutPrefixes(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		rest, ok := strings.CutPrefix(s, p)
		if !ok {
			return s, false
		}
		s = rest
	}
	return s, true
}

func isMavenWord(s string) bool { return isWord(s, "._+~-") }

func isMavenMetadata(file string) bool {
	file, _ = trimMavenDigest(file)
	return file == "maven-metadata.xml"
}

func trimMavenDigest(file string) (string, bool) {
	return trimOneSuffix(file, ".sha1", ".md5", ".sha256", ".sha512", ".asc")
}

// mavenExtensions are those of files that hardly anything but a Maven repository
// holds in a directory named after their version.
var mavenExtensions = []string{".jar", ".pom", ".module", ".aar", ".war", ".ear", ".klib", ".nbm", ".hpi"}

func guessMaven(path, _ string) (found, bool) {
	dir, file, ok := last(path)
	if !ok || dir == "" {
		return found{}, false
	}
	bare, trimmed := trimMavenDigest(file)
	for trimmed { // .asc.sha1
		bare, trimmed = trimMavenDigest(bare)
	}
	if _, ok := trimOneSuffix(bare, mavenExtensions...); !ok && bare != "maven-metadata.xml" {
		return found{}, false
	}
	_, group, ok := readMavenTail(dir, decode(file))
	if !ok || len(group) < 2 {
		return found{}, false
	}
	start, certain := mavenGroupStart(group)
	f, ok := readMaven("", path[start:])
	f.baseUnsure = !certain
	return f.at(start), ok
}

// mavenGroupStart returns where the group begins in a path that ends in it. Most
// groups begin with a top-level domain; where none is seen, the group is taken to
// be the last segment alone.
func mavenGroupStart(path string) (start int, certain bool) {
	start = 1
	for segment := range strings.SplitSeq(path[1:], "/") {
		if isTopLevel(segment) {
			return start, true
		}
		start += len(segment) + 1
	}
	return strings.LastIndexByte(path, '/') + 1, false
}

// isTopLevel knows the domains that groups begin with; two letters are a
// country's.
func isTopLevel(s string) bool {
	switch s {
	case "com", "org", "net", "dev", "edu", "gov", "info", "app", "biz", "javax", "jakarta":
		return true
	}
	return len(s) == 2 && !isDigit(s[0]) && !isDigit(s[1]) && s == strings.ToLower(s)
}
