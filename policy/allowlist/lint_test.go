package allowlist

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// lint looks at files that are given by their text, a.yaml first, on a day in
// 2026. Findings are given as "a.yaml:4:5 warning id".
func lint(t *testing.T, texts ...string) (short []string, found []policy.Finding) {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, text := range texts {
		path := filepath.Join(dir, string(rune('a'+i))+".yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	l := Linter{Now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Ecosystems: []string{"npm", "pypi"}}
	found = l.Lint(paths...)
	for _, f := range found {
		f.File = filepath.Base(f.File)
		short = append(short, fmt.Sprintf("%s %s %s", f.Place(), f.Severity, f.ID))
		if f.Message == "" || f.Mend == "" {
			t.Errorf("no message or no mend: %+v", f)
		}
	}
	return short, found
}

const head = "version: 1\ndefault: deny\n"

// TestLint has for each finding a policy that has it and, as near to it as can
// be, one that has none.
func TestLint(t *testing.T) {
	for _, tt := range []struct{ name, policy, want, clean string }{
		{"all may be redirected from by default", "version: 1\ndefault: log\nallow:\n  - {host: ok.test, via: 'https://f.test'}\n", "a.yaml:2:1 warning open-default", ""},
		{"no default", "version: 1\nallow: [https://ok.test/]\n", "a.yaml:1:1 note no-default", head + "allow: [https://ok.test/]\n"},
		{"default: allow", "version: 1\ndefault: allow\n", "a.yaml:2:1 warning open-default", head},
		{"default: log", "version: 1\ndefault: log\n", "a.yaml:2:1 warning open-default", head},
		{"unknown ecosystem", head + "registries: {gem: https://gem.ok.test/}\n", "a.yaml:3:14 error unknown-ecosystem", head + "registries: {npm: https://npm.ok.test/}\n"},
		{"no registry", head + "allow:\n  - pkg:npm/lodash\n", "a.yaml:4:5 warning package-without-registry", head + "registries: {npm: https://npm.ok.test/}\nallow:\n  - pkg:npm/lodash\n"},
		{"registry over http", head + "registries: {npm: http://npm.ok.test/}\n", "a.yaml:3:14 note plain-http", head + "registries: {npm: https://npm.ok.test/}\n"},
		{"duplicate", head + "allow:\n  - https://ok.test/a\n  - {host: ok.test, paths: [/a]}\n", "a.yaml:5:5 warning duplicate-rule", head + "allow:\n  - https://ok.test/a\n  - {host: ok.test, paths: [/b]}\n"},
		{"duplicate package", head + "registries: {npm: https://npm.ok.test/}\nallow:\n  - pkg:npm/a\n  - package: pkg:npm/a\n", "a.yaml:6:5 warning duplicate-rule", head + "registries: {npm: https://npm.ok.test/}\nallow:\n  - pkg:npm/a\n  - package: pkg:npm/b\n"},
		{"shadowed by no path", head + "allow:\n  - https://ok.test/a\n  - https://ok.test\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - https://ok.test/a\n  - HEAD https://ok.test\n"},
		{"shadowed by **", head + "allow:\n  - https://ok.test/a/*/b\n  - https://ok.test/a/**\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - https://ok.test/a/**/b\n  - https://ok.test/a/b**\n"},
		{"shadowed by *", head + "allow:\n  - https://ok.test/a/x-*.tgz\n  - https://ok.test/a/*.tgz\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - https://ok.test/a/x-**.tgz\n  - https://ok.test/a/*.tgz\n"},
		{"duplicate type", head + "allow:\n  - https://ok.test/a/{int}\n  - {host: ok.test, paths: ['/a/{int}']}\n", "a.yaml:5:5 warning duplicate-rule", head + "allow:\n  - https://ok.test/a/{int}\n  - https://ok.test/a/{version}\n"},
		{"shadowed by a type", head + "allow:\n  - https://ok.test/a/5\n  - https://ok.test/a/{int}\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - https://ok.test/a/v5\n  - https://ok.test/a/{int}\n"},
		{"shadowed by a type and *", head + "allow:\n  - https://ok.test/a/x-{int}.tgz\n  - https://ok.test/*/x-{int}.*\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - https://ok.test/a/x-*.tgz\n  - https://ok.test/*/x-{int}.*\n"},
		{"type shadowed by *", head + "allow:\n  - https://ok.test/a/{int}/b\n  - https://ok.test/a/*/b\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - https://ok.test/a/{int}/b\n  - https://ok.test/a/*/c\n"},
		{"type beaten", head + "allow: ['https://ok.test/a/{sha}']\ndeny: ['https://ok.test/a/*']\n", "a.yaml:3:9 warning beaten-rule", head + "allow: ['https://ok.test/a/{sha}']\ndeny: ['https://ok.test/a/{uuid}']\n"},
		{"shadowed by a wildcard", head + "allow:\n  - https://a.b.ok.test/\n  - https://*.ok.test\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - https://ok.test/\n  - https://*.ok.test\n"},
		{"shadowed by more methods", head + "allow:\n  - GET https://ok.test/\n  - GET,HEAD https://ok.test/\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - POST https://ok.test/\n  - GET,HEAD https://ok.test/\n"},
		{"shadowed package", head + "registries: {npm: https://npm.ok.test/}\nallow:\n  - pkg:npm/a@1.0.0\n  - pkg:npm/a@1.*\n", "a.yaml:5:5 warning shadowed-rule", head + "registries: {npm: https://npm.ok.test/}\nallow:\n  - pkg:npm/a@2.0.0\n  - pkg:npm/a@1.*\n"},
		{"shadowed by every package", head + "registries: {npm: https://npm.ok.test/}\nallow:\n  - pkg:npm/a@1.0.0\n  - pkg:npm/*\n", "a.yaml:5:5 warning shadowed-rule", head + "registries: {npm: https://npm.ok.test/}\nallow:\n  - pkg:npm/@s/a@1.0.0\n  - pkg:npm/*\n"},
		{"other networks are not shadowed", head + "allow:\n  - https://ok.test/\n  - {host: ok.test, paths: [/], networks: [10.1.2.0/24]}\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - https://ok.test\n  - {host: ok.test, paths: [/], networks: [10.1.2.0/24]}\n"},
		{"a process is not shadowed by another", head + "allow:\n  - {host: ok.test, processes: [npm]}\n  - https://ok.test\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - {host: ok.test, processes: [npm]}\n  - {host: ok.test, processes: [pip]}\n"},
		{"a query is not shadowed by another", head + "allow:\n  - {host: ok.test, query: {a: b}}\n  - https://ok.test\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - {host: ok.test, query: {a: b}}\n  - {host: ok.test, query: {a: c}}\n"},
		{"a method in the query is not shadowed", head + "allow:\n  - {host: ok.test, methods: [POST], query: {a: b}}\n  - POST https://ok.test\n", "a.yaml:4:5 warning shadowed-rule", head + "allow:\n  - {host: ok.test, methods: [POST], query: {_method: put}}\n  - POST https://ok.test\n"},
		{"what lasts is not shadowed by what ends", head + "allow:\n  - https://ok.test/\n  - {host: ok.test, expires: 2099-01-01}\n  - https://ok.test/\n", "a.yaml:6:5 warning duplicate-rule", head + "allow:\n  - https://ok.test/\n  - {host: ok.test, expires: 2099-01-01}\n"},
		{"log under allow", head + "allow: [https://ok.test]\nlog: [https://ok.test/a]\n", "a.yaml:4:7 warning shadowed-rule", head + "allow: [https://ok.test/a]\nlog: [https://ok.test]\n"},
		{"beaten", head + "allow: [https://ok.test/a]\ndeny: [{host: ok.test}]\n", "a.yaml:3:9 warning beaten-rule", head + "allow: [https://ok.test/a]\ndeny: [{host: ok.test, paths: [/b]}]\n"},
		{"beaten by a method", head + "allow: [POST https://ok.test/a]\ndeny: [{host: ok.test, methods: [POST, PUT]}]\n", "a.yaml:3:9 warning beaten-rule", head + "allow: [https://ok.test/a]\ndeny: [{host: ok.test, methods: [POST, PUT]}]\n"},
		{"beaten package", head + "registries: {npm: https://npm.ok.test/}\nallow: [pkg:npm/a@1.0.0]\ndeny: ['pkg:npm/a@<1.0.1']\n", "a.yaml:4:9 warning beaten-rule", head + "registries: {npm: https://npm.ok.test/}\nallow: [pkg:npm/a@1.0.1]\ndeny: ['pkg:npm/a@<1.0.1']\n"},
		{"passthrough under any deny rule", head + "allow:\n  - {host: ok.test, tls: passthrough}\ndeny:\n  - {host: ok.test, paths: [/x]}\n", "a.yaml:4:5 warning beaten-rule\na.yaml:4:21 note tls-passthrough", ""},
		{"wildcard over a shared domain", head + "allow: ['https://*.amazonaws.com/**']\n", "a.yaml:3:9 warning wildcard-shared-domain", head + "allow: ['https://*.bucket.s3.amazonaws.com/**']\n"},
		{"any bucket", head + "allow: ['https://storage.googleapis.com/**']\n", "a.yaml:3:9 warning shared-host", head + "allow: ['https://storage.googleapis.com/bucket/**']\n"},
		{"any bucket, by a long rule", head + "allow:\n  - methods: [GET]\n    host: s3.amazonaws.com\n", "a.yaml:5:5 warning shared-host", head + "allow:\n  - methods: [GET]\n    host: bucket.s3.amazonaws.com\n"},
		{"a bucket that begins so", head + "allow: ['https://storage.googleapis.com/buck*/**']\n", "a.yaml:3:9 warning shared-host", head + "allow: ['https://storage.googleapis.com/bucket/a*']\n"},
		{"a bucket of a type", head + "allow: ['https://storage.googleapis.com/{uuid}/a']\n", "a.yaml:3:9 warning shared-host", head + "allow: ['https://storage.googleapis.com/bucket/{uuid}']\n"},
		{"a bucket that begins so and has a type", head + "allow: ['https://storage.googleapis.com/buck-{int}/**']\n", "a.yaml:3:9 warning shared-host", head + "allow: ['https://storage.googleapis.com/bucket/{int}/**']\n"},
		{"anyone's gist", head + "allow: ['https://gist.githubusercontent.com/*/0a1b/raw/x.py']\n", "a.yaml:3:9 warning shared-host", head + "allow: ['https://gist.githubusercontent.com/example/0a1b/raw/x.py']\n"},
		{"a paste", head + "allow: [POST https://pastebin.com/api]\n", "a.yaml:3:9 warning exfiltration-host", head + "deny: [POST https://pastebin.com/api]\n"},
		{"a webhook", head + "allow: [POST https://discord.com/api/webhooks/1/x]\n", "a.yaml:3:9 warning exfiltration-host", head + "allow: [POST https://discord.com/app]\n"},
		{"metadata", head + "allow: [https://metadata.google.internal/x]\n", "a.yaml:3:9 warning metadata-host", head + "deny: [https://metadata.google.internal/x]\n"},
		{"writes to a code host", head + "allow: [POST https://api.github.com]\n", "a.yaml:3:9 warning code-host-write", head + "allow: [GET https://api.github.com]\n"},
		{"writes to any path of a code host", head + "allow:\n  - host: github.com\n    methods: [GET, POST]\n    paths: ['/*/*']\n", "a.yaml:5:5 warning code-host-write", head + "allow:\n  - host: github.com\n    methods: [GET, POST]\n    paths: ['/*/*/git-upload-pack']\n"},
		{"writes to any number of a code host", head + "allow:\n  - host: github.com\n    methods: [GET, POST]\n    paths: ['/{int}/{sha}']\n", "a.yaml:5:5 warning code-host-write", head + "allow:\n  - host: github.com\n    methods: [GET, POST]\n    paths: ['/example/{int}']\n"},
		{"plain http", head + "allow:\n  - host: ok.test\n    schemes: [http]\n", "a.yaml:5:5 note plain-http", head + "allow:\n  - host: ok.test\n    schemes: [https]\n"},
		{"private address", head + "allow:\n  - https://10.1.2.3/a\n", "a.yaml:4:5 warning private-address", head + "allow:\n  - {host: 10.1.2.3, networks: [10.1.0.0/16]}\n"},
		{"private address of IPv6", head + "allow:\n  - {host: 'fd00::1'}\n", "a.yaml:4:6 warning private-address", head + "allow:\n  - {host: 'fd00::1', networks: ['fd00::1/128']}\n"},
		{"localhost", head + "allow:\n  - {host: a.localhost, networks: [10.0.0.1/32]}\n", "a.yaml:4:6 warning private-address", head + "allow:\n  - {host: localhost, networks: ['::1/128']}\n"},
		{"private address under deny", head + "deny: [https://ok.test/a, GTE https://ok.test/b]\n", "a.yaml:3:27 warning unknown-method", head + "deny: [https://10.1.2.3/]\n"},
		{"any method", head + "allow:\n  - {host: ok.test, methods: [GET, ANY]}\n", "a.yaml:4:21 warning unknown-method", head + "allow:\n  - {host: ok.test, methods: [GET, QUERY]}\n"},
		{"regular expression", head + "allow:\n  - {host: ok.test, paths: ['/a/.*']}\n", "a.yaml:4:21 warning regular-expression", head + "allow:\n  - {host: ok.test, paths: [/a/v1.*, /.well-known/*, '/a(b)/+c', '/a$b', /x_1.+git.deb]}\n"},
		{"regular expression with a choice", head + "deny:\n  - https://ok.test/(a|b)\n", "a.yaml:4:5 warning regular-expression", head + "deny:\n  - https://ok.test/(a,b)\n"},
		{"regular expression to the end", head + "deny:\n  - https://ok.test/a*$\n", "a.yaml:4:5 warning regular-expression", head + "deny:\n  - https://ok.test/a$\n"},
		{"program by its path with arguments", head + "allow:\n  - {host: ok.test, processes: [/usr/bin/git clone]}\n", "a.yaml:4:21 warning process-arguments", head + "allow:\n  - {host: ok.test, processes: [/usr/bin/git]}\n"},
		{"program with an option", head + "allow:\n  - {host: ok.test, processes: [/bin/sh -c /x]}\n", "a.yaml:4:21 warning process-arguments", head + "allow:\n  - {host: ok.test, processes: [/bin/sh]}\n"},
		{"process with arguments", head + "allow:\n  - {host: ok.test, processes: ['npm ci']}\n", "a.yaml:4:21 warning process-arguments", head + "allow:\n  - {host: ok.test, processes: [npm, /opt/My Tool/x]}\n"},
		{"packages without a namespace", head + "registries: {npm: https://npm.ok.test/}\ndeny:\n  - pkg:npm/*\n", "a.yaml:5:5 warning without-namespace", head + "registries: {npm: https://npm.ok.test/, pypi: https://pypi.ok.test/}\ndeny:\n  - pkg:npm/%40o/*\n  - pkg:pypi/*\n"},
		{"plain http on the way", head + "allow: [http://ok.test/]\n", "a.yaml:3:9 note plain-http", head + "allow: [{host: 127.0.0.1, schemes: [http], networks: [127.0.0.1/32]}]\n"},
		{"passthrough", head + "allow:\n  - host: ok.test\n    tls: passthrough\n", "a.yaml:5:5 note tls-passthrough", head + "allow:\n  - host: ok.test\n"},
		{"raw tcp", head + "allow: [tcp://ok.test:22]\n", "a.yaml:3:9 note raw-tcp", head + "deny: [tcp://ok.test:22]\n"},
		{"raw tcp to many ports", head + "allow:\n  - host: ok.test\n    schemes: [tcp]\n    ports: [1, 2, 3, 4, 5, 6, 7, 8, 9]\n", "a.yaml:5:5 note raw-tcp\na.yaml:6:5 warning many-ports", ""},
		{"wide network", head + "allow:\n  - host: ok.test\n    networks: [10.0.0.0/8]\n", "a.yaml:5:5 warning wide-network", head + "allow:\n  - host: ok.test\n    networks: [10.1.0.0/16, 127.0.0.0/8]\n"},
		{"wide IPv6 network", head + "allow:\n  - host: ok.test\n    networks: ['fd00::/8']\n", "a.yaml:5:5 warning wide-network", head + "allow:\n  - host: ok.test\n    networks: ['fd00:1:2::/48']\n"},
		{"network of metadata", head + "allow:\n  - host: ok.test\n    networks: [169.254.169.254/32]\n", "a.yaml:5:5 warning wide-network", head + "allow:\n  - host: ok.test\n    networks: [169.254.1.1/32]\n"},
		{"what a redirect leads to is not shadowed by another", head + "allow:\n  - https://f.test\n  - {host: ok.test, via: 'https://f.test/a/*'}\n  - {host: ok.test, via: ['https://f.test/**']}\n", "a.yaml:5:5 warning shadowed-rule", head + "allow:\n  - https://f.test\n  - {host: ok.test, via: 'https://f.test/a/*'}\n  - {host: ok.test, via: ['https://f.test/b/**']}\n"},
		{"what a redirect leads to shadows nothing", head + "allow:\n  - https://f.test\n  - {host: ok.test, via: 'https://f.test'}\n  - https://ok.test/a\n  - https://ok.test\n", "a.yaml:5:5 warning shadowed-rule\na.yaml:6:5 warning shadowed-rule", head + "allow:\n  - https://f.test\n  - {host: ok.test, via: 'https://f.test'}\n  - https://ok.test/a\n"},
		{"a bucket that a redirect names", head + "allow:\n  - https://f.test\n  - {host: storage.googleapis.com, methods: [HEAD]}\n", "a.yaml:5:6 warning shared-host", head + "allow:\n  - https://f.test\n  - {host: storage.googleapis.com, via: 'https://f.test'}\n"},
		{"a paste that a redirect names", head + "allow:\n  - https://f.test\n  - {host: pastebin.com, via: 'https://f.test'}\n", "a.yaml:5:6 warning exfiltration-host", ""},
		{"a redirect from any name", head + "allow:\n  - https://*.f.test\n  - {host: ok.test, via: ['https://g.f.test/x', 'https://*.f.test']}\n", "a.yaml:5:21 warning wildcard-via", head + "allow:\n  - https://*.f.test\n  - {host: ok.test, via: 'https://g.f.test'}\n"},
		{"a redirect from where nothing passes", head + "allow:\n  - {host: ok.test, via: 'https://f.test'}\n", "a.yaml:4:21 warning unreachable-via", head + "allow:\n  - https://f.test\n  - {host: ok.test, via: 'https://f.test'}\n"},
		{"a redirect from another port", head + "allow:\n  - https://f.test:8443\n  - {host: ok.test, via: 'https://f.test'}\n", "a.yaml:5:21 warning unreachable-via", head + "allow:\n  - https://f.test:8443\n  - {host: ok.test, via: 'https://f.test:8443'}\n"},
		{"a redirect from another scheme", head + "allow:\n  - https://f.test\n  - {host: ok.test, via: 'http://f.test'}\n", "a.yaml:5:21 warning unreachable-via", head + "log: [{host: f.test}]\nallow:\n  - https://g.test\n  - {host: ok.test, via: 'https://f.test/x'}\n"},
		{"a redirect from another path", head + "allow:\n  - https://f.test/a/**\n  - {host: ok.test, via: 'https://f.test/b/**'}\n", "a.yaml:5:21 warning unreachable-via", head + "allow:\n  - https://f.test/a/**/z\n  - {host: ok.test, via: 'https://f.test/a/b/**'}\n"},
		{"a redirect from another exact path", head + "allow:\n  - https://f.test/a/*\n  - {host: ok.test, via: 'https://f.test/a/b/c'}\n", "a.yaml:5:21 warning unreachable-via", head + "allow:\n  - https://f.test/a/*\n  - {host: ok.test, via: 'https://f.test/a/b'}\n"},
		{"a redirect from the apex", head + "allow:\n  - https://*.f.test\n  - {host: ok.test, via: 'https://f.test'}\n", "a.yaml:5:21 warning unreachable-via", head + "allow:\n  - https://*.f.test\n  - {host: ok.test, via: 'https://g.f.test'}\n"},
		{"a redirect from itself", head + "allow:\n  - {host: ok.test, via: 'https://ok.test'}\n", "a.yaml:4:21 warning unreachable-via", head + "allow:\n  - https://ok.test/a\n  - {host: ok.test, via: 'https://ok.test'}\n"},
		{"redirects in a ring", head + "allow:\n  - {host: a.test, via: 'https://ok.test'}\n  - {host: ok.test, via: 'https://a.test'}\n", "a.yaml:4:20 warning unreachable-via\na.yaml:5:21 warning unreachable-via", head + "allow:\n  - {host: ok.test, via: 'https://a.test'}\n  - {host: a.test, via: 'https://f.test'}\n  - https://f.test/a\n"},
		{"a redirect from a registry", head + "registries: {npm: https://npm.ok.test/npm/}\nallow:\n  - https://f.test\n  - {host: ok.test, via: 'https://npm.ok.test/pypi/**'}\n", "a.yaml:6:21 warning unreachable-via", head + "registries: {npm: https://npm.ok.test/npm/}\nallow:\n  - https://f.test\n  - {host: ok.test, via: 'https://npm.ok.test/**'}\n"},
		{"a redirect from where it is over", head + "allow:\n  - {host: f.test, expires: 2026-11-23}\n  - {host: ok.test, via: 'https://f.test'}\n", "a.yaml:4:20 error expired\na.yaml:5:21 warning unreachable-via", ""},
		{"a redirect that nobody sees", head + "allow:\n  - {host: f.test, tls: passthrough}\n  - {host: ok.test, via: 'https://f.test'}\n", "a.yaml:4:20 note tls-passthrough\na.yaml:5:21 warning unreachable-via", ""},
		{"expired", head + "allow:\n  - host: ok.test\n    expires: 2026-11-23\n", "a.yaml:5:5 error expired", head + "allow:\n  - host: ok.test\n    expires: 2026-12-24\n"},
		{"expired, and no more to say", head + "allow:\n  - host: ok.test\n    expires: 2026-11-23\ndeny: [{host: ok.test}]\n", "a.yaml:5:5 error expired", ""},
		{"expired, under deny", head + "deny:\n  - host: ok.test\n    expires: 2026-11-23\n", "a.yaml:5:5 error expired", head + "deny:\n  - host: ok.test\n    expires: 2026-12-24\n"},
		{"its last day", head + "allow:\n  - host: ok.test\n    expires: 2026-11-24\n", "a.yaml:5:5 warning expires-soon", head + "allow:\n  - host: ok.test\n    expires: 2026-12-08\n"},
		{"not a policy", "version: 1\nalow: []\n", "a.yaml:2:1 error invalid", head},
		{"a wildcard over a public suffix", head + "allow: ['https://*.github.io/']\n", "a.yaml:3:18 error invalid", head + "allow: ['https://*.example.github.io/']\n"},
		{"a wildcard over buckets", head + "allow: ['https://*.s3.amazonaws.com/']\n", "a.yaml:3:18 error invalid", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			short, found := lint(t, tt.policy)
			if got := strings.Join(short, "\n"); got != tt.want {
				t.Errorf("found\n%s\nwant\n%s\n%+v", got, tt.want, found)
			}
			if tt.clean == "" {
				return
			}
			if short, found = lint(t, tt.clean); len(short) > 0 {
				t.Errorf("in the clean one: %q %+v", short, found)
			}
		})
	}
}

// TestLintAcrossFiles has rules of one file that another one leaves nothing to.
func TestLintAcrossFiles(t *testing.T) {
	short, found := lint(t,
		head+"allow:\n  - https://ok.test/a\n  - pkg:npm/lodash\n  - https://other.test/\n",
		head+"registries: {npm: https://npm.ok.test/}\ndeny:\n  - host: ok.test\nallow:\n  - https://other.test/\n",
		"version: 2\n")
	want := []string{"a.yaml:4:5 warning beaten-rule", "b.yaml:7:5 warning duplicate-rule", "c.yaml:1:10 error invalid"}
	if strings.Join(short, "\n") != strings.Join(want, "\n") {
		t.Errorf("found %q, want %q", short, want)
	}
	if len(found) > 0 && !strings.Contains(found[0].Message, "b.yaml:5") {
		t.Errorf("the other rule is not named: %s", found[0].Message)
	}
}

// TestLintMissing has a file that cannot be read: no file is clean by being away.
func TestLintMissing(t *testing.T) {
	found := Linter{}.Lint(filepath.Join(t.TempDir(), "none.yaml"))
	if len(found) != 1 || found[0].Severity != policy.Error || found[0].Line != 0 {
		t.Errorf("found %+v", found)
	}
}

// TestLintManyRules has as many rules for one host as a file holds. What is not
// compared is said.
func TestLintManyRules(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + "allow:\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "  - https://ok.test/%d\n", i)
	}
	short, _ := lint(t, b.String())
	if len(short) != 1 || !strings.HasSuffix(short[0], "note overlaps-not-searched") {
		t.Errorf("found %q", short)
	}
}
