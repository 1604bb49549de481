// Package policies holds policies to copy from. Its tests ask each of them about
// requests that it is for, and about those that payloads really sent.
package policies

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// refusals are the requests that a policy must refuse, under the incident in which
// they were sent, or under what they would do.
type refusals map[string][]string

// recipe is what must come of a policy. The lines are METHOD URL
// [HEADER=VALUE]…, where via=URL is what redirected to it.
type recipe struct {
	allowed, logged []string
	refused         refusals
	// overlay is for a policy that is used beside another: what it refuses, it
	// must refuse by a rule, which no other policy can lift.
	overlay bool
}

func recipes() map[string]recipe {
	return map[string]recipe{
		"github-read-only": {
			allowed: []string{
				"GET https://api.github.com/repos/example/app/releases/latest",
				"HEAD https://api.github.com/repos/example/app/git/blobs/0a1b",
				"GET https://github.com/example/app.git/info/refs?service=git-upload-pack",
				"POST https://github.com/example/app.git/git-upload-pack",
				"GET https://github.com/example/app/releases/download/v1/app.tgz",
				"GET https://release-assets.githubusercontent.com/github-production-release-asset/1/0a1b?sig=x via=https://github.com/example/app/releases/download/v1/app.tgz",
				"GET https://codeload.github.com/example/app/tar.gz/refs/tags/v1",
			},
			refused: refusals{
				"nx s1ngularity 8/2025": {"POST https://api.github.com/user/repos", "PUT https://api.github.com/repos/me/s1ngularity-repository-0/contents/results.b64"},
				"Shai-Hulud 9/2025":     {"GET https://api.github.com/user", "HEAD https://api.github.com/user", "POST https://api.github.com/user/repos", "PUT https://api.github.com/repos/me/Shai-Hulud/contents/data.json"},
				"Shai-Hulud 2 11/2025":  {"PUT https://api.github.com/repos/me/x/contents/truffleSecrets.json", "PUT https://api.github.com/repos/me/x/contents/actionsSecrets.json"},
				"Trivy 3/2026":          {"POST https://api.github.com/repos/me/tpcp-docs/releases", "POST https://uploads.github.com/repos/me/tpcp-docs/releases/1/assets?name=tpcp.tar.gz"},
				"tj-actions 3/2025":     {"GET https://gist.githubusercontent.com/user/0a1b/raw/memdump.py"},
				"a push":                {"GET https://github.com/me/x.git/info/refs?service=git-receive-pack", "GET https://github.com/me/x.git/info/refs?service=git-upload-pack&service=git-receive-pack", "GET https://github.com/me/x.git/info/refs", "POST https://github.com/me/x.git/git-receive-pack", "POST https://github.com/me/x.git/info/lfs/objects/batch"},
				"a gist":                {"POST https://api.github.com/gists", "GET https://api.github.com/gists/0a1b", "GET https://api.github.com//gists", "GET https://api.github.com/g%69sts;v=1"},
				"anything, by one path": {"POST https://api.github.com/graphql"},
				"a commit, in pieces":   {"POST https://api.github.com/repos/me/x/git/blobs", "POST https://api.github.com/repos/me/x/git/trees", "PATCH https://api.github.com/repos/me/x/git/refs/heads/main", "POST https://api.github.com/repos/example/app/forks"},
				"a write in disguise":   {"GET https://api.github.com/repos/example/app X-HTTP-Method-Override=PUT"},
			},
		},
		"github-one-org": {
			allowed: []string{
				"GET https://api.github.com/repos/example/app/releases/latest",
				"GET https://github.com/example/app.git/info/refs?service=git-upload-pack",
				"POST https://github.com/example/app.git/git-upload-pack",
				"GET https://codeload.github.com/example/app/tar.gz/refs/tags/v1",
				"GET https://github.com/example/app/releases/download/v1/app.tgz",
				"GET https://release-assets.githubusercontent.com/github-production-release-asset/1/0a1b?sig=x via=https://github.com/example/app/releases/download/v1/app.tgz",
			},
			refused: refusals{
				"Ultralytics 12/2024":   {"GET https://api.github.com/repos/ultralytics/ultralytics/git/blobs/0a1b Accept=application/vnd.github.raw+json"},
				"nx s1ngularity 8/2025": {"POST https://api.github.com/user/repos", "PUT https://api.github.com/repos/me/s1ngularity-repository-0/contents/results.b64"},
				"Shai-Hulud 2 11/2025":  {"GET https://github.com/oven-sh/bun/releases/download/v1/bun-linux-x64.zip", "GET https://api.github.com/search/repositories?q=Sha1-Hulud", "PUT https://api.github.com/repos/example/app/contents/cloud.json"},
				"KICS 3/2026":           {"POST https://api.github.com/user/repos", "PUT https://api.github.com/repos/me/docs-tpcp/contents/a"},
				"another owner":         {"GET https://api.github.com/repos/example-evil/app", "GET https://codeload.github.com/example%2F..%2Fevil/x", "GET https://api.github.com/repos/Example/app", "POST https://github.com/example/../evil/app.git/git-upload-pack"},
				"a push":                {"POST https://github.com/example/app.git/git-receive-pack"},
				"anyone's release":      {"GET https://release-assets.githubusercontent.com/github-production-release-asset/1/0a1b?sig=x", "GET https://release-assets.githubusercontent.com/github-production-release-asset/1/0a1b via=https://github.com/example-evil/app/releases/download/v1/app.tgz", "GET https://release-assets.githubusercontent.com/github-production-release-asset/1/0a1b via=https://github.com/example/app/issues"},
			},
		},
		"redirected-downloads": {
			allowed: []string{
				"GET https://build.example.org/example/tool/releases/download/v1/tool.tgz",
				"GET https://objects.example.net/assets/1/0a1b?signature=x via=https://build.example.org/example/tool/releases/download/v1/tool.tgz",
				"HEAD https://objects.example.net/assets/2/2c3d via=https://build.example.org/example/tool/releases/download/v2/tool.tgz",
				"GET https://npm.example.org/lodash/-/lodash-4.17.21.tgz",
				"GET https://storage.example.net/bucket/sha512/9f?signature=x via=https://npm.example.org/lodash/-/lodash-4.17.21.tgz",
			},
			refused: refusals{
				"asked for directly":        {"GET https://objects.example.net/assets/1/0a1b?signature=x", "GET https://storage.example.net/bucket/sha512/9f"},
				"a redirect from elsewhere": {"GET https://objects.example.net/assets/1/0a1b via=https://build.example.org/evil/tool/releases/download/v1/tool.tgz", "GET https://objects.example.net/a via=https://npm.example.org/lodash/-/lodash-4.17.21.tgz", "GET https://storage.example.net/a via=https://evil.test/"},
				"an upload":                 {"PUT https://storage.example.net/bucket/sha512/9f via=https://npm.example.org/lodash/-/lodash-4.17.21.tgz", "POST https://objects.example.net/assets/1/0a1b via=https://build.example.org/example/tool/releases/download/v1/tool.tgz"},
				"Shai-Hulud 2 11/2025":      {"PUT https://npm.example.org/lodash", "PUT https://storage.example.net/bucket/sha512/9f"},
			},
		},
		"npm-read": {
			allowed: []string{
				"GET https://npm.example.org/express",
				"GET https://npm.example.org/express/-/express-4.19.2.tgz",
				"GET https://npm.example.org/@example%2Ftool",
				"GET https://npm.example.org/lodash/-/lodash-4.17.21.tgz",
				"POST https://npm.example.org/-/npm/v1/security/audits/quick",
			},
			refused: refusals{
				"Shai-Hulud 9/2025":    {"GET https://npm.example.org/-/whoami", "PUT https://npm.example.org/ngx-bootstrap"},
				"Shai-Hulud 2 11/2025": {"PUT https://npm.example.org/@example%2Ftool", "GET https://npm.example.org/-/npm/v1/tokens"},
				"axios 3/2026":         {"POST http://sfrclak.com:8000/6202033"},
				"a look-alike host":    {"GET https://npm.example.org.evil.test/express", "GET https://npm.example.com/express", "GET http://npm.example.org/express"},
				"another scope":        {"GET https://npm.example.org/@evil%2Ftool"},
				"a known hole":         {"GET https://npm.example.org/lodash/-/lodash-4.17.20.tgz", "GET https://npm.example.org/lodash/-/lodash-4.17.21-rc.1.tgz"},
			},
		},
		"pypi-read": {
			allowed: []string{
				"GET https://pypi.example.org/simple/flask/",
				"GET https://files.pypi.example.org/packages/ab/cd/flask-3.0.3-py3-none-any.whl",
			},
			refused: refusals{
				"LiteLLM 3/2026":            {"POST https://models.litellm.cloud/ X-Filename=tpcp.tar.gz", "GET https://checkmarx.zone/raw"},
				"a publication":             {"POST https://pypi.example.org/legacy/", "POST https://upload.pypi.example.org/legacy/"},
				"a file that is no package": {"GET https://files.pypi.example.org/packages/ab/cd/payload.sh"},
			},
		},
		"gem-read": {
			allowed: []string{
				"GET https://gems.example.org/versions",
				"GET https://gems.example.org/info/rest-client",
				"GET https://gems.example.org/gems/rest-client-2.1.0.gem",
				"GET https://gems.example.org/gems/nokogiri-1.15.5-x86_64-linux.gem",
				"HEAD https://gems.example.org/",
			},
			refused: refusals{
				"rest-client 8/2019":       {"GET https://gems.example.org/gems/rest-client-1.6.13.gem", "GET https://gems.example.org/quick/Marshal.4.8/rest-client-1.6.13.gemspec.rz", "GET https://gems.example.org/gems/rest-client-1.6.11.pre.gem"},
				"a name of two readings":   {"GET https://gems.example.org/gems/tool-1.0-arm64-darwin-21.gem"},
				"a publication":            {"POST https://gems.example.org/api/v1/gems", "DELETE https://gems.example.org/api/v1/gems/yank"},
				"a key":                    {"GET https://gems.example.org/api/v1/api_key"},
				"a look-alike host":        {"GET https://gems.example.org.evil.test/gems/rest-client-2.1.0.gem"},
				"what gem asks, by itself": {"GET https://gems.example.org/"},
			},
		},
		"nuget-read": {
			allowed: []string{
				"GET https://nuget.example.org/v3/index.json",
				"GET https://nuget.example.org/v3-flatcontainer/newtonsoft.json/index.json",
				"GET https://nuget.example.org/v3-flatcontainer/newtonsoft.json/13.0.3/newtonsoft.json.13.0.3.nupkg",
				"GET https://nuget.example.org/v3/registration5-gz-semver2/example.core/index.json",
				"GET https://nuget.example.org/api/v2/package/Example.Core/1.0.0",
			},
			refused: refusals{
				"a known hole":    {"GET https://nuget.example.org/v3-flatcontainer/newtonsoft.json/12.0.3/newtonsoft.json.12.0.3.nupkg"},
				"another name":    {"GET https://nuget.example.org/v3-flatcontainer/newtonsoft.json.evil/13.0.3/newtonsoft.json.evil.13.0.3.nupkg", "GET https://nuget.example.org/v3-flatcontainer/exampleevil/1.0.0/exampleevil.1.0.0.nupkg"},
				"a publication":   {"PUT https://nuget.example.org/api/v2/package", "DELETE https://nuget.example.org/api/v2/package/Example.Core/1.0.0"},
				"a search":        {"GET https://nuget.example.org/query?q=x"},
				"files that lie":  {"GET https://nuget.example.org/v3-flatcontainer/newtonsoft.json/13.0.3/evil.13.0.3.nupkg"},
				"another version": {"GET https://nuget.example.org/v3-flatcontainer/newtonsoft.json/13.0.3/newtonsoft.json.12.0.3.nupkg"},
			},
		},
		"composer-read": {
			allowed: []string{
				"GET https://composer.example.org/packages.json",
				"GET https://composer.example.org/p2/monolog/monolog.json",
				"GET https://composer.example.org/p2/example/app~dev.json",
				"GET https://composer.example.org/dist/monolog/monolog/monolog-monolog-3.5.0-9f0a1b.zip",
			},
			refused: refusals{
				"another vendor":         {"GET https://composer.example.org/p2/evil/monolog.json", "GET https://composer.example.org/dist/evil/monolog/evil-monolog-3.5.0-9f0a1b.zip"},
				"a version out of range": {"GET https://composer.example.org/dist/monolog/monolog/monolog-monolog-2.9.0-9f0a1b.zip", "GET https://composer.example.org/dist/monolog/monolog/monolog-monolog-3.6.0-RC1-9f0a1b.zip"},
				"a code host":            {"GET https://code.example.org/repos/example/app/zipball/c915e2634718dbc8a4a15c61b0e62e7a44e14448"},
				"a publication":          {"POST https://composer.example.org/api/update-package"},
			},
		},
		"image-read": {
			allowed: []string{
				"GET https://registry.example.org/v2/",
				"GET https://auth.example.org/token?service=registry.example.org&scope=repository:library/alpine:pull",
				"HEAD https://registry.example.org/v2/library/alpine/manifests/3.18",
				"GET https://registry.example.org/v2/library/alpine/manifests/sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
				"GET https://registry.example.org/v2/library/alpine/blobs/sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			},
			refused: refusals{
				"another tag":        {"GET https://registry.example.org/v2/library/alpine/manifests/latest"},
				"another repository": {"GET https://registry.example.org/v2/evil/alpine/manifests/3.18", "GET https://registry.example.org/v2/evil/alpine/blobs/sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "GET https://registry.example.org/v2/library/alpine/evil/manifests/3.18"},
				"a push":             {"POST https://registry.example.org/v2/example/tool/blobs/uploads/", "PUT https://registry.example.org/v2/example/tool/manifests/1.0", "PATCH https://registry.example.org/v2/example/tool/blobs/uploads/1"},
				"a way around":       {"GET https://registry.example.org/v2/example/tool/blobs/uploads/1", "GET https://registry.example.org/v2/_catalog"},
			},
		},
		"go-read": {
			allowed: []string{
				"GET https://go.example.org/golang.org/x/net/@v/v0.30.0.zip",
				"GET https://go.example.org/example.org/app/client/@v/v1.4.0.mod",
				"GET https://go.example.org/example.org/tool/@v/list",
				"GET https://sum.example.org/tile/8/0/001",
			},
			refused: refusals{
				"another module":         {"GET https://go.example.org/example.com/evil/@v/v1.0.0.zip"},
				"a version out of range": {"GET https://go.example.org/example.org/app/client/@v/v1.3.9.zip", "GET https://go.example.org/example.org/app/client/@v/v2.0.0+incompatible.zip", "GET https://go.example.org/example.org/app/client/@v/v1.5.0-0.20240102030405-abcdefabcdef.zip"},
				"git, past the proxy":    {"GET https://example.org/app/client?go-get=1", "GET https://github.com/evil/x.git/info/refs?service=git-upload-pack"},
			},
		},
		"cargo-read": {
			allowed: []string{
				"GET https://index.crates.example.org/config.json",
				"GET https://index.crates.example.org/se/rd/serde",
				"GET https://static.crates.example.org/crates/serde/serde-1.0.200.crate",
			},
			refused: refusals{
				"a publication":       {"PUT https://crates.example.org/api/v1/crates/new"},
				"Ultralytics 12/2024": {"POST https://connect.consrensys.com:8080/", "POST https://webhook.site/0a1b"},
			},
		},
		"maven-read": {
			allowed: []string{
				"GET https://maven.example.org/maven2/com/example/lib/1.0/lib-1.0.pom",
				"GET https://maven.example.org/maven2/org/apache/logging/log4j/log4j-core/2.17.1/log4j-core-2.17.1.jar",
			},
			refused: refusals{
				"Log4Shell 12/2021": {"GET https://maven.example.org/maven2/org/apache/logging/log4j/log4j-core/2.14.1/log4j-core-2.14.1.jar", "GET https://maven.example.org/maven2/org/apache/logging/log4j/log4j-core/3.0-beta2/log4j-core-3.0-beta2.jar"},
				"another group":     {"GET https://maven.example.org/maven2/com/evil/lib/1.0/lib-1.0.jar", "GET https://maven.example.org/maven2/com/example/evil/lib/1.0/lib-1.0.jar"},
				"a publication":     {"PUT https://maven.example.org/maven2/com/example/lib/1.0/lib-1.0.jar"},
			},
		},
		"debian-read": {
			allowed: []string{
				"GET http://deb.example.org/debian/pool/main/c/curl/curl_7.88.1-10+deb12u5_amd64.deb",
				"GET http://deb.example.org/debian/dists/bookworm/InRelease",
			},
			refused: refusals{
				"another suite":        {"GET http://deb.example.org/debian/dists/sid/InRelease"},
				"Trivy 3/2026":         {"POST https://scan.aquasecurtiy.org/ X-Filename=tpcp.tar.gz"},
				"something else there": {"GET http://deb.example.org/payload.sh", "PUT http://deb.example.org/debian/pool/main/c/curl/curl_8_amd64.deb"},
			},
		},
		"no-publish": {
			overlay: true,
			refused: refusals{
				"Shai-Hulud 9/2025":     {"PUT https://npm.example.org/ngx-bootstrap", "PUT https://npm.example.org/@example%2Ftool", "PUT https://npm.example.org/@example/tool", "GET https://npm.example.org/-/whoami", "POST https://api.github.com/user/repos", "PUT https://api.github.com/repos/me/Shai-Hulud/contents/data.json"},
				"Shai-Hulud 2 11/2025":  {"PUT https://npm.example.org/-/package/x/dist-tags/latest", "GET https://npm.example.org/-/npm/v1/tokens", "GET https://npm.example.org//-/whoami", "PUT https://npm.example.org/x/", "put https://npm.example.org/x", "POST https://npm.example.org/x X-Http-Method=GET"},
				"nx s1ngularity 8/2025": {"PUT https://api.github.com/repos/me/s1ngularity-repository-0/contents/results.b64"},
				"Trivy 3/2026":          {"POST https://uploads.github.com/repos/me/tpcp-docs/releases/1/assets?name=tpcp.tar.gz"},
				"a push":                {"GET https://github.com/me/x.git/info/refs?service=git-receive-pack", "GET https://github.com/me/x.git/info/refs?a=b&SERVICE=git%2Dreceive-pack", "POST https://github.com/me/x.git/git-receive-pack", "POST https://github.com/me/x.git/info/lfs/objects/batch"},
				"a publication":         {"POST https://upload.pypi.example.org/legacy/", "PUT https://crates.example.org/api/v1/crates/new", "PUT https://maven.example.org/maven2/com/example/lib/1.0/lib-1.0.jar", "PUT http://maven.example.org:8080/a"},
				"all of it, unread":     {"CONNECT https://npm.example.org", "CONNECT https://uploads.github.com"},
			},
		},
		"telemetry": {
			logged: []string{"POST https://telemetry.example.com/v1/events Content-Type=application/json"},
			refused: refusals{
				"LiteLLM 3/2026":         {"POST https://telemetry.example.com/v1/events Content-Type=application/json X-Filename=tpcp.tar.gz"},
				"something else":         {"POST https://telemetry.example.com/v1/events Content-Type=application/octet-stream", "GET https://telemetry.example.com/"},
				"Mini Shai-Hulud 4/2026": {"POST https://filev2.getsession.org/upload", "GET https://api.masscan.cloud/ping"},
			},
		},
		"internal-registry": {
			allowed: []string{
				"GET https://npm.corp.example/repository/npm/express",
				"GET https://npm.corp.example/repository/npm/@corp%2Ftool/-/tool-1.0.0.tgz",
			},
			refused: refusals{
				"dependency confusion": {"GET https://npm.example.org/@corp%2Ftool", "GET https://npm.example.org/tool"},
				"another repository":   {"GET https://npm.corp.example/repository/secrets/x"},
				"Shai-Hulud 9/2025":    {"PUT https://npm.corp.example/repository/npm/@corp%2Ftool"},
			},
		},
		"no-cloud-metadata": {
			overlay: true,
			refused: refusals{
				"Shai-Hulud 9/2025":    {"GET http://169.254.169.254/latest/meta-data/iam/security-credentials/", "POST https://secretsmanager.us-east-1.amazonaws.com/"},
				"Shai-Hulud 2 11/2025": {"GET http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token", "GET http://metadata.google.internal/computeMetadata/v1/", "GET http://[fd00:ec2::254]/latest/api/token", "GET http://169.254.170.2/v2/credentials", "GET http://[::ffff:169.254.169.254]/"},
				"raw":                  {"tcp://169.254.169.254:80"},
			},
		},
	}
}

// TestRecipes loads each policy and asks it. A file that no test knows fails.
func TestRecipes(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := recipes()
	if len(files) != len(all) {
		t.Errorf("%d policies, %d tested: %v", len(files), len(all), files)
	}
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			b := load(t, name)
			for _, line := range r.allowed {
				b.check(t, line, policy.Allow)
			}
			for _, line := range r.logged {
				b.check(t, line, policy.Log)
			}
			for incident, lines := range r.refused {
				for _, line := range lines {
					d := b.check(t, line, policy.Deny)
					if r.overlay && (d.Default || d.Rule == "") {
						t.Errorf("%s: %s is refused by the default, which another policy may lift: %+v", incident, line, d)
					}
				}
			}
			b.checkHead(t)
		})
	}
}

