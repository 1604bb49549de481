package ecosystem

import "strings"

// readGem reads what RubyGems and Bundler ask a gem server for: the files of
// gems, gems/NAME-VERSION[-PLATFORM].gem, their specifications, the compact
// index (info/NAME) and the JSON API. See the RubyGems Guides,
// "RubyGems API" and "Compact Index API". What is about the server as a whole (versions,
// names, specs.4.8.gz and api/v1/dependencies, which asks about many gems at
// once) is no package.
//
// A gem's platform is left out of the purl: a version is one release by one
// owner on every platform, and its info file is about all of them.
func readGem(_, rest string) (found, bool) {
	if tail, ok := strings.CutPrefix(rest, "info/"); ok {
		return gem(decode(tail), "")
	}
	if tail, ok := strings.CutPrefix(rest, "api/"); ok {
		return readGemAPI(tail)
	}
	for _, kind := range gemFiles {
		if file, ok := strings.CutPrefix(rest, kind.dir); ok {
			stem, ok := strings.CutSuffix(decode(file), kind.suffix)
			if !ok {
				return found{}, false
			}
			return splitGem(stem)
		}
	}
	return found{}, false
}

// gemFiles are where a server keeps the files of gems, the longer names first.
var gemFiles = []struct{ dir, suffix string }{
	{"gems/", ".gem"},
	{"quick/Marshal.4.8/", ".gemspec.rz"},
}

// gemFormats are what the JSON API answers in.
var gemFormats = []string{".json", ".yaml", ".xml"}

// readGemAPI reads v1/gems/NAME.json, v1/versions/NAME.json,
// v1/versions/NAME/latest.json and v2/rubygems/NAME/versions/VERSION.json.
func readGemAPI(rest string) (found, bool) {
	rest, ok := trimOneSuffix(rest, gemFormats...)
	if !ok {
		return found{}, false
	}
	if tail, ok := strings.CutPrefix(rest, "v2/rubygems/"); ok {
		name, tail, _ := first(tail)
		version, ok := strings.CutPrefix(tail, "versions/")
		if version = decode(version); !ok || !isGemVersion(version) {
			return found{}, false
		}
		return gem(decode(name), version)
	}
	if tail, ok := strings.CutPrefix(rest, "v1/versions/"); ok {
		name, tail, more := first(tail)
		if more && tail != "latest" {
			return found{}, false
		}
		return gem(decode(name), "")
	}
	name, ok := strings.CutPrefix(rest, "v1/gems/")
	if !ok {
		return found{}, false
	}
	return gem(decode(name), "")
}

// askGem reads api/v1/dependencies?gems=NAME. With several names, or any other
// parameter, the request is about no one gem.
func askGem(rest, query string) (found, bool) {
	name, ok := strings.CutPrefix(query, "gems=")
	if !ok || rest != "api/v1/dependencies" && rest != "api/v1/dependencies.json" {
		return found{}, false
	}
	return gem(name, "")
}

func gem(name, version string) (found, bool) {
	return found{name: name, version: version}, isWord(name, "._-")
}

// splitGem reads NAME-VERSION[-PLATFORM]. Names may hold hyphens and numbers, and
// platforms may end in numbers, so some file names can be read in two ways:
// tool-1.0-arm64-darwin-21 is version 1.0 of tool, or version 21 of a gem that
// somebody called tool-1.0-arm64-darwin (CVE-2022-29218). Those name nothing.
func splitGem(stem string) (f found, ok bool) {
	for i := 1; i < len(stem)-1; i++ {
		if stem[i] != '-' || !isDigit(stem[i+1]) {
			continue
		}
		version, platform, more := strings.Cut(stem[i+1:], "-")
		if !isGemVersion(version) || more && !isGemPlatform(platform) {
			continue
		}
		if ok {
			return found{}, false
		}
		if f, ok = gem(stem[:i], version); !ok {
			return found{}, false
		}
	}
	f.artifact = true
	return f, ok
}

// isGemVersion is Gem::Version's pattern for what stands in file names, where a
// hyphen is spelled out.
func isGemVersion(s string) bool {
	number, _, _ := strings.Cut(s, ".")
	return strings.Trim(number, "0123456789") == "" && isWord(s, ".") && !strings.Contains(s, "..") && !strings.HasSuffix(s, ".")
}

// isGemPlatform reports whether s is written as Gem::Platform writes one:
// [CPU-]SYSTEM[-VERSION], as in java, x86_64-linux-musl and universal-darwin-22.
func isGemPlatform(s string) bool {
	cpu, rest, _ := strings.Cut(s, "-")
	if isGemSystem(cpu) {
		return isGemSystemVersion(rest)
	}
	system, rest, _ := strings.Cut(rest, "-")
	return isWord(cpu, "_") && !isDigit(cpu[0]) && isGemSystem(system) && isGemSystemVersion(rest)
}

func isGemSystem(s string) bool {
	switch strings.TrimRight(s, "0123456789.") {
	case "aix", "android", "cygwin", "dalvik", "darwin", "dotnet", "freebsd", "java", "jruby", "linux", "macruby",
		"mingw", "mswin", "netbsd", "netbsdelf", "openbsd", "solaris", "unknown", "wasi":
		return true
	}
	return false
}

func isGemSystemVersion(s string) bool { return s == "" || isWord(s, "._") }

// guessGem knows the files of gems by where they lie and what they are called,
// and the JSON API by its words. The compact index it does not: info/NAME could
// be anything.
func guessGem(path, _ string) (found, bool) {
	for _, kind := range gemFiles {
		if !strings.HasSuffix(path, kind.suffix) {
			continue
		}
		dir, _, _ := last(path)
		if !strings.HasSuffix(dir+"/", "/"+kind.dir) {
			return found{}, false
		}
		start := len(dir) + 1 - len(kind.dir)
		f, ok := readGem("", path[start:])
		return f.at(start), ok
	}
	if _, ok := trimOneSuffix(path, gemFormats...); !ok {
		return found{}, false
	}
	for _, mark := range []string{"/api/v1/gems/", "/api/v2/rubygems/"} {
		if i := strings.Index(path, mark); i >= 0 {
			f, ok := readGem("", path[i+1:])
			return f.at(i + 1), ok
		}
	}
	return found{}, false
}
