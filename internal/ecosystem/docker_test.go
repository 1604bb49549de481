package ecosystem

import (
	"strings"
	"testing"
)

func TestDocker(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	tag := strings.Replace(digest, ":", "-", 1)
	checkGrammar(t, "docker", []grammarCase{
		{"/", "/v2/library/alpine/manifests/3.18", "pkg:docker/library/alpine@3.18"},
		{"/", "/v2/alpine/manifests/latest", "pkg:docker/alpine@latest"},
		{"/", "/v2/a/b/c/d/manifests/v1_x-Y", "pkg:docker/a/b/c/d@v1_x-Y"},
		{"/", "/v2/a/manifests/_x", "pkg:docker/a@_x"},
		{"/", "/v2/library/alpine/manifests/" + digest, "pkg:docker/library/alpine@" + digest},
		{"/", "/v2/library/alpine/manifests/" + strings.Replace(digest, ":", "%3A", 1), "pkg:docker/library/alpine@" + digest},
		{"/", "/v2/a/manifests/sha512:" + digest[7:] + digest[7:], "pkg:docker/a@sha512:" + digest[7:] + digest[7:]},
		{"/", "/v2/library/alpine/manifests/" + tag, "pkg:docker/library/alpine"},
		{"/", "/v2/library/alpine/manifests/" + tag + ".sig", "pkg:docker/library/alpine"},
		{"/", "/v2/library/alpine/blobs/" + digest, "pkg:docker/library/alpine"},
		{"/", "/v2/library/alpine/tags/list", "pkg:docker/library/alpine"},
		{"/", "/v2/library/alpine/referrers/" + digest, "pkg:docker/library/alpine"},
		{"/v2/", "/v2/library/alpine/manifests/3.18", "pkg:docker/library/alpine@3.18"},
		{"/artifactory/api/docker/r/", "/artifactory/api/docker/r/v2/library/alpine/manifests/3.18", "pkg:docker/library/alpine@3.18"},
		{"/", "/v2/g/dependency_proxy/containers/alpine/manifests/3.18", "pkg:docker/g/dependency_proxy/containers/alpine@3.18"},
		// The last two segments say what is asked for.
		{"/", "/v2/a/manifests/b/manifests/c", "pkg:docker/a/manifests/b@c"},
		{"/", "/v2/a/tags/list/manifests/c", "pkg:docker/a/tags/list@c"},

		// The registry as a whole.
		{"/", "/v2/", ""},
		{"/", "/v2/_catalog", ""},
		{"/", "/token", ""},

		{"/", "/v2/manifests/latest", ""},
		{"/", "/v2//manifests/latest", ""},
		{"/", "/v2/a/manifests/", ""},
		{"/", "/v2/a/manifests/latest/", ""},
		{"/", "/v2/a/manifests/.x", ""},
		{"/", "/v2/a/manifests/%2A", ""},
		{"/", "/v2/a/manifests/" + strings.Repeat("x", 129), ""},
		{"/", "/v2/a/manifests/" + digest[:70], ""},
		{"/", "/v2/a/manifests/" + strings.ToUpper(digest), ""},
		{"/", "/v2/a/manifests/md5:" + digest[7:], ""},
		{"/", "/v2/a/manifests/sha512:" + digest[7:], ""},
		{"/", "/v2/library%2Falpine/manifests/latest", ""},
		{"/", "/v2/a/b%40c/manifests/latest", ""},
		{"/", "/v2/Library/alpine/manifests/latest", ""},
		{"/", "/v2/a-/manifests/latest", ""},
		{"/", "/v2/a/" + strings.Repeat("b", 256) + "/manifests/latest", ""},
		{"/", "/v2/a/blobs/latest", ""},
		{"/", "/v2/a/blobs/uploads/", ""},
		{"/", "/v2/a/blobs/uploads/0b3f8a4e-0000-4000-8000-000000000000", ""},
		{"/", "/v2/a/referrers/latest", ""},
		{"/", "/v2/a/tags/all", ""},
		{"/", "/v1/a/manifests/latest", ""},
		{"/", "/x/v2/a/manifests/latest", ""},
		{"/v2/", "/v2/v2/a/manifests/latest", "pkg:docker/v2/a@latest"},
	})
}

func TestByDigest(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0", 64)
	for purl, want := range map[string]bool{
		"pkg:docker/library/alpine@" + digest: true,
		"pkg:docker/library/alpine@3.18":      false,
		"pkg:docker/library/alpine":           false,
		"pkg:npm/a@" + digest:                 false,
	} {
		if got := ByDigest(purl); got != want {
			t.Errorf("%s: %v", purl, got)
		}
	}
}