// TestPayloads asks every policy about the requests of every incident, for those
// hosts that nobody would put into a policy.
func TestPayloads(t *testing.T) {
	payloads := refusals{
		"Ultralytics 12/2024":    {"POST https://connect.consrensys.com:8080/", "tcp://connect.consrensys.com:8080", "POST https://webhook.site/0a1b"},
		"tj-actions 3/2025":      {"GET https://gist.githubusercontent.com/user/0a1b/raw/memdump.py"},
		"Shai-Hulud 9/2025":      {"POST https://webhook.site/0a1b", "GET http://169.254.169.254/", "POST https://secretsmanager.eu-west-1.amazonaws.com/"},
		"Trivy 3/2026":           {"POST https://scan.aquasecurtiy.org/", "GET https://aaaaa-aa.raw.icp0.io/"},
		"KICS 3/2026":            {"POST https://checkmarx.zone/"},
		"LiteLLM 3/2026":         {"POST https://models.litellm.cloud/", "GET https://checkmarx.zone/raw"},
		"axios 3/2026":           {"POST http://sfrclak.com:8000/6202033"},
		"Mini Shai-Hulud 4/2026": {"POST https://filev2.getsession.org/upload", "GET https://api.masscan.cloud/ping", "GET https://git-tanstack.com/"},
	}
	for name := range recipes() {
		b := load(t, name)
		for _, lines := range payloads {
			for _, line := range lines {
				b.check(t, line, policy.Deny)
			}
		}
	}
}

