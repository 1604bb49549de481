package learn

import (
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
)

// digest returns a digest that begins with a letter.
func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

// ecosystemGoldens are builds with the package managers of one client each.
var ecosystemGoldens = []golden{
	{
		name:    "gem",
		options: Options{Command: []string{"bundle", "install"}},
		events: join(
			get("https://gems.example.org/versions"),
			get("https://gems.example.org/info/rack"),
			get("https://gems.example.org/info/nokogiri"),
			get("https://gems.example.org/gems/rack-3.0.8.gem"),
			get("https://gems.example.org/gems/nokogiri-1.15.5-x86_64-linux.gem"),
			get("https://gems.example.org/gems/sorbet-static-0.5.1-universal-darwin-22.gem"),
			get("https://nexus.example.org/repository/gems/specs.4.8.gz"),
			get("https://nexus.example.org/repository/gems/quick/Marshal.4.8/inhouse-1.0.gemspec.rz"),
			get("https://nexus.example.org/repository/gems/gems/inhouse-1.0.gem"),
		),
		neighbours: []string{
			"GET https://gems.example.org/info/rails",
			"GET https://gems.example.org/gems/rack-3.0.9.gem",
			"GET https://gems.example.org/gems/rack-evil-3.0.8.gem",
			"GET https://gems.example.org/gems/rack-3.0.8-universal-darwin-22.gem",
			"GET https://gems.example.org/gems/sorbet-static-0.5.1-universal-darwin-23.gem",
			"GET https://gems.example.org/names",
			"POST https://gems.example.org/api/v1/gems",
			"GET https://nexus.example.org/repository/other/gems/inhouse-1.0.gem",
			"GET http://gems.example.org/gems/rack-3.0.8.gem",
		},
	},
	{
		name:    "nuget",
		options: Options{Command: []string{"dotnet", "restore"}},
		events: join(
			get("https://nuget.example.org/v3/index.json"),
			get("https://nuget.example.org/v3-flatcontainer/newtonsoft.json/index.json"),
			get("https://nuget.example.org/v3-flatcontainer/newtonsoft.json/13.0.1/newtonsoft.json.13.0.1.nupkg"),
			get("https://nuget.example.org/v3/registration5-gz-semver2/newtonsoft.json/index.json"),
			get("https://gitlab.example.org/api/v4/projects/7/packages/nuget/index.json"),
			get("https://gitlab.example.org/api/v4/projects/7/packages/nuget/download/In.House/index.json"),
			get("https://gitlab.example.org/api/v4/projects/7/packages/nuget/download/In.House/1.0.0/in.house.1.0.0.nupkg"),
		),
		neighbours: []string{
			"GET https://nuget.example.org/v3-flatcontainer/newtonsoft.json/13.0.2/newtonsoft.json.13.0.2.nupkg",
			"GET https://nuget.example.org/v3-flatcontainer/newtonsoft.json.evil/13.0.1/newtonsoft.json.evil.13.0.1.nupkg",
			"GET https://nuget.example.org/v3-flatcontainer/serilog/index.json",
			"GET https://nuget.example.org/query",
			"PUT https://nuget.example.org/api/v2/package",
			"GET https://gitlab.example.org/api/v4/projects/8/packages/nuget/download/In.House/1.0.0/in.house.1.0.0.nupkg",
		},
	},
	{
		name:    "composer",
		options: Options{Command: []string{"composer", "install"}},
		events: join(
			get("https://composer.example.org/packages.json"),
			get("https://composer.example.org/p2/monolog/monolog.json"),
			get("https://composer.example.org/p2/monolog/monolog~dev.json"),
			get("https://composer.example.org/p/provider-latest$"+sha256+".json"),
			get("https://code.example.org/repos/Seldaek/monolog/zipball/c915e2634718dbc8a4a15c61b0e62e7a44e14448"),
			get("https://satis.example.org/packages.json"),
			get("https://satis.example.org/include/all$"+sha256[:40]+".json"),
			get("https://satis.example.org/p2/acme/demo.json"),
			get("https://satis.example.org/dist/acme/demo/acme-demo-1.2.0-9f0a1b.zip"),
		),
		neighbours: []string{
			"GET https://composer.example.org/p2/monolog/evil.json",
			"GET https://composer.example.org/p2/evil/monolog.json",
			"GET https://composer.example.org/p/evil/evil$" + sha256 + ".json",
			"GET https://satis.example.org/dist/acme/demo/acme-demo-1.3.0-9f0a1b.zip",
			"GET https://satis.example.org/dist/acme/other/acme-other-1.2.0-9f0a1b.zip",
			"POST https://composer.example.org/downloads/",
		},
	},
	{
		name:    "docker",
		options: Options{Command: []string{"crane", "pull", "registry.example.org/library/alpine:3.18", "alpine.tar"}},
		events: join(
			exchange("GET", "https://registry.example.org/v2/", 401),
			get("https://auth.example.org/token?scope=repository%3Alibrary%2Falpine%3Apull&service=registry.example.org"),
			get("https://registry.example.org/v2/library/alpine/manifests/3.18"),
			get("https://registry.example.org/v2/library/alpine/manifests/"+digest("a")),
			get("https://registry.example.org/v2/library/alpine/blobs/"+digest("b")),
			get("https://registry.example.org/v2/library/alpine/blobs/"+digest("c")),
			exchange("HEAD", "https://registry.example.org/v2/library/alpine/manifests/"+strings.Replace(digest("a"), ":", "-", 1), 404),
			// Pinned: by digests alone.
			get("https://registry.example.org/v2/acme/tool/manifests/"+digest("d")),
			get("https://registry.example.org/v2/acme/tool/manifests/"+digest("e")),
			get("https://registry.example.org/v2/acme/tool/blobs/"+digest("f")),
		),
		neighbours: []string{
			"GET https://registry.example.org/v2/library/alpine/manifests/3.19",
			"GET https://registry.example.org/v2/library/alpine/manifests/latest",
			"GET https://registry.example.org/v2/evil/alpine/manifests/3.18",
			"GET https://registry.example.org/v2/library/alpine/evil/manifests/3.18",
			"GET https://registry.example.org/v2/evil/manifests/" + digest("a"),
			"GET https://registry.example.org/v2/evil/blobs/" + digest("b"),
			"GET https://registry.example.org/v2/acme/tool/manifests/" + digest("a"),
			"GET https://registry.example.org/v2/acme/tool/manifests/latest",
			"GET https://registry.example.org/v2/_catalog",
			"GET https://registry.example.org/v2/library/alpine/blobs/uploads/1",
			"POST https://registry.example.org/v2/library/alpine/blobs/uploads/",
			"PUT https://registry.example.org/v2/library/alpine/manifests/3.18",
			"GET https://registry.evil.test/v2/library/alpine/manifests/3.18",
		},
	},
}

