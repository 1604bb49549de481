package lockfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/internal/lockfile"
)

// what is a lockfile in short: each entry as "line purl", with what is special
// about it, then what lies elsewhere and the registries.
func what(l *lockfile.Lockfile) []string {
	var out []string
	for _, e := range l.Entries {
		s := fmt.Sprintf("%d %s", e.Line, e.Package)
		if e.ModFile != "" {
			s = fmt.Sprintf("%d %s", e.Line, e.ModFile)
		}
		out = append(out, s)
	}
	for _, e := range l.Elsewhere {
		out = append(out, fmt.Sprintf("%d %s: %s", e.Line, e.Kind, e.Text))
	}
	for _, r := range l.Registries {
		s := fmt.Sprintf("%d registry %s %d", r.Line, r.URL, r.Packages)
		if r.Fixed {
			s += " fixed"
		}
		out = append(out, s)
	}
	return out
}

var files = []struct {
	name, file, text string
	want             []string
}{
	{
		name: "package-lock 3", file: "package-lock.json",
		text: `{
  "name": "app", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": {"name": "app", "version": "1.0.0", "workspaces": ["packages/*"]},
    "node_modules/@scope/name": {
      "version": "1.2.3",
      "resolved": "https://npm.example.org/@scope/name/-/name-1.2.3.tgz",
      "integrity": "sha512-AAAA"
    },
    "node_modules/alias": {"name": "lodash", "version": "4.17.21", "resolved": "https://npm.example.org/lodash/-/lodash-4.17.21.tgz"},
    "node_modules/app-b": {"resolved": "packages/b", "link": true},
    "node_modules/bundling": {"version": "2.0.0"},
    "node_modules/bundling/node_modules/inside": {"version": "9.9.9", "inBundle": true},
    "node_modules/bundling/node_modules/@scope/name": {"version": "1.2.4-rc.1+build"},
    "node_modules/from-folder": {"version": "1.0.0", "resolved": "file:../folder.tgz"},
    "node_modules/from-git": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/example/tool.git#0123456789012345678901234567890123456789"},
    "node_modules/from-url": {"version": "1.0.0", "resolved": "https://files.example.org/tool.tgz"},
    "node_modules/optional-and-absent": {"optional": true},
    "packages/b": {"name": "app-b", "version": "1.0.0"}
  }
}`,
		want: []string{
			"5 pkg:npm/%40scope/name@1.2.3",
			"10 pkg:npm/lodash@4.17.21",
			"12 pkg:npm/bundling@2.0.0",
			"14 pkg:npm/%40scope/name@1.2.4-rc.1%2Bbuild",
			"17 pkg:npm/from-url@1.0.0",
			"16 git: git+ssh://git@github.com/example/tool.git#0123456789012345678901234567890123456789",
			"5 registry https://npm.example.org/ 2",
		},
	},
	{
		name: "package-lock 2 says it twice", file: "package-lock.json",
		text: `{"dependencies": {"other": {"version": "1.0.0"}}, "lockfileVersion": 2,
"packages": {"node_modules/a": {"version": "1.0.0"}}}`,
		want: []string{"2 pkg:npm/a@1.0.0"},
	},
	{
		name: "package-lock 1", file: "npm-shrinkwrap.json",
		text: `{"lockfileVersion": 1, "dependencies": {
"a": {"version": "1.0.0", "resolved": "https://nexus.example.org/repository/npm/a/-/a-1.0.0.tgz", "requires": {"b": "^1"},
  "dependencies": {
"b": {"version": "1.0.1", "bundled": true},
"c": {"version": "npm:real@2.0.0"}}},
"d": {"version": "file:../d"},
"e": {"version": "github:example/e#abcdef"},
"f": {"version": "https://files.example.org/f.tgz", "integrity": "sha512-AAAA"}
}}`,
		want: []string{
			"2 pkg:npm/a@1.0.0", "5 pkg:npm/real@2.0.0",
			"7 git: github:example/e#abcdef", "8 url: https://files.example.org/f.tgz",
			"2 registry https://nexus.example.org/repository/npm/ 1",
		},
	},
	{
		name: "pnpm 9", file: "pnpm-lock.yaml",
		text: `lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      react-dom:
        specifier: 18.3.1
        version: 18.3.1(react@18.3.1)

packages:

  '@babel/core@7.29.13':
    resolution: {integrity: sha512-AAAA}
    engines: {node: '>=6.9.0'}

  react-dom@18.3.1:
    resolution: {integrity: sha512-BBBB, tarball: https://npm.example.org/react-dom/-/react-dom-18.3.1.tgz}

  folder@file:../folder:
    resolution: {directory: ../folder, type: directory}

  tool@https://codeload.example.org/example/tool/tar.gz/0123456:
    resolution: {tarball: https://codeload.example.org/example/tool/tar.gz/0123456}
    version: 1.0.0

  repo@git+https://git.example.org/repo.git#0123456:
    resolution: {commit: 0123456, repo: https://git.example.org/repo.git, type: git}
    version: 1.0.0

snapshots:

  '@babel/core@7.29.13': {}
`,
		want: []string{
			"13 pkg:npm/%40babel/core@7.29.13", "17 pkg:npm/react-dom@18.3.1",
			"23 url: https://codeload.example.org/example/tool/tar.gz/0123456",
			"27 git: https://git.example.org/repo.git 0123456",
			"17 registry https://npm.example.org/ 1",
		},
	},
	{
		name: "pnpm 6", file: "pnpm-lock.yaml",
		text: "lockfileVersion: '6.0'\npackages:\n\n  /@babel/core@7.29.13:\n    resolution: {integrity: sha512-AAAA}\n\n" +
			"  /react-dom@18.3.1(react@18.3.1):\n    resolution: {integrity: sha512-BBBB}\n\n" +
			"  '@codeload.example.org/example/tool/tar.gz/0123456':\n    resolution: {tarball: https://codeload.example.org/example/tool/tar.gz/0123456}\n    name: tool\n    version: 1.0.0\n",
		want: []string{"4 pkg:npm/%40babel/core@7.29.13", "7 pkg:npm/react-dom@18.3.1", "10 pkg:npm/tool@1.0.0"},
	},
	{
		name: "pnpm 5", file: "pnpm-lock.yaml",
		text: "lockfileVersion: 5.4\nspecifiers:\n  a: 1\npackages:\n\n  /@babel/preset-env/7.26.0_@babel+core@7.29.13:\n    resolution: {integrity: sha512-AAAA}\n\n" +
			"  /a/1.0.0:\n    resolution: {integrity: sha512-AAAA}\n  npm.example.org/b/1.0.0:\n    resolution: {integrity: sha512-AAAA}\n  /c/1.0.0_b@2.0.0:\n    resolution: {integrity: sha512-AAAA}\n",
		want: []string{"6 pkg:npm/%40babel/preset-env@7.26.0", "9 pkg:npm/a@1.0.0", "11 pkg:npm/b@1.0.0", "13 pkg:npm/c@1.0.0"},
	},
	{
		name: "pnpm writes about itself first", file: "pnpm-lock.yaml",
		text: "---\nlockfileVersion: '9.0'\npackages:\n\n  '@pnpm/exe@11.0.0':\n    resolution: {integrity: sha512-AAAA}\n---\nlockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution: {integrity: sha512-AAAA}\n",
		want: []string{"5 pkg:npm/%40pnpm/exe@11.0.0", "10 pkg:npm/a@1.0.0"},
	},
	{
		name: "yarn 1", file: "yarn.lock",
		text: `# yarn lockfile v1


"@babel/code-frame@^7.0.0", "@babel/code-frame@^7.12.13":
  version "7.29.7"
  resolved "https://npm.example.org/@babel/code-frame/-/code-frame-7.29.7.tgz#f2fb"
  integrity sha512-AAAA
  dependencies:
    js-tokens "^4.0.0"

alias@npm:real@^1.0.0:
  version "1.1.0"
  resolved "https://npm.example.org/real/-/real-1.1.0.tgz#f2fb"

"folder@file:../folder":
  version "1.0.0"

"tool@git+https://git.example.org/tool.git":
  version "1.0.0"
  resolved "git+https://git.example.org/tool.git#0123456"

mirrored@1:
  version "1.0.0"
  resolved mirrored-1.0.0.tgz#0123456
`,
		want: []string{
			"4 pkg:npm/%40babel/code-frame@7.29.7", "11 pkg:npm/real@1.1.0", "22 pkg:npm/mirrored@1.0.0",
			"18 git: git+https://git.example.org/tool.git#0123456", "4 registry https://npm.example.org/ 2 fixed",
		},
	},
	{
		name: "yarn of later versions", file: "yarn.lock",
		text: `# This file is generated by running "yarn install" inside your project.

__metadata:
  version: 8
  cacheKey: 10c0

"@babel/code-frame@npm:^7.0.0, @babel/code-frame@npm:^7.12.13":
  version: 7.29.7
  resolution: "@babel/code-frame@npm:7.29.7"
  checksum: 10c0/169f
  languageName: node

"alias@npm:real@^1.0.0":
  version: 1.1.0
  resolution: "real@npm:1.1.0::__archiveUrl=https%3A%2F%2Fnpm.example.org%2Freal%2F-%2Freal-1.1.0.tgz"

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."

"fsevents@patch:fsevents@npm%3A^2.3.2#optional!builtin<compat/fsevents>":
  version: 2.3.3
  resolution: "fsevents@patch:fsevents@npm%3A2.3.3#optional!builtin<compat/fsevents>::version=2.3.3&hash=df0bf1"

"tool@https://git.example.org/tool.git":
  version: 1.0.0
  resolution: "tool@https://git.example.org/tool.git#commit=0123456"
`,
		want: []string{
			"7 pkg:npm/%40babel/code-frame@7.29.7", "13 pkg:npm/real@1.1.0",
			"25 git: https://git.example.org/tool.git#commit=0123456", "13 registry https://npm.example.org/ 1 fixed",
		},
	},
	{
		name: "requirements", file: "requirements.txt",
		text: `# comment
--index-url https://user:secret@pypi.example.org/simple
-r more/other.txt
-c constraints.txt
Flask[async]==3.0.3 ; python_version >= "3.8" \
    --hash=sha256:aaaa \
    # a comment between
    --hash=sha256:bbbb
    # via app
zope.interface == 5.0   # spaces
older===1.0.post1
local==1.0+cu118
tool @ https://files.example.org/tool-1.0.tar.gz
git+https://git.example.org/tool.git@v1#egg=tool
-e ./folder
./wheels/local-1.0-py3-none-any.whl
`,
		want: []string{
			"5 pkg:pypi/flask@3.0.3", "10 pkg:pypi/zope-interface@5.0", "11 pkg:pypi/older@==1.0.post1", "12 pkg:pypi/local@==1.0+cu118",
			"13 url: https://files.example.org/tool-1.0.tar.gz", "14 git: git+https://git.example.org/tool.git@v1#egg=tool",
			"2 registry https://pypi.example.org/simple/ 1",
		},
	},
	{
		name: "poetry", file: "poetry.lock",
		text: `[[package]]
name = "flask"
version = "3.0.3"
files = [
    {file = "flask-3.0.3-py3-none-any.whl", hash = "sha256:aaaa"},
    {file = "flask-3.0.3.tar.gz", hash = "sha256:bbbb"},
]

[package.dependencies]
Werkzeug = ">=3.0.0"

[[package]]
name = "odd-name"
version = "1.0.post1"
files = [
    {file = "odd_name-1.0.post1-py3-none-any.whl", hash = "sha256:aaaa"},
    {file = "odd.name-1.0post1.tar.gz", hash = "sha256:bbbb"},
]

[[package]]
name = "private"
version = "1.0"
files = []

[package.source]
type = "legacy"
url = "https://pypi.example.org/simple"
reference = "internal"

[[package]]
name = "tool"
version = "1.0"

[package.source]
type = "git"
url = "https://git.example.org/tool.git"
reference = "v1"
resolved_reference = "0123456"

[[package]]
name = "folder"
version = "1.0"

[package.source]
type = "directory"
url = "../folder"

[metadata]
lock-version = "2.0"
`,
		want: []string{
			"1 pkg:pypi/flask@3.0.3", "12 pkg:pypi/odd-name@1.0.post1", "12 pkg:pypi/odd-name@1.0post1", "20 pkg:pypi/private@1.0",
			"30 git: https://git.example.org/tool.git 0123456", "20 registry https://pypi.example.org/simple/ 1",
		},
	},
	{
		name: "older poetry", file: "poetry.lock",
		text: "[[package]]\nname = \"flask\"\nversion = \"1.0b1\"\n\n[metadata.files]\nflask = [\n    {file = \"Flask-1.0-beta1.tar.gz\", hash = \"sha256:aaaa\"},\n]\n",
		want: []string{"1 pkg:pypi/flask@1.0-beta1"},
	},
	{
		name: "pdm", file: "pdm.lock",
		// Taken from what PDM 2.22 wrote, but for the addresses.
		text: `# This file is @generated by PDM.
[metadata]
groups = ["default"]
strategy = ["inherit_metadata"]
lock_version = "4.5.0"

[[metadata.targets]]
requires_python = ">=3.10,<3.13"

[[package]]
name = "requests"
version = "2.31.0"
dependencies = [
    "idna<4,>=2.5",
]
files = [
    {file = "requests-2.31.0-py3-none-any.whl", hash = "sha256:aaaa"},
    {file = "requests-2.31.0.tar.gz", hash = "sha256:bbbb"},
]

[[package]]
name = "requests"
version = "2.31.0"
extras = ["socks"]
files = [
    {file = "requests-2.31.0-py3-none-any.whl", hash = "sha256:aaaa"},
]

[[package]]
name = "pytz"
version = "2023.3.post1"
files = [
    {url = "https://files.example.org/packages/ab/pytz-2023.3.post1-py2.py3-none-any.whl", hash = "sha256:cccc"},
]

[[package]]
name = "tool"
version = "1.0"
git = "https://git.example.org/tool.git"
ref = "v1"
revision = "0123456"

[[package]]
name = "archive"
version = "1.0"
url = "https://downloads.example.org/archive-1.0.tar.gz"
files = [
    {url = "https://downloads.example.org/archive-1.0.tar.gz", hash = "sha256:dddd"},
]

[[package]]
name = "beside"
version = "1.0"
editable = true
path = "./beside"
`,
		want: []string{
			"10 pkg:pypi/requests@2.31.0", "29 pkg:pypi/pytz@2023.3.post1", "36 git: https://git.example.org/tool.git 0123456",
			"43 url: https://downloads.example.org/archive-1.0.tar.gz", "29 registry https://files.example.org/ 1 fixed",
		},
	}, {
		name: "uv", file: "uv.lock",
		text: `version = 1
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }

[[package]]
name = "flask"
version = "3.0.3"
source = { registry = "https://pypi.example.org/simple" }
sdist = { url = "https://files.example.org/packages/ab/flask-3.0.3.tar.gz", hash = "sha256:aaaa", size = 1 }
wheels = [
    { url = "https://files.example.org/packages/cd/flask-3.0.3-py3-none-any.whl", hash = "sha256:bbbb", size = 1 },
]

[[package]]
name = "local"
version = "1.0"
source = { registry = "../wheels" }
wheels = [{ path = "local-1.0-py3-none-any.whl" }]

[[package]]
name = "tool"
version = "1.0"
source = { git = "https://git.example.org/tool.git?rev=v1#0123456" }
`,
		want: []string{
			"9 pkg:pypi/flask@3.0.3", "24 git: https://git.example.org/tool.git?rev=v1#0123456",
			"9 registry https://pypi.example.org/simple/ 1", "9 registry https://files.example.org/ 2 fixed",
		},
	},
	{
		name: "pylock", file: "pylock.toml",
		text: `lock-version = "1.0"
[[packages]]
name = "flask"
version = "3.0.3"
index = "https://pypi.example.org/simple"
wheels = [{ url = "https://files.example.org/packages/cd/flask-3.0.3-py3-none-any.whl", hashes = { sha256 = "bbbb" } }]
[[packages]]
name = "cattrs"
version = "24.1"
[[packages.wheels]]
name = "cattrs-24.1-py3-none-any.whl"
[[packages]]
name = "tool"
vcs = { type = "git", url = "https://git.example.org/tool.git", commit-id = "0123456" }
[[packages]]
name = "folder"
directory = { path = "." }
`,
		want: []string{
			"2 pkg:pypi/flask@3.0.3", "7 pkg:pypi/cattrs@24.1", "12 git: https://git.example.org/tool.git 0123456",
			"2 registry https://pypi.example.org/simple/ 1", "2 registry https://files.example.org/ 1 fixed",
		},
	},
	{
		name: "Pipfile", file: "Pipfile.lock",
		text: `{"_meta": {"sources": [{"name": "x", "url": "https://pypi.example.org/simple"}]},
"default": {
"flask": {"hashes": ["sha256:aaaa"], "version": "==3.0.3"},
"tool": {"git": "https://git.example.org/tool.git", "ref": "0123456"},
"folder": {"path": "."}},
"develop": {"pytest": {"version": "==8.0rc1"}}}`,
		want: []string{
			"3 pkg:pypi/flask@3.0.3", "6 pkg:pypi/pytest@==8.0rc1", "4 git: https://git.example.org/tool.git 0123456",
			"1 registry https://pypi.example.org/simple/ 1",
		},
	},
	{
		name: "go.sum", file: "go.sum",
		text: "github.com/Azure/sdk v1.0.0+incompatible h1:AAAA=\ngithub.com/Azure/sdk v1.0.0+incompatible/go.mod h1:AAAA=\n" +
			"golang.org/x/text v0.3.0/go.mod h1:AAAA=\ngithub.com/Sirupsen/logrus v1.0.0/go.mod h1:AAAA=\nexample.org/pseudo v0.0.0-20260727054525-2946ae4a6141 h1:AAAA=\n",
		want: []string{
			"1 pkg:golang/github.com/azure/sdk@v1.0.0%2Bincompatible", "3 golang.org/x/text/@v/v0.3.0.mod",
			"4 github.com/!sirupsen/logrus/@v/v1.0.0.mod", "5 pkg:golang/example.org/pseudo@v0.0.0-20260727054525-2946ae4a6141",
		},
	},
	{
		name: "go.mod", file: "go.mod",
		text: "module example.org/app\n\ngo 1.26\n\ntoolchain go1.26.1\n\nrequire (\n\texample.org/a v1.0.0\n\texample.org/b v1.0.0 // indirect\n\texample.org/c v1.0.0\n)\n\nreplace example.org/b => ../b\n\nreplace example.org/c v1.0.0 => example.org/fork v1.1.0\n",
		want: []string{"5 pkg:golang/golang.org/toolchain@v0.0.1-go1.26.1.*", "8 pkg:golang/example.org/a@v1.0.0", "15 pkg:golang/example.org/fork@v1.1.0"},
	},
	{
		name: "Gemfile", file: "Gemfile.lock",
		text: `GIT
  remote: https://git.example.org/tool.git
  revision: 0123456
  specs:
    tool (1.0)
      rack (~> 3.0)

PATH
  remote: ../folder
  specs:
    folder (0.1.0)

GEM
  remote: https://gems.example.org/
  specs:
    nokogiri (1.15.0)
      racc (~> 1.4)
    nokogiri (1.15.0-x86_64-linux-musl)
    rack (3.0.0.beta1)

PLATFORMS
  ruby
  x86_64-linux-musl

DEPENDENCIES
  nokogiri

CHECKSUMS
  rack (3.0.0.beta1) sha256=aaaa

BUNDLED WITH
   2.4.1
`,
		want: []string{
			"16 pkg:gem/nokogiri@1.15.0", "19 pkg:gem/rack@3.0.0.beta1", "32 pkg:gem/bundler@2.4.1",
			"5 git: https://git.example.org/tool.git 0123456", "14 registry https://gems.example.org/ 1",
		},
	},
	{
		name: "NuGet", file: "packages.lock.json",
		text: `{"version": 1, "dependencies": {"net8.0": {
"Newtonsoft.Json": {"type": "Direct", "requested": "[13.0.1, )", "resolved": "13.0.1", "contentHash": "aaaa"},
"app": {"type": "Project", "dependencies": {"Other": "1.0.0"}}},
"net9.0": {"Newtonsoft.Json": {"type": "Direct", "resolved": "13.0.1"}}}}`,
		want: []string{"2 pkg:nuget/newtonsoft.json@13.0.1"},
	},
	{
		name: "Composer", file: "composer.lock",
		text: `{"packages": [
{"name": "Acme/lib", "version": "v1.2.0", "dist": {"type": "zip", "url": "https://composer.example.org/dists/acme/lib/1.2.0/0123456789012345678901234567890123456789.zip", "shasum": "aaaa"}},
{"name": "psr/log", "version": "3.0.2", "dist": {"type": "zip", "url": "https://api.code.example.org/repos/php-fig/log/zipball/0123456"}},
{"name": "acme/local", "version": "dev-main", "dist": {"type": "path", "url": "../local"}}],
"packages-dev": []}`,
		want: []string{
			"2 pkg:composer/acme/lib@1.2.0", "3 url: https://api.code.example.org/repos/php-fig/log/zipball/0123456",
			"2 registry https://composer.example.org/ 1",
		},
	},
	{
		name: "Cargo", file: "Cargo.lock",
		text: `version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = ["itoa"]

[[package]]
name = "Inflector"
version = "0.11.4"
source = "registry+https://git.example.org/crates-index"
checksum = "aaaa"

[[package]]
name = "internal"
version = "1.0.0"
source = "sparse+https://cargo.example.org/index/"

[[package]]
name = "tool"
version = "1.0.0"
source = "git+https://git.example.org/tool?branch=main#0123456"
`,
		want: []string{
			"8 pkg:cargo/inflector@0.11.4", "14 pkg:cargo/internal@1.0.0",
			"19 git: git+https://git.example.org/tool?branch=main#0123456", "14 registry https://cargo.example.org/index/ 1",
		},
	},
}

