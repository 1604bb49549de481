package ecosystem

import (
	"strings"
	"testing"
)

// TestGuessPrivate checks what the form of a URL says at the servers that people
// run themselves: the base is that of one repository, feed or project.
func TestGuessPrivate(t *testing.T) {
	sha := strings.Repeat("0123456789abcdef", 4)
	for _, tc := range []struct {
		path, purl, base string
		sure, baseSure   bool
	}{
		// Nexus 3
		{"/repository/npm-group/@s/n/-/n-1.0.0.tgz", "pkg:npm/%40s/n@1.0.0", "/repository/npm-group/", true, true},
		{"/nexus/repository/npm-group/n/-/n-1.0.0.tgz", "pkg:npm/n@1.0.0", "/nexus/repository/npm-group/", true, true},
		{"/repository/pypi-group/packages/six/1.16.0/six-1.16.0-py2.py3-none-any.whl", "pkg:pypi/six@1.16.0", "/repository/pypi-group/", true, true},
		{"/repository/pypi-group/simple/six/", "pkg:pypi/six", "/repository/pypi-group/", false, true},
		{"/repository/go.internal/github.com/a/b/@v/v1.0.0.zip", "pkg:golang/github.com/a/b@v1.0.0", "/repository/go.internal/", true, true},
		{"/repository/qa/junit/junit/4.13/junit-4.13.pom", "pkg:maven/junit/junit@4.13", "/repository/qa/", true, true},
		{"/content/repositories/qa/org/a/b/1.0/b-1.0.jar", "pkg:maven/org.a/b@1.0", "/content/repositories/qa/", true, true},
		{"/repository/cargo/crates/itoa/1.0.9/download", "pkg:cargo/itoa@1.0.9", "/repository/cargo/", true, true},
		{"/repository/cargo/it/oa/itoa", "pkg:cargo/itoa", "/repository/cargo/", false, true},
		{"/repository/apt/pool/h/hello/hello_2.10-3_amd64.deb", "pkg:deb/hello@2.10-3?arch=amd64", "/repository/apt/", true, true},
		{"/repository/gems/gems/rails-7.1.2.gem", "pkg:gem/rails@7.1.2", "/repository/gems/", true, true},
		{"/repository/gems/quick/Marshal.4.8/rails-7.1.2.gemspec.rz", "pkg:gem/rails@7.1.2", "/repository/gems/", true, true},
		{"/repository/nuget/v3/content/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0", "/repository/nuget/", true, true},
		{"/repository/docker/v2/library/alpine/manifests/3.18", "pkg:docker/library/alpine@3.18", "/repository/docker/", false, true},
		{"/repository/docker/v2/library/alpine/blobs/sha256:" + sha, "pkg:docker/library/alpine", "/repository/docker/", true, true},
		{"/repository/php/p2/acme/demo.json", "pkg:composer/acme/demo", "/repository/php/", true, true},

		// Artifactory
		{"/artifactory/api/npm/npm-remote/n/-/n-1.0.0.tgz", "pkg:npm/n@1.0.0", "/artifactory/api/npm/npm-remote/", true, true},
		{"/artifactory/npm-remote/n/-/n-1.0.0.tgz", "pkg:npm/n@1.0.0", "/artifactory/npm-remote/", true, true},
		{"/artifactory/api/pypi/r/simple/six/", "pkg:pypi/six", "/artifactory/api/pypi/r/", false, true},
		{"/artifactory/qa/junit/junit/4.13/junit-4.13.pom", "pkg:maven/junit/junit@4.13", "/artifactory/qa/", true, true},
		{"/artifactory/api/go/go.dev/github.com/a/b/@v/list", "pkg:golang/github.com/a/b", "/artifactory/api/go/go.dev/", false, true},
		{"/artifactory/api/cargo/c/v1/crates/itoa/1.0.19/download", "pkg:cargo/itoa@1.0.19", "/artifactory/api/cargo/c/", true, true},
		{"/artifactory/api/cargo/c/index/it/oa/itoa", "pkg:cargo/itoa", "/artifactory/api/cargo/c/", false, true},
		{"/artifactory/debian/pool/h/hello_2.10-3_amd64.deb", "pkg:deb/debian/hello@2.10-3?arch=amd64", "/artifactory/debian/", true, true},
		{"/artifactory/api/gems/r/gems/rails-7.1.2.gem", "pkg:gem/rails@7.1.2", "/artifactory/api/gems/r/", true, true},
		{"/artifactory/api/nuget/v3/r/registration/a.b/index.json", "pkg:nuget/a.b", "/artifactory/api/nuget/v3/r/", false, true},
		{"/artifactory/api/docker/r/v2/library/alpine/blobs/sha256:" + sha, "pkg:docker/library/alpine", "/artifactory/api/docker/r/", true, true},
		{"/artifactory/api/composer/r/p2/acme/demo.json", "pkg:composer/acme/demo", "/artifactory/api/composer/r/", true, true},

		// GitLab
		{"/api/v4/projects/1/packages/npm/@s/n/-/@s/n-1.0.0.tgz", "pkg:npm/%40s/n@1.0.0", "/api/v4/projects/1/packages/npm/", true, true},
		{"/gitlab/api/v4/projects/g%2Fp/packages/npm/@s/n/-/@s/n-1.0.0.tgz", "pkg:npm/%40s/n@1.0.0", "/gitlab/api/v4/projects/g%2Fp/packages/npm/", true, true},
		{"/api/v4/projects/1/packages/pypi/files/" + sha + "/six-1.16.0-py2-none-any.whl", "pkg:pypi/six@1.16.0", "/api/v4/projects/1/packages/pypi/", true, true},
		{"/api/v4/projects/1/packages/pypi/files/" + sha + "/six-1.16.0.tar.gz", "pkg:pypi/six@1.16.0", "/api/v4/projects/1/packages/pypi/", false, true},
		{"/api/v4/groups/1/-/packages/pypi/simple/six", "pkg:pypi/six", "/api/v4/groups/1/-/packages/pypi/", false, true},
		{"/api/v4/projects/1/packages/maven/app/lib/1.0/lib-1.0.jar", "pkg:maven/app/lib@1.0", "/api/v4/projects/1/packages/maven/", true, true},
		{"/api/v4/projects/1/packages/maven/junit/junit/4.13/junit-4.13.pom", "pkg:maven/junit/junit@4.13", "/api/v4/projects/1/packages/maven/", true, true},
		{"/api/v4/groups/1/-/packages/maven/junit/junit/4.13/junit-4.13.pom", "pkg:maven/junit/junit@4.13", "/api/v4/groups/1/-/packages/maven/", true, true},
		{"/api/v4/projects/1/packages/go/gitlab.example.org/a/b/@v/v1.0.0.zip", "pkg:golang/gitlab.example.org/a/b@v1.0.0", "/api/v4/projects/1/packages/go/", true, true},
		{"/api/v4/projects/1/packages/debian/pool/bookworm/1/h/hello/2.10/hello_2.10_amd64.deb", "pkg:deb/debian/hello@2.10?arch=amd64", "/api/v4/projects/1/packages/debian/", true, true},
		{"/api/v4/projects/1/packages/rubygems/gems/rails-7.1.2.gem", "pkg:gem/rails@7.1.2", "/api/v4/projects/1/packages/rubygems/", true, true},
		{"/api/v4/projects/1/packages/nuget/download/A.B/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0", "/api/v4/projects/1/packages/nuget/", true, true},
		{"/api/v4/group/1/-/packages/composer/p2/acme/demo.json", "pkg:composer/acme/demo", "/api/v4/group/1/-/packages/composer/", true, true},
		{"/api/v4/projects/1/packages/generic/app/1.0/app-1.0-py3-none-any.whl", "pkg:pypi/app@1.0", "/api/v4/projects/1/packages/generic/", true, true},

		// GitHub
		{"/download/@o/n/1.2.3/" + sha, "pkg:npm/%40o/n@1.2.3", "/", true, true},
		{"/o/r/org/a/b/1.0/b-1.0.jar", "pkg:maven/org.a/b@1.0", "/o/r/", true, true},
		{"/o/gems/rails-7.1.2.gem", "pkg:gem/rails@7.1.2", "/o/", true, true},
		{"/o/download/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0", "/o/", true, true},
		{"/v2/o/app/manifests/v1", "pkg:docker/o/app@v1", "/", true, true},

		// Azure Artifacts
		{"/o/_packaging/f/npm/registry/n/-/n-1.0.0.tgz", "pkg:npm/n@1.0.0", "/o/_packaging/f/npm/registry/", true, true},
		{"/o/p/_packaging/f/pypi/download/six/1.16/six-1.16.0-py2-none-any.whl", "pkg:pypi/six@1.16.0", "/o/p/_packaging/f/pypi/", true, true},
		{"/o/p/_packaging/f/pypi/download/six/1.16/six-1.16.0.tar.gz", "pkg:pypi/six@1.16.0", "/o/p/_packaging/f/pypi/", false, true},
		{"/o/_packaging/f/maven/v1/junit/junit/4.13/junit-4.13.pom", "pkg:maven/junit/junit@4.13", "/o/_packaging/f/maven/v1/", true, true},
		{"/o/_packaging/f/nuget/v3/flat2/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0", "/o/_packaging/f/nuget/v3/", true, true},

		// AWS CodeArtifact and Google Artifact Registry
		{"/npm/r/@s/n/-/n-1.0.0.tgz", "pkg:npm/%40s/n@1.0.0", "/npm/r/", true, true},
		{"/pypi/r/simple/six/1.16.0/six-1.16.0-py2-none-any.whl", "pkg:pypi/six@1.16.0", "/pypi/r/", true, true},
		{"/maven/r/org/a/b/1.0/b-1.0.jar", "pkg:maven/org.a/b@1.0", "/maven/r/", true, true},
		{"/nuget/r/v3/flatcontainer/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0", "/nuget/r/", true, true},
		{"/ruby/r/gems/rails-7.1.2.gem", "pkg:gem/rails@7.1.2", "/ruby/r/", true, true},
		{"/project/r/n/-/n-1.0.0.tgz", "pkg:npm/n@1.0.0", "/project/r/", true, true},
		{"/project/r/org/a/b/1.0/b-1.0.jar", "pkg:maven/org.a/b@1.0", "/project/r/", true, true},
		{"/v2/project/r/app/manifests/v1", "pkg:docker/project/r/app@v1", "/", true, true},

		// Verdaccio and others, below a path of their own or none
		{"/verdaccio/@s/n/-/n-1.0.0.tgz", "pkg:npm/%40s/n@1.0.0", "/verdaccio/", true, true},
		{"/v3-flatcontainer/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0", "/", true, true},
		{"/v3/package/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0", "/", true, true},
		{"/feed/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0", "/feed/", true, true},
		{"/v3/registration5-gz-semver2/a.b/index.json", "pkg:nuget/a.b", "/", false, true},
		{"/api/v2/package/A.B/1.0.0", "pkg:nuget/a.b@1.0.0", "/", false, true},
		{"/api/v2/Packages(Id='A.B',Version='1.0.0')", "pkg:nuget/a.b@1.0.0", "/", true, true},
		{"/nuget/Packages(Id=%27A.B%27,Version=%271.0.0%27)", "pkg:nuget/a.b@1.0.0", "/nuget/", true, true},
		{"/api/v4/projects/7/packages/nuget/v2/Packages(Id='A.B',Version='1.0.0')", "pkg:nuget/a.b@1.0.0", "/api/v4/projects/7/packages/nuget/", true, true},
		{"/satis/dist/acme/demo/acme-demo-1.2.0-9f0a1b.zip", "pkg:composer/acme/demo@1.2.0", "/satis/", true, true},
		{"/o/dists/acme/demo/1.2.0.0/r" + sha[:40] + ".zip", "pkg:composer/acme/demo@1.2.0.0", "/o/", false, true},
		{"/p/acme/demo$" + sha + ".json", "pkg:composer/acme/demo", "/", true, true},
		{"/api/v1/gems/rails.json", "pkg:gem/rails", "/", false, true},
	} {
		t.Run(tc.path, func(t *testing.T) {
			s, ok := Guess(query(t, "https", "any.example.org", tc.path))
			if !ok {
				t.Fatal("no guess")
			}
			if s.Package != tc.purl || s.Base != tc.base || s.Sure != tc.sure || s.BaseSure != tc.baseSure {
				t.Fatalf("got %+v, want %+v", s, tc)
			}
			if got := read(t, s.Type, s.Base, tc.path); got != s.Package {
				t.Fatalf("read back as %q", got)
			}
			checkCanonical(t, s.Package)
		})
	}
}

