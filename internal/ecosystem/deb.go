package ecosystem

import "strings"

// readDeb reads the files of a Debian archive
// (the Debian wiki, DebianRepository/Format): binary packages
// NAME_VERSION_ARCH.deb, and the parts of source packages below pool/. The
// purl's namespace, the vendor, is known only for archives that name it.
func readDeb(base, rest string) (found, bool) {
	f, ok := readDebFile(rest)
	if ok {
		f.namespace = debVendor(base + rest)
	}
	return f, ok
}

func readDebFile(rest string) (found, bool) {
	_, file, _ := last(rest)
	file = decode(file)
	if strings.IndexByte(file, '%') >= 0 { // an epoch's colon, as dpkg writes it
		file = decode(file)
	}
	if stem, ok := trimOneSuffix(file, ".deb", ".udeb", ".ddeb"); ok {
		name, tail, _ := strings.Cut(stem, "_")
		version, arch, _ := strings.Cut(tail, "_")
		return debFile(name, version, arch)
	}
	if !strings.HasPrefix(rest, "pool/") && !strings.Contains(rest, "/pool/") {
		return found{}, false
	}
	name, tail, ok := strings.Cut(strings.TrimSuffix(file, ".asc"), "_")
	if !ok {
		return found{}, false
	}
	version, ok := strings.CutSuffix(tail, ".dsc")
	if !ok {
		version, ok = cutTar(tail)
	}
	if !ok {
		return found{}, false
	}
	return debFile(name, version, "source")
}

// cutTar returns the version before .orig.tar.xz, .orig-COMPONENT.tar.xz,
// .debian.tar.xz, .diff.gz or .tar.xz.
func cutTar(tail string) (string, bool) {
	if v, ok := strings.CutSuffix(tail, ".diff.gz"); ok {
		return v, true
	}
	stem, ok := trimOneSuffix(tail, ".tar.xz", ".tar.gz", ".tar.bz2", ".tar.zst", ".tar.lzma")
	if !ok {
		return "", false
	}
	if v, ok := trimOneSuffix(stem, ".orig", ".debian"); ok {
		return v, true
	}
	if i := strings.LastIndex(stem, ".orig-"); i > 0 {
		return stem[:i], true
	}
	return stem, true
}

func debFile(name, version, arch string) (found, bool) {
	if !isWord(name, "+.-") || !isWord(version, ".+~:-") || !isWord(arch, "-") {
		return found{}, false
	}
	return found{name: name, version: version, arch: arch, artifact: true}, true
}

// debVendor reads the vendor out of the directory above pool/, which mirrors
// keep: debian, debian-security, ubuntu, ubuntu-ports.
func debVendor(path string) string {
	i := strings.Index(path, "/pool/")
	if i < 0 {
		return ""
	}
	_, archive, _ := last(path[:i])
	vendor, _, _ := strings.Cut(archive, "-")
	switch vendor {
	case "debian", "ubuntu":
		return vendor
	}
	return ""
}

func guessDeb(path, _ string) (found, bool) {
	f, ok := readDebFile(path)
	if !ok {
		return found{}, false
	}
	f.namespace = debVendor(path)
	i := strings.Index(path, "/pool/")
	if i < 0 {
		i = strings.LastIndexByte(path, '/')
	}
	if j := strings.Index(path[:i+1], "/dists/"); j >= 0 {
		i = j // some archives keep their pool below a suite
	}
	return f.at(i + 1), true
}

// indexDeb covers a suite: its by-hash names change with every update of the
// archive.
func indexDeb(rest string) string {
	tail, ok := strings.CutPrefix(rest, "dists/")
	if !ok {
		return ""
	}
	suite, _, more := first(tail)
	if !more || !isWord(decode(suite), "._+~-") {
		return ""
	}
	return "dists/" + suite + "/**"
}

// guessDebIndex knows an archive by the file that every client of one reads
// first, <base>dists/SUITE/InRelease.
func guessDebIndex(path string) (base int, ok bool) {
	i := strings.Index(path, "/dists/")
	if i < 0 || !strings.HasSuffix(path, "/InRelease") && !strings.HasSuffix(path, "/Release") {
		return 0, false
	}
	return i + 1, indexDeb(path[i+1:]) != ""
}
