package ecosystem

import "strings"

// readDocker reads the pull half of the OCI distribution specification, which
// every container registry speaks: v2/NAME/manifests/REFERENCE,
// v2/NAME/blobs/DIGEST, v2/NAME/tags/list and v2/NAME/referrers/DIGEST. Uploads
// are writes, and reading how far one has come (blobs/uploads/…) is no read of
// an image.
//
// The purl type is docker, not oci: an oci purl leaves the namespace out (purl
// specification, types/oci), so that a rule could not tell library/x from
// evil/x. The namespace is what the path says, library for what people write
// without one.
//
// What is asked for by a tag has that tag for its version, and a manifest that is
// asked for by its digest has the digest (sha256:…), so that a pull that is
// pinned can be told from one that follows a tag. Everything else belongs to the
// repository as a whole and has no version: its blobs, whose bytes a manifest
// names and the client compares, its tags, and the referrers of its manifests.
// A tag leads to the manifests of platforms by their digests, which are others
// whenever it moves. So a rule for a tag covers whatever its repository holds
// under digests, and nothing of another repository; see ByDigest. That is no
// wider than the tag: who can push to the repository can move it.
//
// A token is fetched from the realm of a WWW-Authenticate field, mostly at
// another host. That has no form of its own; it is learned as an exact path.
func readDocker(base, rest string) (found, bool) {
	if !strings.HasSuffix(base, "/v2/") {
		tail, ok := strings.CutPrefix(rest, "v2/")
		if !ok {
			return found{}, false
		}
		rest = tail
	}
	dir, reference, _ := last(rest)
	name, kind, ok := last(dir)
	switch reference = decode(reference); {
	case !ok:
		return found{}, false
	case kind == "manifests" && isTag(reference):
		return image(name, reference, true)
	case kind == "manifests" && isDigest(reference):
		return image(name, reference, true)
	case kind == "manifests" && isDigestTag(reference):
		return image(name, "", false)
	case kind == "blobs" && isDigest(reference):
		return image(name, "", true)
	case kind == "referrers" && isDigest(reference), kind == "tags" && reference == "list":
		return image(name, "", false)
	}
	return found{}, false
}

// elsewhereDocker reports whether a mirror is asked for the image of another
// registry: containerd names that one in ns (its docs, hosts.md, "Registry host
// namespace"), and mirrors fetch from where it says.
func elsewhereDocker(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name = decode(name); name == "" || strings.EqualFold(name, "ns") {
			return true
		}
	}
	return strings.Contains(query, ";")
}

func image(name, version string, artifact bool) (found, bool) {
	if len(name) > 255 {
		return found{}, false
	}
	for component := range strings.SplitSeq(name, "/") {
		if !isWord(component, "._-") || component != strings.ToLower(component) || !isAlnum(component[len(component)-1]) {
			return found{}, false
		}
	}
	f := found{version: version, artifact: artifact}
	f.namespace, f.name, _ = last(name)
	return f, true
}

// isTag is the specification's pattern, but for tags that are made from a digest.
func isTag(s string) bool {
	return s != "" && len(s) <= 128 && isWord("x"+strings.TrimPrefix(s, "_"), "._-") && (s[0] == '_' || isAlnum(s[0])) && !isDigestTag(s)
}

// isDigest reports whether s is an algorithm that the OCI image specification
// registers and as many hexadecimal digits as it gives.
func isDigest(s string) bool {
	algorithm, digits, _ := strings.Cut(s, ":")
	size := 64
	switch algorithm {
	case "sha256", "blake3":
	case "sha512":
		size = 128
	default:
		return false
	}
	return len(digits) == size && strings.Trim(digits, "0123456789abcdef") == ""
}

// isDigestTag reports whether a tag is made from a digest: the referrers of a
// manifest where a registry does not list them (the distribution specification,
// "Referrers Tag Schema"), and the signatures that are kept the same way. Such a
// tag moves with the manifest that it is about.
func isDigestTag(s string) bool {
	s, _ = trimOneSuffix(s, ".sig", ".att", ".sbom")
	algorithm, digits, ok := strings.Cut(s, "-")
	return ok && isDigest(algorithm+":"+digits)
}

// ByDigest reports whether purl is a manifest by its digest. A rule for a tag of
// the same repository covers it.
func ByDigest(purl string) bool {
	tail, ok := strings.CutPrefix(purl, "pkg:docker/")
	_, version, pinned := strings.Cut(tail, "@")
	return ok && pinned && isDigest(version)
}

// guessDocker takes the base to end before the first v2/, as the specification
// has it. Below another base than the root the form is not quite its own: then a
// digest must show it.
func guessDocker(path, _ string) (found, bool) {
	i := strings.Index(path, "/v2/")
	if i < 0 {
		return found{}, false
	}
	f, ok := readDocker("", path[i+1:])
	f.unsure = i > 0 && !strings.Contains(path, ":")
	return f.at(i + 1), ok && f.artifact
}
