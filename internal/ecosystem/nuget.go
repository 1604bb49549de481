package ecosystem

import (
	"net/url"
	"strings"
)

// readNuGet reads the NuGet V3 protocol (https://learn.microsoft.com/nuget/api):
// the files of packages, which repeat ID and version in directory and name, the
// lists of versions beside them, and registrations; and V2's package/ID/VERSION
// and Packages(Id='ID',Version='VERSION'). Where a feed keeps each of them is
// its own to say, in its service index, so they are known by their last
// segments. IDs and versions are folded to lower case: a feed does not tell them
// apart, and V3 asks in lower case.
func readNuGet(base, rest string) (found, bool) {
	dir, file, below := last(rest)
	if f, ok := readNuGetEntry(decode(file)); ok || !below {
		return f, ok
	}
	above, parent, _ := last(dir)
	kind := lastOf(above)
	switch decoded := decode(file); {
	case strings.HasSuffix(decoded, ".nupkg"), strings.HasSuffix(decoded, ".nuspec"):
		return readNuGetFile(lastOf(above), parent, decoded)
	case decoded == "index.json" || decoded == "index":
		f := nuget(parent, "")
		return f, f.name != "" && (isNuGetFiles(kind) || isNuGetRegistration(kind) || above == "" && isFeed(base) && parent != "v3")
	case isNuGetRegistration(kind) || above == "" && isFeed(base) && strings.HasSuffix(decoded, ".json"):
		f := nuget(parent, strings.TrimSuffix(decoded, ".json"))
		return f, f.name != "" && f.version != ""
	case kind == "package" || kind == "download" || kind == "Download" || above == "" && isFeed(base):
		f := nuget(parent, decoded)
		f.artifact, f.unsure = true, true
		return f, f.name != "" && f.version != ""
	}
	return readNuGetPage(rest)
}

// isFeed reports whether a base is that of one feed, so that what is directly
// below it is about packages: at the root of a host it may be anything.
func isFeed(base string) bool { return base != "/" && base != "" }

// lastOf returns the last segment of a path.
func lastOf(path string) string {
	_, segment, _ := last(path)
	return segment
}

// readNuGetFile reads ID/VERSION/ID.VERSION.nupkg and ID/VERSION/ID.nuspec.
func readNuGetFile(id, version, file string) (found, bool) {
	f := nuget(id, decode(version))
	file = strings.ToLower(file)
	f.artifact = true
	return f, f.name != "" && f.version != "" && (file == f.name+"."+f.version+".nupkg" || file == f.name+".nuspec")
}

// readNuGetPage reads REGISTRATION/ID/page/FROM/TO.json.
func readNuGetPage(rest string) (found, bool) {
	dir, to, _ := last(rest)
	dir, from, _ := last(dir)
	dir, page, _ := last(dir)
	dir, id, _ := last(dir)
	to, ok := strings.CutSuffix(decode(to), ".json")
	f := nuget(id, "")
	return f, ok && page == "page" && f.name != "" && isNuGetRegistration(lastOf(dir)) && isNuGetVersion(decode(from)) && isNuGetVersion(to)
}

// readNuGetEntry reads Packages(Id='ID',Version='VERSION').
func readNuGetEntry(segment string) (found, bool) {
	inner, ok := strings.CutPrefix(segment, "Packages(Id='")
	if !ok {
		return found{}, false
	}
	id, version, ok := strings.Cut(strings.TrimSuffix(inner, "')"), "',Version='")
	f := nuget(id, version)
	return f, ok && strings.HasSuffix(inner, "')") && f.name != "" && f.version != ""
}

// askNuGet reads FindPackagesById()?id='ID' of V2.
func askNuGet(rest, query string) (found, bool) {
	if lastOf(rest) != "FindPackagesById()" {
		return found{}, false
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values["id"]) != 1 {
		return found{}, false
	}
	for name := range values {
		if name != "id" && strings.EqualFold(name, "id") {
			return found{}, false // a server that tells no case apart has two of them
		}
	}
	id, ok := strings.CutPrefix(values.Get("id"), "'")
	id, closed := strings.CutSuffix(id, "'")
	f := nuget(id, "")
	return f, ok && closed && f.name != ""
}

// nuget leaves out what is no ID or no version.
func nuget(id, version string) (f found) {
	if id = decode(id); len(id) <= 100 && isWord(id, "._-") {
		f.name = strings.ToLower(id)
	}
	if isNuGetVersion(version) {
		f.version = strings.ToLower(version)
	}
	return f
}

// isNuGetVersion reports whether s is up to four numbers and what Semantic
// Versioning 2.0.0 lets follow them.
func isNuGetVersion(s string) bool {
	if !isWord(s, ".-+") || strings.HasSuffix(s, ".") {
		return false
	}
	core := s[:len(s)-len(strings.TrimLeft(s, "0123456789."))]
	rest := s[len(core):]
	return core != "" && strings.Count(core, ".") <= 3 && !strings.Contains(core, "..") && !strings.HasSuffix(core, ".") &&
		(rest == "" || rest[0] == '-' || rest[0] == '+')
}

// isNuGetFiles knows the directories in which feeds keep the files of packages
// and the lists of their versions.
func isNuGetFiles(segment string) bool {
	switch segment {
	case "v3-flatcontainer", "flatcontainer", "flat2", "content", "package", "download":
		return true
	}
	return false
}

// isNuGetRegistration knows registration5-gz-semver2 and its kin, and GitLab's
// word for them.
func isNuGetRegistration(segment string) bool {
	return strings.HasPrefix(segment, "registration") || segment == "metadata"
}

// guessNuGet knows a file by its name, which repeats its directories, and what V2
// has by its words. Where the directory above is one that feeds use, the
// base ends before it.
func guessNuGet(path, _ string) (found, bool) {
	dir, file, _ := last(path)
	switch {
	case strings.IndexByte(file, '.') < 0:
		return found{}, false
	case strings.Contains(dir, "/api/v2/package/"):
		i := strings.Index(path, "/api/v2/package/")
		f, ok := readNuGet("", path[i+1:])
		return f.at(i + 1), ok && f.artifact
	case strings.HasPrefix(file, "Packages("):
		start := len(strings.TrimSuffix(strings.TrimSuffix(dir, "/v2"), "/api")) + 1
		f, ok := readNuGet("", path[start:])
		f.plain = true
		return f.at(start), ok
	case strings.HasSuffix(file, ".nupkg"):
		dir, _, _ = last(dir)
		dir, _, _ = last(dir)
	case file == "index.json":
		dir, _, _ = last(dir)
	default:
		return found{}, false
	}
	start := nugetStart(dir)
	f, ok := readNuGet("", path[start:])
	return f.at(start), ok
}

// nugetStart returns where the base ends for the directory of a kind of files.
func nugetStart(dir string) int {
	above, kind, _ := last(dir)
	if !isNuGetFiles(kind) && !isNuGetRegistration(kind) {
		return len(dir) + 1
	}
	if higher, version, ok := last(above); ok && version == "v3" {
		above = higher
	}
	return len(above) + 1
}
