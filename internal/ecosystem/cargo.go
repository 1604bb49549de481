package ecosystem

import "strings"

// readCargo reads the sparse index and the downloads of a Cargo registry
// (https://doc.rust-lang.org/cargo/reference/registry-index.html). Names are
// folded to lower case, as the index does in its paths: a registry holds no two
// crates whose names differ in case alone.
func readCargo(_, rest string) (found, bool) {
	for _, dir := range []string{"api/v1/crates/", "v1/crates/", "crates/"} {
		if tail, ok := strings.CutPrefix(rest, dir); ok {
			rest = tail
			break
		}
	}
	if f, ok := readCrate(rest); ok {
		return f, true
	}
	return readCargoIndex(strings.TrimPrefix(rest, "index/"))
}

// readCrate reads NAME/VERSION/download and [NAME/]NAME-VERSION.crate.
func readCrate(rest string) (found, bool) {
	dir, file, below := last(rest)
	if file == "download" {
		name, version, ok := strings.Cut(dir, "/")
		if !ok {
			return found{}, false
		}
		return crate(decode(name), decode(version))
	}
	stem, ok := strings.CutSuffix(decode(file), ".crate")
	if !ok {
		return found{}, false
	}
	if below {
		version, ok := strings.CutPrefix(stem, dir+"-")
		if !ok {
			return found{}, false
		}
		return crate(dir, version)
	}
	for i := 1; i < len(stem)-1; i++ {
		if stem[i] == '-' && isDigit(stem[i+1]) && isSemver(stem[i+1:]) {
			return crate(stem[:i], stem[i+1:])
		}
	}
	return found{}, false
}

func crate(name, version string) (found, bool) {
	if !isCrateName(name) || !isSemver(version) {
		return found{}, false
	}
	return found{name: strings.ToLower(name), version: version, artifact: true}, true
}

func isCrateName(name string) bool { return len(name) <= 64 && isWord(name, "_-") }

// readCargoIndex reads 1/a, 2/ab, 3/a/abc and ab/cd/abcdef; the prefix must
// agree with the name.
func readCargoIndex(rest string) (found, bool) {
	dir, name, ok := last(rest)
	if !ok || !isCrateName(name) {
		return found{}, false
	}
	switch n := len(name); {
	case n <= 2:
		ok = len(dir) == 1 && int(dir[0]-'0') == n
	case n == 3:
		ok = len(dir) == 3 && dir[:2] == "3/" && strings.EqualFold(dir[2:], name[:1])
	default:
		ok = len(dir) == 5 && dir[2] == '/' &&
			strings.EqualFold(dir[:2], name[:2]) && strings.EqualFold(dir[3:], name[2:4])
	}
	if !ok {
		return found{}, false
	}
	return found{name: strings.ToLower(name)}, true
}

// guessCargo knows downloads by "/crates/" or the file name, and index files of
// names of three characters or more by their prefix.
func guessCargo(path, _ string) (found, bool) {
	if strings.HasSuffix(path, "/download") || strings.HasSuffix(path, ".crate") {
		return guessCrate(path)
	}
	// The last two or three segments.
	start := len(path)
	for range 3 {
		if start = strings.LastIndexByte(path[:start], '/'); start < 0 {
			return found{}, false
		}
	}
	f, ok := readCargoIndex(path[start+1:])
	return f.at(start + 1), ok && len(f.name) >= 3
}

func guessCrate(path string) (found, bool) {
	for _, mark := range []string{"/api/v1/crates/", "/v1/crates/", "/crates/"} {
		if i := strings.LastIndex(path, mark); i >= 0 {
			f, ok := readCargo("", path[i+1:])
			return f.at(i + 1), ok && f.artifact
		}
	}
	if !strings.HasSuffix(path, ".crate") {
		return found{}, false
	}
	dir, _, _ := last(path)
	start := strings.LastIndexByte(dir, '/') + 1
	f, ok := readCrate(path[max(start, 1):])
	if !ok { // the file alone
		start = len(dir) + 1
		f, ok = readCrate(path[start:])
	}
	return f.at(max(start, 1)), ok
}
