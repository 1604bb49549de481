package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// apt writes "/./" between the address of a flat archive and what it reads there,
// where sources.list says "./" (sources.list(5): "the suite can be an exact path, in
// which case the components must be omitted"): /repo/./Packages.gz. As any dot
// segment that would be refused, for one server acts on what another one takes away.
// Of this one form it is taken away here, before the request is judged, so that what
// is judged is what is sent. What it stands in front of is a file of an archive, it
// is written plainly, once, and the request reads.

// cutFlat takes the dot segment out of u. Others stay, and are refused.
func cutFlat(method string, u *url.URL) {
	if method != http.MethodGet && method != http.MethodHead {
		return
	}
	before, file, ok := strings.Cut(u.EscapedPath(), "/./")
	if !ok || !isFlatFile(file) {
		return
	}
	path := before + "/" + file
	if plain, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = plain, path
	}
}

// isFlatFile knows the indexes and the packages of archives by their names.
func isFlatFile(path string) bool {
	if strings.HasPrefix(path, "by-hash/") {
		return true
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	for _, suffix := range []string{".deb", ".udeb", ".ddeb", ".dsc", ".diff.gz", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tar.lzma"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	switch stem, compression, _ := strings.Cut(name, "."); stem {
	case "InRelease":
		return compression == ""
	case "Release":
		return compression == "" || compression == "gpg"
	case "Packages", "Sources":
		return isCompression(compression)
	default:
		return isLanguage(stem) && isCompression(compression)
	}
}

func isCompression(suffix string) bool {
	switch suffix {
	case "", "gz", "xz", "bz2", "lzma", "lz4", "zst":
		return true
	}
	return false
}

// isLanguage knows what the translations of descriptions are called: en, pt_BR.
func isLanguage(name string) bool {
	language, country, _ := strings.Cut(name, "_")
	return (len(language) == 2 || len(language) == 3) && strings.Trim(language, "abcdefghijklmnopqrstuvwxyz") == "" &&
		(country == "" || len(country) == 2 && strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "")
}
