package learn

import (
	"slices"
	"strings"
)

// readArchive reads the archive of a tag, a branch or a commit: KIND/REF or
// KIND/refs/tags/REF.
func readArchive(repository, rest []string) reading {
	switch {
	case len(rest) == 2:
		if open, ok := openVersion(rest[1]); ok {
			return pattern(repository, "archives of versions", rest[0], open)
		}
	case len(rest) >= 4 && rest[1] == "refs" && rest[2] == "tags":
		return pattern(repository, "archives of tags", rest[0], "refs", "tags", "**")
	}
	return reading{}
}

// readRef reads REF/PATH or refs/tags/REF/PATH. The path stays.
func readRef(before, rest []string) reading {
	at := 0
	if len(rest) >= 4 && rest[0] == "refs" && rest[1] == "tags" {
		at = 2
	}
	open, ok := openVersion(rest[at])
	if !ok {
		return pattern(before, "", rest...)
	}
	return pattern(before, "a file of any version", slices.Replace(slices.Clone(rest), at, at+1, open)...)
}

// openVersion leaves the versions in a tag's name open. What has none, or shows
// another type too, stays as it is.
func openVersion(ref string) (open string, ok bool) {
	s := skeletonOf("/-/"+ref, tenants{})
	open = strings.ReplaceAll(s.text[3:], string(rune(classVersion)), classVersion.word(false))
	if open == ref || len(s.values) > 2 || strings.ContainsFunc(open, func(r rune) bool { return r < rune(classes) }) {
		return ref, false
	}
	return open, true
}
