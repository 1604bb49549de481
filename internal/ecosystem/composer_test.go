package ecosystem

import (
	"strings"
	"testing"
)

func TestComposer(t *testing.T) {
	sha := strings.Repeat("0123456789abcdef", 4)
	commit := sha[:40]
	checkGrammar(t, "composer", []grammarCase{
		// As composer 2 and 1 ask.
		{"/", "/p2/monolog/monolog.json", "pkg:composer/monolog/monolog"},
		{"/", "/p2/monolog/monolog~dev.json", "pkg:composer/monolog/monolog"},
		{"/", "/p2/Acme/Demo.X.json", "pkg:composer/acme/demo.x"},
		{"/", "/p/monolog/monolog$" + sha + ".json", "pkg:composer/monolog/monolog"},
		{"/", "/p/monolog/monolog%24" + sha + ".json", "pkg:composer/monolog/monolog"},
		{"/", "/p/monolog/monolog.json", "pkg:composer/monolog/monolog"},
		{"/api/v4/group/7/-/packages/composer/", "/api/v4/group/7/-/packages/composer/p2/acme/demo.json", "pkg:composer/acme/demo"},

		// Satis, Private Packagist, Repman, Nexus.
		{"/", "/dist/acme/demo/acme-demo-1.2.0-9f0a1b.zip", "pkg:composer/acme/demo@1.2.0"},
		{"/", "/dist/acme/demo.x/acme-demo-x-v1.2.0-beta.1-9f0a1b.tar", "pkg:composer/acme/demo.x@v1.2.0-beta.1"},
		{"/", "/dist/acme/demo/acme-demo-1.2.0.zip", "pkg:composer/acme/demo@1.2.0"},
		{"/", "/dist/acme/demo/acme-demo-dev-main-9f0a1b.zip", "pkg:composer/acme/demo@dev-main"},
		{"/", "/dist/acme/demo/acme-demo-" + commit + "-zip-9f0a1b.zip", "pkg:composer/acme/demo@" + commit},
		{"/o/", "/o/dists/acme/demo/1.2.0.0/r" + commit + ".zip", "pkg:composer/acme/demo@1.2.0.0"},
		{"/", "/dists/acme/demo/1.2.0.0/" + commit + "_12.zip", "pkg:composer/acme/demo@1.2.0.0"},
		{"/repository/php/", "/repository/php/acme/demo/1.2.0/acme-demo-1.2.0.zip", "pkg:composer/acme/demo@1.2.0"},

		// The repository as a whole.
		{"/", "/packages.json", ""},
		{"/", "/p/provider-2013$" + sha + ".json", ""},
		{"/", "/packages/list.json", ""},
		{"/", "/include/all$" + commit + ".json", ""},

		{"/", "/p2/monolog/monolog", ""},
		{"/", "/p2/monolog.json", ""},
		{"/", "/p2/a/b/c.json", ""},
		{"/", "/p2/a%2Fb/c.json", ""},
		{"/", "/p2/a/b%2Fc.json", ""},
		{"/", "/p2/a/%2A.json", ""},
		{"/", "/p/a/b$" + sha[1:] + ".json", ""},
		{"/", "/dist/acme/demo/acme-other-1.2.0-9f0a1b.zip", ""},
		{"/", "/dist/acme/demo/evil-demo-1.2.0-9f0a1b.zip", ""},
		{"/", "/dist/acme/demo/acme-demo-.zip", ""},
		{"/", "/dist/acme/demo/x/acme-demo-1.0-9f0a1b.zip", ""},
		{"/", "/dists/acme/demo/x.zip", ""},
		{"/", "/dists/acme/demo/%2A/x.zip", ""},
		{"/", "/dists/acme/demo/1.2.0.0/x.exe", ""},
		{"/", "/archives/acme/demo.zip", ""},
	})
}
