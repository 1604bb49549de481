package allowlist

import (
	"fmt"
	"strings"

	"github.com/package-url/packageurl-go"
)

// neverMatches says why no registry of its ecosystem has what a purl names, and
// what is likely meant; "" where it may have it. A rule that matches nothing allows
// nothing, and what is worse, denies nothing.
func neverMatches(purl packageurl.PackageURL, text string) (message, hint string) {
	_, written, _ := strings.Cut(text, "/")
	if i := strings.IndexAny(plainStars(purl.Name), inNoName); i >= 0 {
		operator := plainStars(purl.Name)[i : i+1]
		name, rest := cutAt(written, operator)
		return "package name " + quoted(written) + " holds " + quoted(operator), "write the version behind @: pkg:" + purl.Type + "/" + name + "@" + strings.Trim(operator+rest, "\"' ")
	}
	if purl.Namespace == "" {
		switch purl.Type {
		case packageurl.TypeMaven:
			if group, artifact, ok := strings.Cut(written, ":"); ok {
				return "a colon in the name of a Maven package", "write pkg:maven/" + group + "/" + strings.ReplaceAll(artifact, ":", "@")
			}
			group, _, _ := strings.Cut(written, "@")
			return "a Maven package has a group and an artifact", "write pkg:maven/org.example/" + written + ", or pkg:maven/" + group + "/* for a group"
		case packageurl.TypeComposer:
			return "a Composer package has a vendor and a name", "write pkg:composer/example/" + written
		}
	}
	return versionNeverMatches(purl)
}

// inNoName are characters that no package has in its name, and versions often have
// around them.
const inNoName = "=<>^|,;()[]!\"' "

// cutAt cuts a purl as it is written where a character of it is, itself or
// percent-encoded.
func cutAt(written, character string) (before, after string) {
	for i := range written {
		for _, spelling := range []string{character, fmt.Sprintf("%%%02X", character[0])} {
			if end := i + len(spelling); end <= len(written) && strings.EqualFold(written[i:end], spelling) {
				return written[:i], written[end:]
			}
		}
	}
	return written, ""
}

// versionNeverMatches is neverMatches about a version that is no range.
func versionNeverMatches(purl packageurl.PackageURL) (message, hint string) {
	version := plainStars(purl.Version)
	if version == "" || version[0] == '*' {
		return "", ""
	}
	of := "version " + quoted(version) + " is none of " + purl.Type
	bare := strings.TrimPrefix(version, "v")
	switch purl.Type {
	case packageurl.TypeGolang:
		if version[0] >= '0' && version[0] <= '9' {
			return of + ": a version of a Go module begins with v", "write v" + version
		}
	case packageurl.TypeNPM, packageurl.TypeCargo, packageurl.TypeGem, packageurl.TypeNuget:
		if bare != version && bare != "" && bare[0] >= '0' && bare[0] <= '9' {
			return of + ": it begins with v, which is for tags of git", "write " + bare
		}
	case packageurl.TypePyPi:
	default:
		return "", ""
	}
	if !strings.ContainsAny(version, "0123456789*") {
		return of + ": it is a name for one that changes", "leave it out for any version, or write the version, or a range: " + rangeExample(purl.Type)
	}
	return "", ""
}