// TestRead: of each kind of lockfile, exactly the packages of a registry, with
// the lines that name them.
func TestRead(t *testing.T) {
	for _, c := range files {
		t.Run(c.name, func(t *testing.T) {
			l, err := lockfile.Parse("dir/"+c.file, []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, what(l)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, cr := range []string{strings.ReplaceAll(c.text, "\n", "\r\n"), "\ufeff" + c.text} {
				l, err := lockfile.Parse(c.file, []byte(cr))
				if err == nil && cmp.Diff(c.want, what(l)) != "" {
					t.Errorf("with other line ends or a byte order mark:\n%s", cmp.Diff(c.want, what(l)))
				}
			}
		})
	}
}

// TestMistakes: what cannot be read says where.
func TestMistakes(t *testing.T) {
	deep := `{"lockfileVersion": 1, "dependencies": ` + strings.Repeat(`{"a": {"version": "1.0.0", "dependencies": `, 200) + "{}" + strings.Repeat("}}", 200) + "}"
	for _, c := range []struct{ name, file, text, want string }{
		{"unknown name", "Podfile.lock", "", `Podfile.lock: "Podfile.lock" is the name of no lockfile that is known`},
		{"cut off", "package-lock.json", "{\"lockfileVersion\": 3,\n \"packages\": {\"node_modules/a\": {\"ver", "package-lock.json:2:"},
		{"twice", "package-lock.json", "{\"lockfileVersion\": 3, \"packages\": {\n\"node_modules/a\": {\"version\": \"1.0.0\"},\n\"node_modules/a\": {\"version\": \"2.0.0\"}}}", "package-lock.json:3:1: it is not JSON: duplicate"},
		{"something follows", "package-lock.json", "{\"lockfileVersion\": 3, \"packages\": {}}\n{}", "package-lock.json:2:"},
		{"a list", "package-lock.json", "[]", "package-lock.json:1:1: it is no JSON object"},
		{"no lockfile", "package-lock.json", `{"name": "app"}`, "package-lock.json:1:1: it has no lockfileVersion"},
		{"empty", "package-lock.json", "", "package-lock.json:1:1: it is not JSON"},
		{"deep", "package-lock.json", deep, "package-lock.json:1:"},
		{"not UTF-8", "package-lock.json", "{\"lockfileVersion\": 3, \"packages\": {\"node_modules/\xff\": {}}}", "package-lock.json:1:"},
		{"no pnpm lockfile", "pnpm-lock.yaml", "a: b\n", "pnpm-lock.yaml:1:1: it has no lockfileVersion"},
		{"broken YAML", "pnpm-lock.yaml", "lockfileVersion: 9\n\npackages:\n  a@1.0.0: {resolution: [\n", "pnpm-lock.yaml:"},
		{"a merge", "yarn.lock", "# yarn lockfile v1\na@1:\n  version \"1.0.0\"\n<<<<<<< HEAD\n", "yarn.lock:4:1: it is no line of a yarn.lock: a merge"},
		{"no colon", "yarn.lock", "a@1\n  version \"1.0.0\"\n", "yarn.lock:1:3: an entry that does not end in a colon"},
		{"broken quotes", "yarn.lock", "a@1:\n  version \"1.0.0\n", "yarn.lock:2:3: a value that is not quoted"},
		{"not pinned", "requirements.txt", "flask==3.0.3\nrequests>=2\n", "requirements.txt:2:1: requests is not pinned to one version\n  hint: pip-compile"},
		{"a star", "requirements.txt", "flask==3.*\n", "requirements.txt:1:1: flask is not pinned"},
		{"no requirement", "requirements.txt", "flask==3.0.3\n=\x1b[31m\n", "requirements.txt:2:1: it is no requirement"},
		{"broken TOML", "Cargo.lock", "version = 4\n[[package]]\nname = \"a\n", "Cargo.lock:3:"},
		{"no digest", "go.sum", "example.org/a v1.0.0 h1:AAAA=\nexample.org/a\n", "go.sum:2:1: it is no line of a go.sum"},
		{"broken go.mod", "go.mod", "module a\nrequire (\n\tb\n)\n", "go.mod:3:2:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := lockfile.Parse(c.file, []byte(c.text))
			var e *lockfile.Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, want it to begin with %s", err, c.want)
			}
		})
	}
}

