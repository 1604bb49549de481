package learn

import (
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
)

var sha256 = strings.Repeat("0123456789abcdef", 4)

// golden is a build. Requests whose URL holds one of not must be denied after
// learning; neighbours are requests that were not made and must be denied.
type golden struct {
	name       string
	options    Options
	events     []enforce.Event
	more       [][]enforce.Event // further runs
	not        []string
	neighbours []string
}

var goldens = []golden{
	{
		name:    "npm",
		options: Options{Command: []string{"npm", "ci"}, Version: "1.2.3"},
		events: by("/usr/bin/node", 24, join(
			get("https://npm.example.org/lodash"),
			get("https://npm.example.org/lodash/-/lodash-4.17.21.tgz"),
			get("https://npm.example.org/lodash/-/lodash-4.17.21.tgz"),
			get("https://npm.example.org/@types%2fnode"),
			get("https://npm.example.org/@types/node/-/node-20.0.0.tgz"),
			get("https://npm.example.org/@types/node/-/node-18.0.0.tgz"),
			get("https://npm.example.org/fsevents"),
			exchange("GET", "https://npm.example.org/never-published", 404),
			exchange("POST", "https://npm.example.org/-/npm/v1/security/advisories/bulk", 200),
			exchange("GET", "https://npm.example.org/gone/-/gone-1.0.0.tgz", 500),
			get("https://api.github.com/repos/example/app/releases/latest?token=hidden"),
		)),
		not: []string{"/gone/"},
		neighbours: []string{
			"GET https://npm.example.org/lodash/-/lodash-4.17.22.tgz",
			"GET https://npm.example.org/lodash/-/evil-4.17.21.tgz",
			"GET https://npm.example.org/never-published/-/never-published-1.0.0.tgz",
			"GET https://npm.evil.test/lodash/-/lodash-4.17.21.tgz",
			"GET http://npm.example.org/lodash/-/lodash-4.17.21.tgz",
			"PUT https://npm.example.org/lodash",
			"GET https://npm.example.org/-/whoami",
			"POST https://npm.example.org/-/npm/v1/tokens",
			"POST https://api.github.com/repos/example/app/releases/latest",
			"GET https://api.github.com/repos/example/app",
		},
	},
	{
		name:    "pypi",
		options: Options{Command: []string{"pip", "install", "-r", "requirements.txt"}},
		events: join(
			get("https://pypi.example.org/simple/typing-extensions/"),
			get("https://files.example.org/packages/b7/f4/"+sha256+"/typing_extensions-4.9.0-py3-none-any.whl"),
			get("https://files.example.org/packages/b7/f4/"+sha256+"/typing_extensions-4.9.0-py3-none-any.whl.metadata"),
			get("https://pypi.example.org/simple/sdist-only/"),
			get("https://archive.example.org/packages/aa/sdist_only-1.0.tar.gz"),
			get("https://downloads.example.org/packages/tool-1.0.tar.gz"),
		),
		neighbours: []string{
			"GET https://pypi.example.org/simple/requests/",
			"GET https://files.example.org/packages/b7/f4/" + sha256 + "/typing_extensions-4.10.0-py3-none-any.whl",
			"GET https://downloads.example.org/packages/tool-1.1.tar.gz",
			"POST https://pypi.example.org/legacy/",
		},
	},
	{
		name:    "golang",
		options: Options{Command: []string{"go", "build", "./..."}},
		events: join(
			get("https://goproxy.example.org/github.com/%21burnt%21sushi/toml/@v/v1.3.2.info"),
			get("https://goproxy.example.org/github.com/%21burnt%21sushi/toml/@v/v1.3.2.mod"),
			get("https://goproxy.example.org/github.com/%21burnt%21sushi/toml/@v/v1.3.2.zip"),
			get("https://goproxy.example.org/example.com/a/@v/list"),
			get("https://goproxy.example.org/sumdb/sum.example.org/supported"),
			get("https://goproxy.example.org/sumdb/sum.example.org/latest"),
			get("https://goproxy.example.org/sumdb/sum.example.org/lookup/github.com/!burnt!sushi/toml@v1.3.2"),
			get("https://goproxy.example.org/sumdb/sum.example.org/tile/8/0/x280/897.p/124"),
			get("https://goproxy.example.org/sumdb/sum.example.org/tile/8/1/003"),
			exchange("GET", "https://goproxy.example.org/github.com/example/@v/list", 404),
			exchange("GET", "https://git.example.org/example/private.git/info/refs?service=git-upload-pack", 401),
			exchange("GET", "https://git.example.org/example/private.git/info/refs?service=git-upload-pack", 200),
			exchange("POST", "https://git.example.org/example/private.git/git-upload-pack", 200),
		),
		neighbours: []string{
			"GET https://goproxy.example.org/github.com/%21burnt%21sushi/toml/@v/v1.4.0.zip",
			"GET https://goproxy.example.org/github.com/example/@v/v1.0.0.zip",
			"GET https://goproxy.example.org/sumdb/sum.evil.test/tile/8/1/003",
			"POST https://git.example.org/example/private.git/git-receive-pack",
		},
	},
	{
		name:    "cargo",
		options: Options{Command: []string{"cargo", "build", "--locked"}},
		events: join(
			get("https://index.example.org/config.json"),
			get("https://index.example.org/cf/g-/cfg-if"),
			get("https://index.example.org/in/fl/inflector"),
			exchange("GET", "https://index.example.org/in/fl/inflector", 304),
			get("https://crates.example.org/crates/cfg-if/1.0.0/download"),
			get("https://crates.example.org/crates/Inflector/Inflector-0.11.4.crate"),
		),
		neighbours: []string{
			"GET https://index.example.org/se/rd/serde",
			"GET https://crates.example.org/crates/cfg-if/1.0.1/download",
			"PUT https://crates.example.org/api/v1/crates/new",
		},
	},
	{
		name:    "maven",
		options: Options{Command: []string{"mvn", "-B", "verify"}},
		events: join(
			get("https://maven.example.org/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.pom"),
			get("https://maven.example.org/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar"),
			get("https://maven.example.org/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar.sha1"),
			get("https://maven.example.org/maven2/junit/junit/4.13/junit-4.13.pom"),
			get("https://maven.example.org/maven2/junit/sub/x/1.0/x-1.0.pom"),
			get("https://maven.example.org/maven2/org/apache/maven/plugins/maven-metadata.xml"),
			exchange("GET", "https://nexus.corp.example:8443/repository/snapshots/org/example/a/1.0-SNAPSHOT/a-1.0-20240102.030405-1.jar", 200, "10.1.2.3:8443"),
		),
		neighbours: []string{
			"GET https://maven.example.org/maven2/org/slf4j/slf4j-api/2.0.10/slf4j-api-2.0.10.jar",
			"GET https://maven.example.org/maven2/junit/junit/4.12/junit-4.12.pom",
			"GET https://nexus.corp.example/repository/snapshots/org/example/a/1.0-SNAPSHOT/a-1.0-20240102.030405-1.jar",
			"PUT https://nexus.corp.example:8443/repository/snapshots/org/example/a/1.0-SNAPSHOT/a-1.0-20240102.030405-1.jar",
		},
	},
	{
		name:    "deb",
		options: Options{Command: []string{"sh", "-c", "apt-get update && apt-get install -y hello"}},
		events: join(
			get("http://deb.example.org/debian/dists/bookworm/InRelease"),
			get("http://deb.example.org/debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/"+sha256),
			get("http://deb.example.org/debian-security/dists/bookworm-security/InRelease"),
			get("http://deb.example.org/debian-security/dists/bookworm-security/main/binary-amd64/by-hash/SHA256/"+sha256),
			get("http://other.example.org/dists/stable/InRelease"),
			get("http://deb.example.org/debian/pool/main/h/hello/hello_2.10-3_amd64.deb"),
			get("http://deb.example.org/debian/pool/main/g/gcc-12/libstdc%2b%2b6_12.2.0-14%2bdeb12u1_amd64.deb"),
		),
		neighbours: []string{
			"GET http://deb.example.org/debian/pool/main/h/hello/hello_2.11-1_amd64.deb",
			"GET http://deb.example.org/debian/pool/main/h/hello/hello_2.10-3_arm64.deb",
			"GET http://deb.example.org/debian/dists/sid/InRelease",
			"GET http://other.example.org/dists/stable/Release",
			"GET https://deb.example.org/debian/dists/bookworm/InRelease",
		},
	},
	{
		// The registry is known from npm's configuration: nothing was downloaded.
		name: "configured",
		options: Options{Command: []string{"npm", "outdated"}, Registries: ecosystem.Registries{
			"npm": {"https://nexus.example.org/repository/npm/"}, "pypi": {"https://unused.example.org/"},
		}},
		events: join(
			exchange("GET", "https://nexus.example.org/repository/npm/lodash", 200, "10.0.0.7:443"),
			exchange("GET", "https://nexus.example.org/repository/npm/ms/-/ms-2.0.0.tgz", 200, "10.0.0.7:443"),
			exchange("GET", "https://nexus.example.org/repository/npm/ms/-/ms-2.1.0.tgz", 200, "10.0.0.7:443"),
			exchange("GET", "https://nexus.example.org/repository/npm/ms/-/ms-2.1.0.tgz", 200, "10.0.0.8:443"),
			get("https://nexus.example.org/repository/other/lodash"),
		),
		neighbours: []string{"GET https://nexus.example.org/repository/npm/left-pad"},
	},
	{
		name:    "mixed",
		options: Options{Command: []string{"make", "release", "TOKEN=ghp_" + strings.Repeat("a1B2", 9)}},
		events: join(
			get("https://build.example.org/tools/cc.tgz"),
			get("https://build.example.org/tools/ld.tgz"),
			exchange("HEAD", "https://build.example.org/tools/ld.tgz", 200),
			exchange("HEAD", "https://build.example.org/ping", 200),
			get("https://build.example.org/status"),
			exchange("POST", "https://build.example.org/status", 204),
			exchange("PUT", "https://build.example.org/upload/1", 201),
			exchange("PATCH", "https://build.example.org/upload/1", 200),
			exchange("DELETE", "https://build.example.org/upload/1", 404),
			exchange("POST", "https://auth.example.org/login", 401),
			exchange("GET", "https://auth.example.org/forbidden", 403),
			exchange("GET", "http://127.0.0.1:8080/health", 200, "127.0.0.1:8080"),
			exchange("GET", "https://[2001:4860::1]/x", 200, "[2001:4860::1]:443"),
			exchange("GET", "wss://live.example.org/socket", 101),
			exchange("", "tcp://git.example.org:22", 0, "10.9.8.7:22"),
			exchange("CONNECT", "https://pinned.example.org", 0),
			get("https://hooks.example.org/services/T0/AbCd1234EfGh5678IjKl9012MnOp3456"),
			get("https://hooks.example.org/services/T0/ZbCd1234EfGh5678IjKl9012MnOp3456"),
			get("https://hooks.example.org/ghs_"+strings.Repeat("a1B2", 9)+"/x"),
			get("https://hooks.example.org/sha256/"+sha256),
			broken("GET", "https://down.example.org/", "connect: connection refused"),
			broken("GET", "https://down.example.org/", "connect: no route to host"),
			exchange("POST", "https://down.example.org/", 503),
			[]enforce.Event{request("GET", "https://quiet.example.org/stream")},
		),
		not:        []string{"login", "down.example.org", "DELETE "},
		neighbours: []string{"GET https://build.example.org/tools/as.tgz", "GET https://build.example.org/ping", "GET https://build.example.org/upload/1", "GET wss://live.example.org/", "CONNECT https://other.example.org", " tcp://git.example.org:23", "GET https://hooks.example.org/services/T1/x", "GET https://x.build.example.org/tools/cc.tgz"},
	},
	{
		// What a payload does while a build is learned.
		name:    "attack",
		options: Options{Command: []string{"npm", "install"}},
		events: join(
			get("https://npm.example.org/a/-/a-1.0.0.tgz"),
			get("https://npm.example.org/b/-/b-1.0.0.tgz"),
			get("https://npm.example.org/c/-/c-1.0.0.tgz"),
			get("https://npm.evil.test/a/-/a-1.0.0.tgz"),
			exchange("POST", "https://webhook.site/7f3c1d2e-0000-4000-8000-000000000000", 200),
			exchange("POST", "https://x.ngrok.io/", 200),
			exchange("POST", "https://discord.com/api/webhooks/1/x", 204),
			exchange("GET", "http://169.254.169.254/latest/meta-data/iam/", 200, "169.254.169.254:80"),
			exchange("GET", "http://[fd00:ec2::254]/latest/", 200, "[fd00:ec2::254]:80"),
			exchange("GET", "http://metadata.google.internal/computeMetadata/v1/", 200, "169.254.169.254:80"),
			exchange("GET", "https://rebind.evil.test/", 200, "169.254.169.254:443"),
			get("https://resolver.evil.test/dns-query?dns=AAAB"),
			get("https://dns.google/resolve?name=x"),
			exchange("", "tcp://1.1.1.1:853", 0, "1.1.1.1:853"),
			blocked("GET", "https://blocked.example.org/"),
			ruled("GET", "https://ruled.example.org/"),
			get("https://a1.evil.test/"), get("https://a2.evil.test/"), get("https://a3.evil.test/"),
			[]enforce.Event{{Stage: enforce.StageUDP, Host: "quic.example.org", Port: 443}},
			[]enforce.Event{{Stage: enforce.StageDNS, Host: "looked-up.example.org", Action: policy.Log}},
		),
		not: []string{"webhook.site", "ngrok", "discord", "169.254", "fd00", "metadata.google", "rebind", "resolver", "dns.google", "1.1.1.1", "blocked", "ruled"},
		neighbours: []string{
			"GET https://a4.evil.test/", "GET https://evil.test/", "GET https://looked-up.example.org/",
			"GET https://npm.example.org/d/-/d-1.0.0.tgz",
		},
	},
	{
		// Three jobs of a matrix: what all of them do, and what one did.
		name:    "runs",
		options: Options{Recordings: []string{"linux.jsonl", "a b.jsonl", "arm.jsonl"}},
		events: join(
			by("/usr/bin/node", 24, get("https://npm.example.org/a/-/a-1.0.0.tgz")),
			by("/usr/bin/curl", 24, get("https://build.example.org/tools/cc.tgz")),
			by("/usr/bin/curl", 24, get("https://build.example.org/tools/ld.tgz")),
		),
		more: [][]enforce.Event{
			join(
				by("/opt/hostedtoolcache/node/22/x64/bin/node", 23, get("https://npm.example.org/a/-/a-1.0.0.tgz")),
				by("/usr/bin/curl", 23, get("https://build.example.org/tools/cc.tgz")),
				by("/usr/bin/wget", 23, get("https://build.example.org/tools/cc.tgz")),
				by("/tmp/a b; review: none (deleted)", 23, get("https://build.example.org/tools/cc.tgz")),
				by("/usr/bin/curl", 23, exchange("POST", "https://build.example.org/done", 204)),
				by("/usr/bin/curl", 23, get("https://denied.example.org/by-rule")),
				by("/usr/bin/curl", 23, get("https://denied.example.org/by-default")),
				by("/usr/bin/curl", 23, exchange("GET", "https://cache.example.org/a", 200, "10.0.0.2:443")),
				by("/usr/bin/curl", 23, exchange("GET", "https://down.example.org/a", 503)),
			),
			join(
				by("/usr/bin/node", 25, get("https://npm.example.org/a/-/a-1.0.0.tgz")),
				by("/usr/bin/node", 25, get("https://npm.example.org/b/-/b-1.0.0.tgz")),
				by("/usr/bin/curl", 25, get("https://build.example.org/tools/cc.tgz")),
				by("/usr/bin/curl", 25, get("https://build.example.org/tools/ld.tgz")),
				by("/usr/bin/curl", 25, ruled("GET", "https://denied.example.org/by-rule")),
				by("/usr/bin/curl", 25, blocked("GET", "https://denied.example.org/by-default")),
				by("/usr/bin/curl", 25, exchange("GET", "https://cache.example.org/a", 200, "10.0.0.1:443")),
				by("/usr/bin/curl", 25, exchange("GET", "https://cache.example.org/a", 200, "93.184.216.34:443")),
				by("/usr/bin/curl", 25, broken("GET", "https://down.example.org/a", "connect: connection refused")),
			),
		},
		not:        []string{"by-rule", "down.example.org"},
		neighbours: []string{"GET https://build.example.org/tools/as.tgz", "GET https://build.example.org/done"},
	},
	{
		// Parts of paths that show a type and that change are left open; nothing
		// else is.
		name:    "typed",
		options: Options{Command: []string{"make"}},
		events: by("/usr/bin/curl", 24, join(
			get("https://build.example.org/tools/1.2.3/cc-1.2.3.tgz"),
			get("https://build.example.org/tools/1.3.0/cc-1.3.0.tgz"),
			exchange("GET", "https://build.example.org/tools/1.4.0/cc-1.4.0.tgz", 404),
			get("https://build.example.org/tools/1.2.3/ld-1.2.3.tgz"),
			get("https://build.example.org/nightly/2026-11-23/cc.tgz"),
			get("https://build.example.org/nightly/2026-11-24/cc.tgz"),
			get("https://build.example.org/daily/20261123"),
			get("https://build.example.org/daily/20261124"),
			get("https://build.example.org/serial/20261124"),
			get("https://build.example.org/serial/20261399"),
			get("https://build.example.org/pairs/1/a/5"),
			get("https://build.example.org/pairs/1/a/6"),
			exchange("GET", "https://build.example.org/pairs/2/a/7", 404),
			get("https://build.example.org/cas/"+sha256),
			get("https://build.example.org/cas/"+strings.Repeat("fedcba9876543210", 4)),
			get("https://build.example.org/jobs/17/log"),
			get("https://build.example.org/jobs/18/log"),
			exchange("HEAD", "https://build.example.org/jobs/19/artifact", 200),
			get("https://build.example.org/jobs/20/artifact"),
			exchange("GET", "https://build.example.org/maybe/1", 404),
			exchange("GET", "https://build.example.org/maybe/2", 404),
			exchange("PUT", "https://build.example.org/results/1", 201),
			exchange("PUT", "https://build.example.org/results/2", 201),
			get("https://build.example.org/users/1/key"),
			get("https://build.example.org/users/2/key"),
			get("https://build.example.org/4711/a"),
			get("https://build.example.org/4712/a"),
			get("https://storage.googleapis.com/1.2/x/1.0.tgz"),
			get("https://storage.googleapis.com/1.3/x/1.0.tgz"),
			get("https://storage.googleapis.com/1.3/x/1.1.tgz"),
			get("https://v1.example.org/a"),
			get("https://v2.example.org/a"),
		)),
		neighbours: []string{
			"GET https://build.example.org/tools/latest/cc-1.2.3.tgz", "GET https://build.example.org/tools/1.2.3/as-1.2.3.tgz",
			"GET https://build.example.org/tools/1.2.4/ld-1.2.4.tgz", "GET https://build.example.org/tools/1.2.3/x/cc-1.2.3.tgz",
			"GET https://build.example.org/nightly/today/cc.tgz", "GET https://build.example.org/daily/20261399", "GET https://build.example.org/pairs/2/a/5", "GET https://build.example.org/cas/abc", "GET https://build.example.org/jobs/x/log",
			"GET https://build.example.org/jobs/19/artifact", "HEAD https://build.example.org/jobs/21/artifact", "GET https://build.example.org/maybe/3",
			"PUT https://build.example.org/results/3", "GET https://build.example.org/users/3/key", "GET https://build.example.org/4713/a",
			"GET https://storage.googleapis.com/1.4/x/1.0.tgz", "GET https://storage.googleapis.com/1.2/x/1.1.tgz", "GET https://v3.example.org/a",
		},
	},
	{
		name:    "code",
		options: Options{Command: []string{"make", "deps"}},
		events: join(
			by("/usr/lib/git-core/git-remote-http", 24, join(
				get("https://github.com/example/tool.git/info/refs?service=git-upload-pack"),
				exchange("POST", "https://github.com/example/tool.git/git-upload-pack", 200),
				get("https://github.com/example/lib/info/refs?service=git-upload-pack"),
				exchange("POST", "https://github.com/example/lib/git-upload-pack", 200),
				get("https://git.example.org/team/app.git/info/refs?service=git-receive-pack"),
				exchange("POST", "https://git.example.org/team/app.git/git-receive-pack", 200),
				get("https://git.example.org/dumb.git/info/refs"),
				exchange("POST", "https://git.example.org/team/app.git/info/lfs/objects/batch", 200),
			)),
			by("/usr/bin/curl", 24, join(
				get("https://github.com/example/tool/releases/download/v1.2.3/tool-linux-amd64"),
				exchange("GET", "https://github.com/example/gone/releases/download/v1.2.3/tool-linux-amd64", 404),
				get("https://github.com/example/tool/archive/refs/tags/v1.2.3.tar.gz"),
				get("https://github.com/example/tool/archive/v1.2.3.tar.gz"),
				get("https://github.com/example/tool/archive/da39a3ee5e6b4b0d3255bfef95601890afd80709.tar.gz"),
				get("https://github.com/example/lib/archive/0000a3ee5e6b4b0d3255bfef95601890afd80709.tar.gz"),
				get("https://github.com/example/lib/archive/1111a3ee5e6b4b0d3255bfef95601890afd80709.tar.gz"),
				get("https://codeload.github.com/example/tool/tar.gz/refs/tags/v1.2.3"),
				get("https://codeload.github.com/example/tool/zip/refs/heads/main"),
				get("https://raw.githubusercontent.com/example/tool/v1.2.3/install.sh"),
				get("https://raw.githubusercontent.com/example/tool/main/install.sh"),
				get("https://raw.githubusercontent.com/example/lib/2222a3ee5e6b4b0d3255bfef95601890afd80709/install.sh"),
				get("https://raw.githubusercontent.com/example/lib/3333a3ee5e6b4b0d3255bfef95601890afd80709/install.sh"),
				get("https://gist.githubusercontent.com/example/0123456789abcdef0123456789abcdef/raw/setup.sh"),
				get("https://api.github.com/repos/example/tool/releases/latest"),
				get("https://api.github.com/repos/example/tool/releases/tags/v1.2.3"),
				get("https://api.github.com/repos/example/tool/releases/assets/4711"),
				get("https://api.github.com/repos/example/tool/git/blobs/4444a3ee5e6b4b0d3255bfef95601890afd80709"),
				get("https://api.github.com/repos/example/tool/git/blobs/5555a3ee5e6b4b0d3255bfef95601890afd80709"),
				get("https://api.github.com/repos/example/tool/contents/install.sh?ref=main"),
				get("https://api.github.com/repos/example/tool/issues/1"),
				get("https://api.github.com/repos/example/tool/issues/2"),
				exchange("POST", "https://api.github.com/graphql", 200),
				get("https://ghe.example.org/api/v3/repos/team/app/tarball/v2.0"),
				get("https://gitlab.example.org/group/sub/app/-/archive/v1.2.3/app-v1.2.3.tar.gz"),
				get("https://gitlab.example.org/group/sub/app/-/raw/v1.2.3/install.sh"),
				get("https://gitlab.example.org/group/sub/app/-/jobs/4711/artifacts/raw/app"),
				get("https://gitlab.example.org/group/sub/app/-/jobs/4712/artifacts/raw/app"),
				get("https://gitlab.example.org/api/v4/projects/42/packages/generic/app/1.2.3/app-1.2.3.tgz"),
				get("https://gitea.example.org/team/app/releases/download/v1.2.3/app.tgz"),
				get("https://gitea.example.org/team/app/raw/tag/v1.2.3/install.sh"),
				get("https://plain.example.org/a/b/archive/1.2.3.tar.gz"),
			))),
		neighbours: []string{
			"GET https://github.com/example/tool.git/info/refs?service=git-receive-pack", "GET https://github.com/example/tool.git/info/refs",
			"GET https://github.com/example/tool.git/info/refs?service=git-upload-pack&x=y", "POST https://github.com/example/tool.git/git-receive-pack",
			"GET https://github.com/example/tool/info/refs?service=git-upload-pack", "GET https://github.com/other/tool.git/info/refs?service=git-upload-pack",
			"GET https://git.example.org/team/app.git/info/refs?service=git-upload-pack", "POST https://git.example.org/team/app.git/git-upload-pack",
			"GET https://git.example.org/dumb.git/info/refs?service=git-receive-pack", "POST https://git.example.org/other.git/info/lfs/objects/batch",
			"GET https://github.com/other/tool/releases/download/v1.2.3/tool-linux-amd64", "GET https://github.com/example/other/releases/download/v1/x",
			"GET https://github.com/example/gone/releases/download/v1.2.3/tool", "GET https://github.com/example/tool/releases/v1", "GET https://github.com/example/tool/archive/refs/heads/main.tar.gz",
			"GET https://github.com/example/tool/archive/main.tar.gz", "GET https://github.com/example/tool/archive/9999a3ee5e6b4b0d3255bfef95601890afd80709.tar.gz",
			"GET https://github.com/example/lib/archive/9999a3ee5e6b4b0d3255bfef95601890afd80709.tar.gz", "GET https://github.com/example/lib/archive/v1.2.3.tar.gz",
			"GET https://codeload.github.com/example/tool/tar.gz/9999a3ee5e6b4b0d3255bfef95601890afd80709", "GET https://codeload.github.com/example/tool/zip/refs/heads/evil",
			"GET https://raw.githubusercontent.com/example/tool/v1.2.3/payload.sh", "GET https://raw.githubusercontent.com/example/lib/9999a3ee5e6b4b0d3255bfef95601890afd80709/install.sh",
			"GET https://gist.githubusercontent.com/example/ffff456789abcdef0123456789abcdef/raw/setup.sh", "GET https://gist.githubusercontent.com/other/0123456789abcdef0123456789abcdef/raw/setup.sh",
			"GET https://api.github.com/repos/example/tool/git/blobs/9999a3ee5e6b4b0d3255bfef95601890afd80709", "GET https://api.github.com/repos/example/tool/git/trees/9999a3ee5e6b4b0d3255bfef95601890afd80709",
			"GET https://api.github.com/repos/example/tool/contents/payload.sh", "PUT https://api.github.com/repos/example/tool/contents/install.sh",
			"GET https://api.github.com/repos/example/tool/issues/3", "GET https://api.github.com/repos/example/tool/releases/x", "POST https://api.github.com/user/repos",
			"GET https://ghe.example.org/api/v3/repos/team/app/tarball/9999a3ee5e6b4b0d3255bfef95601890afd80709", "GET https://ghe.example.org/api/v3/repos/team/other/tarball/v2.0",
			"GET https://gitlab.example.org/group/sub/app/-/raw/v1.2.3/payload.sh", "GET https://gitlab.example.org/group/sub/other/-/raw/v1.2.3/install.sh",
			"GET https://gitlab.example.org/group/sub/app/-/jobs/4713/artifacts/raw/app", "GET https://gitlab.example.org/api/v4/projects/43/packages/generic/app/1.2.3/app-1.2.3.tgz",
			"GET https://gitea.example.org/team/app/raw/branch/main/install.sh", "GET https://gitea.example.org/other/app/releases/download/v1.2.3/app.tgz",
			"GET https://plain.example.org/a/b/archive/1.2.4.tar.gz",
		},
	},
	{name: "nothing"},
}

func blocked(method, raw string) []enforce.Event {
	ev := request(method, raw)
	ev.Action, ev.Blocked, ev.Reason = policy.Deny, true, "no rule matches"
	return []enforce.Event{ev}
}

func ruled(method, raw string) []enforce.Event {
	events := exchange(method, raw, 200)
	for i := range events {
		events[i].Action, events[i].Rule, events[i].Reason = policy.Deny, "policy.yaml:9", "not from CI"
	}
	return events
}