// book is a policy and what names packages under it.
type book struct {
	text       string
	policy     *allowlist.Policy
	recognizer *ecosystem.Recognizer
}

func load(t *testing.T, name string) book {
	t.Helper()
	text, err := os.ReadFile(name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := allowlist.Parse(name+".yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ecosystem.New(p.Registries())
	if err != nil {
		t.Fatal(err)
	}
	return book{string(text), p, r}
}

// check decides a request as the proxy would: one whose path is ambiguous is
// refused before any policy is asked.
func (b book) check(t *testing.T, line string, want policy.Action) policy.Decision {
	t.Helper()
	q, err := request(line)
	if err != nil {
		if want != policy.Deny {
			t.Errorf("%s: %v", line, err)
		}
		return policy.Decision{Rule: "path"}
	}
	q.Package, q.Registry = b.recognizer.Identify(ecosystem.Query{
		Method: q.Method, Scheme: q.Scheme, Host: q.Host, Port: q.Port, Path: q.Path, RawQuery: q.Query, Header: q.Header,
	})
	d, err := b.policy.Decide(context.Background(), q)
	if err != nil || d.Action != want {
		t.Errorf("%s: %+v, %v, want %s", line, d, err, want)
	}
	return d
}

// checkHead checks that an editor is told what the file is, and that each
// policy says in a comment what it is for.
func (b book) checkHead(t *testing.T) {
	t.Helper()
	if !strings.HasPrefix(b.text, "# yaml-language-server: $schema=../../policy/allowlist/policy.schema.json\n# ") {
		t.Error("the policy does not begin with its schema and what it is for")
	}
}

func request(line string) (*policy.Request, error) {
	words := strings.Fields(line)
	q := &policy.Request{Header: http.Header{}}
	if !strings.Contains(words[0], "://") {
		q.Method, words = words[0], words[1:]
	}
	target, query, _ := strings.Cut(words[0], "?")
	scheme, rest, _ := strings.Cut(target, "://")
	i := strings.IndexByte(rest+"/", '/')
	host, port, err := hostname.ParseAuthority(rest[:i])
	if err != nil {
		return nil, err
	}
	if port == 0 {
		port = policy.DefaultPort(scheme)
	}
	q.Scheme, q.Host, q.Port, q.Query = scheme, host, port, query
	if scheme != "tcp" && q.Method != "CONNECT" {
		if q.Path, err = policy.CanonicalPath(rest[i:]); err != nil {
			return nil, err
		}
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		if name == "via" {
			q.Via = append(q.Via, value)
			continue
		}
		http.Header(q.Header).Add(name, value)
	}
	return q, nil
}

// TestClean looks at each policy as check does: what is copied from here has no
// finding to explain away.
func TestClean(t *testing.T) {
	paths, err := filepath.Glob("*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		for _, f := range (allowlist.Linter{Now: time.Now(), Ecosystems: ecosystem.Types()}).Lint(path) {
			if f.Severity > policy.Note {
				t.Errorf("%s: %s: %s [%s]", f.Place(), f.Severity, f.Message, f.ID)
			}
		}
	}
}