// TestHostile: names that no registry could serve are packages of none, and what
// comes from the file acts on no terminal.
func TestHostile(t *testing.T) {
	for _, c := range []struct{ file, text string }{
		{"package-lock.json", `{"lockfileVersion": 3, "packages": {"node_modules/..": {"version": "1.0.0"}, "node_modules/*": {"version": "1.0.0"}, "node_modules/a": {"version": "*"}, "node_modules/b": {"version": ">=0"}, "node_modules/c%2Fd": {"version": "1.0.0"}, "node_modules/e\u001b[31m": {"version": "1.0.0"}}}`},
		{"yarn.lock", "\"a?b@1\":\n  version \"1.0.0\"\n\nc@1:\n  version \"1.*\"\n\nd@1:\n  version \"1.0.0\\n- host: '*'\"\n"},
		{"pnpm-lock.yaml", "lockfileVersion: 9\npackages:\n  'a*@1.0.0':\n    resolution: {integrity: x}\n  '@x/*@1.0.0':\n    resolution: {integrity: x}\n"},
		{"Cargo.lock", "[[package]]\nname = \"*\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n[[package]]\nname = \"a\"\nversion = \"^1\"\nsource = \"registry+x\"\n"},
		{"go.sum", "example.org/* v1.0.0 h1:AAAA=\nexample.org/a v1 h1:AAAA=\nexample.org/a master h1:AAAA=\nexample.org/a/../b v1.0.0 h1:AAAA=\n"},
		{"poetry.lock", "[[package]]\nname = \"*\"\nversion = \"1.0\"\n[[package]]\nname = \"a\"\nversion = \"1.0 || 2\"\n"},
	} {
		l, err := lockfile.Parse(c.file, []byte(c.text))
		if err != nil {
			if strings.ContainsFunc(strings.ReplaceAll(err.Error(), "\n", ""), func(r rune) bool { return r < ' ' }) {
				t.Errorf("%s: control characters in %q", c.file, err)
			}
			continue
		}
		if len(l.Entries) > 0 {
			t.Errorf("%s: %q", c.file, what(l))
		}
	}
}
