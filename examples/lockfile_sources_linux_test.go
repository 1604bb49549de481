package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLockfileSources: lockfiles that name packages of several registries and what
// comes from none. With a policy made of the lockfile, what comes from git or an
// address is denied, as was said before; with the lines that are proposed there, the
// real client installs all of it, and nothing that the lockfile does not name.
func TestLockfileSources(t *testing.T) {
	if os.Getenv(namespaceVariable) == "" {
		t.Parallel()
		dir := needNetwork(t)
		linkRust(t, filepath.Join(dir, "tools"))
		inNetwork(t, dir, "TestLockfileSources")
		return
	}
	dir := os.Getenv(namespaceVariable)
	g := &registries{&origin{seen: map[string][]string{}}, dir}
	authority := newNetwork(t)
	mux, commits := newSources(t, g)
	g.serve(t, authority, mux)
	for _, e := range lockedSources(t, commits) {
		t.Run(e.name, func(t *testing.T) {
			for program := range strings.FieldsSeq(e.program) {
				if !installed(program, dir) {
					skip(t, "NOT CHECKED: "+program+" ("+e.source+") is not installed")
				}
			}
			e.check(t, g, filepath.Join(dir, "proxaudit"))
		})
	}
}

func lockedSources(t *testing.T, commits map[string]string) []ecosystem {
	bundler := []string{"BUNDLE_PATH=HERE/out", "BUNDLE_RETRY=0", "BUNDLE_FROZEN=true"}
	cargo := []string{"CARGO_HOME=HERE/cargo", "CARGO_REGISTRIES_ALT_INDEX=sparse+https://index.test/", "CARGO_NET_RETRY=0"}
	composer := `{"repositories":[{"type":"composer","url":"https://composer.test"},{"packagist":false}],"require":{"acme/demo":"1.0.0"}}`
	out := []ecosystem{
		{name: "Bundler: two sources, platforms and git", source: "Debian: bundler", program: "bundle git", env: bundler,
			files: map[string]string{
				"Gemfile": "source 'https://gems.test/'\ngem 'demo', '1.0.0'\ngem 'native'\nsource 'https://private.test/' do\n  gem 'other'\nend\n" +
					"gem 'tool', git: 'https://git.test/acme/tool.git'\n",
				"Gemfile.lock": "GIT\n  remote: https://git.test/acme/tool.git\n  revision: " + commits["tool"] + "\n  specs:\n    tool (1.0.0)\n\n" +
					"GEM\n  remote: https://gems.test/\n  specs:\n    demo (1.0.0)\n    native (1.0.0)\n    native (1.0.0-x86_64-linux)\n\n" +
					"GEM\n  remote: https://private.test/\n  specs:\n    other (1.0.0)\n\n" +
					"PLATFORMS\n  ruby\n  x86_64-linux\n\nDEPENDENCIES\n  demo (= 1.0.0)\n  native\n  other!\n  tool!\n",
			},
			lockfile: "Gemfile.lock", sign: true,
			run: "bundle install", want: "Bundle complete",
			learned: []string{"- https://gems.test/", "- https://private.test/", "- pkg:gem/demo@1.0.0", "- pkg:gem/other@1.0.0"},
			others: []other{
				{"sed -i 's/demo (1.0.0)/demo (0.9.0)/; s/demo (= 1.0.0)/demo (= 0.9.0)/' Gemfile.lock && sed -i 's/1.0.0/0.9.0/' Gemfile && bundle install", `GET /gems/demo-0\.9\.0`, "pkg:gem/demo@0.9.0"},
				{"git clone -q https://git.test/acme/other.git", `GET /acme/other\.git`, "service: git-upload-pack"},
			}},
		{name: "Composer: an archive that a code host redirects to", source: "Debian: composer", program: "composer", env: []string{"COMPOSER_ALLOW_SUPERUSER=1"},
			files: map[string]string{"composer.json": composer, "composer.lock": fmt.Sprintf(`{"content-hash": "x", "packages": [
{"name": "acme/demo", "version": "1.0.0", "type": "library", "dist": {"type": "zip", "url": "https://api.git.test/repos/acme/demo/zipball/%s", "reference": %q, "shasum": ""}}
], "packages-dev": [], "aliases": [], "minimum-stability": "stable", "stability-flags": [], "prefer-stable": false, "prefer-lowest": false, "platform": [], "platform-dev": []}`, commits["tool"], commits["tool"])},
			lockfile: "composer.lock", sign: true,
			run: "composer install --no-interaction && cat vendor/acme/demo/README", want: "acme/demo at " + commits["tool"] + "\n",
			others: []other{
				{"sed -i s," + commits["tool"] + ",main, composer.lock && composer install --no-interaction", `GET /repos/acme/demo/zipball/main`, "https://api.git.test/repos/acme/demo/zipball/main"},
				{"curl -fsSO https://codeload.git.test/acme/demo/legacy.zip/" + commits["tool"], "GET /acme/demo/legacy", "https://codeload.git.test/acme/demo/legacy.zip/"},
			}},
	}
	out = append(out, goSources(t))
	for _, version := range []string{"3", "4"} {
		out = append(out, ecosystem{name: "Cargo: another registry and git, version " + version, source: "rustup", program: "cargo git", env: cargo,
			files: map[string]string{
				"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n" +
					"demo = { version = \"1.0.0\", registry = \"alt\" }\ntool = { git = \"https://git.test/acme/crate.git\" }\n",
				"Cargo.lock": "version = " + version + "\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"demo\",\n \"tool\",\n]\n\n" +
					"[[package]]\nname = \"demo\"\nversion = \"1.0.0\"\nsource = \"sparse+https://index.test/\"\nchecksum = \"" + crateSum("1.0.0") + "\"\n\n" +
					"[[package]]\nname = \"tool\"\nversion = \"0.1.0\"\nsource = \"git+https://git.test/acme/crate.git#" + commits["crate"] + "\"\n",
			},
			lockfile: "Cargo.lock", from: []string{"-registry", "cargo=https://index.test/", "-registry", "cargo=https://crates.test/"}, sign: true,
			run: "mkdir src && touch src/lib.rs && cargo fetch --locked && find cargo -name '*.crate'", want: `demo-1\.0\.0\.crate`,
			learned: []string{"- pkg:cargo/demo@1.0.0", "- /config.json"},
			others: []other{
				{"mkdir src && touch src/lib.rs && sed -i 's/1.0.0/0.9.0/; s/" + crateSum("1.0.0") + "/" + crateSum("0.9.0") + "/' Cargo.toml Cargo.lock && cargo fetch --locked", `GET /api/v1/crates/demo/0\.9\.0`, "pkg:cargo/demo@0.9.0"},
			}})
	}
	return out
}

