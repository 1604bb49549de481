package allowlist

import (
	"strings"

	"github.com/package-url/packageurl-go"
)

// followsTag reports whether a rule's version is about the tags of an image, and
// version is a digest. A tag leads to manifests by their digests, others whenever
// it moves, and the digest says which bytes they are: so an allow rule for tags
// covers whatever is read by its digest from the same repository. A deny rule
// for tags does not, or nothing could be pulled by the tags beside them; what is
// to be denied by its digest is denied by a rule for that.
func (pat *packagePattern) followsTag(version string) bool {
	return pat.byTag && strings.ContainsRune(version, ':')
}

// isByTag reports whether a version of purl's type may be a tag. No tag holds a
// colon, and every digest does (the OCI distribution specification).
func isByTag(purl packageurl.PackageURL) bool {
	return purl.Type == packageurl.TypeDocker && purl.Version != "" && !strings.Contains(purl.Version, ":")
}