// TestNextWeek: what has moved since a build was learned, and is not another
// package, passes.
func TestNextWeek(t *testing.T) {
	for name, later := range map[string][]string{
		"docker": {
			"HEAD https://registry.example.org/v2/library/alpine/manifests/3.18",
			"GET https://registry.example.org/v2/library/alpine/manifests/" + digest("1"),
			"GET https://registry.example.org/v2/library/alpine/blobs/" + digest("2"),
			"GET https://registry.example.org/v2/library/alpine/referrers/" + digest("1"),
			"GET https://registry.example.org/v2/library/alpine/manifests/" + strings.Replace(digest("1"), ":", "-", 1) + ".sig",
			"GET https://registry.example.org/v2/acme/tool/blobs/" + digest("2"),
		},
		"composer": {
			"GET https://composer.example.org/p/provider-latest$" + strings.Repeat("1", 64) + ".json",
			"GET https://satis.example.org/include/all$" + strings.Repeat("1", 40) + ".json",
		},
		"gem":   {"GET https://gems.example.org/gems/nokogiri-1.15.5-aarch64-linux.gem", "GET https://gems.example.org/api/v1/gems/rack.json"},
		"nuget": {"GET https://nuget.example.org/v3/registration5-gz-semver2/newtonsoft.json/page/1.0.0/13.0.3.json"},
	} {
		for _, tc := range ecosystemGoldens {
			if tc.name != name {
				continue
			}
			p, r := enforced(t, learned(t, tc.options, tc.events))
			for _, line := range later {
				method, raw, _ := strings.Cut(line, " ")
				if d := ask(t, p, r, request(method, raw)); d.Action != policy.Allow {
					t.Errorf("%s: %v (%s)", line, d.Action, d.Reason)
				}
			}
		}
	}
}

// TestEveryEcosystemIsLearned: no grammar goes without a build.
func TestEveryEcosystemIsLearned(t *testing.T) {
	have := map[string]bool{}
	for _, tc := range append(goldens[:len(goldens):len(goldens)], ecosystemGoldens...) {
		have[tc.name] = true
	}
	for _, typ := range ecosystem.Types() {
		if !have[typ] {
			t.Errorf("no golden build is called %s", typ)
		}
	}
}