// goSources has a module that is replaced by another one: go.sum names that alone.
func goSources(t *testing.T) ecosystem {
	t.Helper()
	return ecosystem{name: "Go: a module that replaces another", source: "go.dev", program: "go",
		env: []string{"GOPROXY=https://goproxy.test", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw", "GOMODCACHE=HERE/mod", "GOCACHE=HERE/cache", "TMPDIR=HERE/tmp"},
		files: map[string]string{
			"go.mod":  "module app\n\ngo 1.21\n\nrequire example.test/old v1.0.0\n\nreplace example.test/old => example.test/demo v1.0.0\n",
			"main.go": "package main\n\nimport _ \"example.test/old\"\n\nfunc main() {}\n",
			"go.sum":  moduleSums(t, "v1.0.0"), "go.sum.older": moduleSums(t, "v0.9.0"),
		},
		lockfile: "go.sum", from: []string{"-registry", "golang=https://goproxy.test/"},
		run: "mkdir tmp && go list -deps .", want: `(?m)^example\.test/old$`,
		learned: []string{"golang: https://goproxy.test/", "- pkg:golang/example.test/demo@v1.0.0"},
		others: []other{
			{"mkdir tmp && mv go.sum.older go.sum && sed -i 's/demo v1.0.0/demo v0.9.0/' go.mod && go list -deps .", `GET /example\.test/demo/@v/v0\.9\.0`, "pkg:golang/example.test/demo@v0.9.0"},
		}}
}