// TestGuessOneRepository: a base never spans two repositories, whatever lies in
// one of them.
func TestGuessOneRepository(t *testing.T) {
	for _, repository := range []string{
		"/api/v4/projects/1/packages/%s/", "/api/v4/projects/a%%2Fb/packages/%s/", "/api/v4/groups/2/-/packages/%s/",
		"/api/v4/group/2/-/packages/%s/", "/repository/%s/", "/artifactory/%s/", "/artifactory/api/%s/r/",
		"/content/repositories/%s/", "/content/groups/%s/", "/o/_packaging/f/%s/",
	} {
		for _, name := range []string{"npm", "simple", "gems", "packages", "v2", "lookup", "index", "crates", "pool", "io", "com", "p2", "dist"} {
			base := strings.Replace(strings.ReplaceAll(repository, "%%", "%"), "%s", name, 1)
			for _, below := range []string{
				"n/-/n-1.0.0.tgz", "packages/six-1.0-py3-none-any.whl", "six-1.0-py3-none-any.whl", "com/a/b/1.0/b-1.0.jar", "a/b/1.0/b-1.0.jar",
				"gems/a-1.0.gem", "a-1.0.gem", "a/1.0.0/a.1.0.0.nupkg", "v2/a/manifests/b", "x/manifests/b", "p2/a/b.json", "a/b.json",
				"it/oa/itoa", "itoa/1.0.0/download", "pool/h/h_1.0_all.deb", "h_1.0_all.deb", "a.b/c/@v/list", "a.b/c@v1.0.0", "a/a-1.0-0.zip",
			} {
				s, ok := Guess(query(t, "https", "any.example.org", base+below))
				if ok && !strings.HasPrefix(s.Base, base) {
					t.Errorf("%s%s: %s at %s", base, below, s.Package, s.Base)
				}
			}
		}
	}
}
