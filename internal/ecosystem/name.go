package ecosystem

import (
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Purl returns the canonical purl of a package by the name and the version that
// its own tools write (@scope/name, golang.org/x/mod), spelled as Identify spells
// a file of that package. It returns "" for what no such file could be named.
func Purl(typ, name, version string) string {
	var f found
	var ok bool
	switch typ {
	case "npm":
		f, ok = nameNPM(name, version)
	case "pypi":
		f, ok = pypiFile(name, version)
	case "golang":
		f, ok = nameGo(name, version)
	case "cargo":
		f, ok = crate(name, version)
	case "gem":
		f, ok = nameGem(name, version)
	case "nuget":
		f = nuget(name, version)
		ok = f.name != "" && f.version != "" && !strings.Contains(name, "%")
	case "composer":
		vendor, bare, _ := strings.Cut(name, "/")
		f, ok = composerName(vendor, bare)
		f.version, ok = version, ok && isComposerVersion(version)
	}
	if !ok {
		return ""
	}
	return f.purl(typ)
}

// PurlName returns the canonical purl of a package without a version, as Purl
// spells it, or "".
func PurlName(typ, name string) string {
	example := "1.0.0"
	if typ == "golang" {
		example = "v1.0.0"
	}
	purl := Purl(typ, name, example)
	return strings.TrimSuffix(purl, "@"+example)
}

func nameNPM(name, version string) (found, bool) {
	f, rest, ok := cutNPMName(name)
	f.version = version
	return f, ok && rest == "" && isSemver(version) && !strings.Contains(name, "%")
}

// nameGem leaves out the platform that Bundler writes behind a version.
func nameGem(name, version string) (found, bool) {
	version, platform, more := strings.Cut(version, "-")
	f, ok := gem(name, version)
	return f, ok && isGemVersion(version) && (!more || isGemPlatform(platform))
}

func nameGo(path, version string) (found, bool) {
	if _, err := module.EscapePath(path); err != nil || len(path) > 1024 {
		return found{}, false
	}
	f := found{version: version}
	f.namespace, f.name, _ = last(path)
	ok := semver.IsValid(version) && strings.Count(version, ".") >= 2 && len(version) <= 255
	return f, ok
}
