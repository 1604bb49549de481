package examples

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The clients that come from npm's registry, and what those of PyPI are installed
// with: versions that the oldest node and python can run that .ci/run may find (18
// and 3.11), and not what is newest on the day. Those of npm depend on nothing that
// is not in them; what those of PyPI depend on is in testdata/tools.
var (
	npmTools = []string{"@yarnpkg/cli-dist@4.18.1", "bun@1.4.5", "corepack@0.33.0", "deno@2.9.6", "playwright-core@1.50.1", "pnpm@10.34.8", "undici@6.29.1",
		"yarn@1.22.22", "yarn2@npm:@yarnpkg/cli-dist@2.4.2", "yarn3@npm:@yarnpkg/cli-dist@3.8.7"}
	uv  = "uv==0.13.9"
	pip = "pip==26.3"
)

// clientPath is where clients are looked for: where every user may go.
func clientPath(dir string) string {
	tools := filepath.Join(dir, "tools")
	path := []string{filepath.Join(tools, "rust", "bin")}
	if root, err := exec.Command("go", "env", "GOROOT").Output(); err == nil {
		path = append(path, filepath.Join(strings.TrimSpace(string(root)), "bin"))
	}
	return strings.Join(append(path, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"), ":")
}

// installTools fills dir/tools, with what package managers fetch as a developer's
// would, outside of the test's network.
func installTools(t *testing.T, dir string) {
	t.Helper()
	tools := filepath.Join(dir, "tools")
	for _, d := range []string{"www", "git"} {
		if err := os.MkdirAll(filepath.Join(tools, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	python, target := "/usr/bin/python3", filepath.Join(tools, "pip")
	requirements, err := filepath.Abs(filepath.Join("testdata", "tools", "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		// pipx gives its environments a pip that is new enough.
		command(t, tools, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", filepath.Join(tools, "www", "pip"), pip)
		// uv resolves in a second what takes pip twelve.
		command(t, tools, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--target", target, uv)
		command(t, tools, filepath.Join(target, "bin", "uv"), "pip", "install", "--quiet", "--python", python, "--target", filepath.Join(tools, "py"), "--requirement", requirements)
	})
	wg.Go(func() {
		defer packYarn(t, tools)
		command(t, tools, "npm", slices.Concat([]string{"install", "--prefix", filepath.Join(tools, "npm"), "--no-audit", "--no-fund", "--loglevel=error"}, npmTools)...)
	})
	wg.Go(func() { copyProgram(t, "/proc/self/exe", filepath.Join(tools, "get")) }) // see TestMain
	wg.Go(func() { linkRust(t, tools) })
	wg.Go(func() { makeGem(t, tools) })
	wg.Go(func() { makeDeb(t, tools) })
	wg.Go(func() { makeRepository(t, tools) })
	wg.Wait()
}

// command runs a program of the machine; a client whose program is missing is
// missed by its row.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		return ""
	}
	cmd := patientCommand(t, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// packYarn makes a package of the installed yarn again, for corepack to fetch.
func packYarn(t *testing.T, tools string) {
	yarn := filepath.Join(tools, "npm", "node_modules", "@yarnpkg")
	if _, err := os.Stat(yarn); err == nil {
		command(t, yarn, "tar", "-czf", filepath.Join(tools, "www", "yarn.tgz"), "--transform=s/^cli-dist/package/", "cli-dist")
	}
}

// linkRust makes a toolchain that lies in root's home one for everybody.
func linkRust(t *testing.T, tools string) {
	cargo, err := exec.LookPath("cargo")
	if err != nil || strings.HasPrefix(cargo, "/usr/") {
		return
	}
	root := command(t, "/", "rustc", "--print", "sysroot")
	for _, pattern := range []string{"bin/cargo", "bin/rustc", "lib/*.so*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Error(err)
		}
		for _, file := range files {
			to := filepath.Join(tools, "rust", strings.TrimPrefix(file, root))
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Error(err)
			}
			if os.Link(file, to) != nil { // another file system
				copyProgram(t, file, to)
			}
		}
	}
}

// makeGem builds a gem and the two kinds of index of a server.
func makeGem(t *testing.T, tools string) {
	gems := filepath.Join(tools, "www", "gems")
	if err := os.MkdirAll(filepath.Join(gems, "gems"), 0o755); err != nil {
		t.Error(err)
	}
	if _, err := exec.LookPath("ruby"); err != nil {
		return
	}
	command(t, gems, "ruby", "-e", `
require "rubygems/package"
require "digest"
require "fileutils"
File.write("demo.rb", "")
spec = Gem::Specification.new { |s| s.name, s.version, s.summary, s.authors, s.files = "demo", "1.0.0", "x", ["x"], ["demo.rb"] }
Gem::DefaultUserInteraction.ui = Gem::SilentUI.new
file = Gem::Package.build(spec, true)
FileUtils.mv(file, "gems/")
FileUtils.mkdir_p("quick/Marshal.4.8")
File.binwrite("specs.4.8.gz", Gem::Util.gzip(Marshal.dump([["demo", Gem::Version.new("1.0.0"), "ruby"]])))
%w[latest_specs prerelease_specs].each { |n| File.binwrite(n + ".4.8.gz", Gem::Util.gzip(Marshal.dump(n == "latest_specs" ? [["demo", Gem::Version.new("1.0.0"), "ruby"]] : []))) }
File.binwrite("quick/Marshal.4.8/demo-1.0.0.gemspec.rz", Gem.deflate(Marshal.dump(spec)))
FileUtils.mkdir_p("info")
info = "---\n1.0.0 |checksum:#{Digest::SHA256.file("gems/" + file).hexdigest}\n"
File.write("info/demo", info)
File.write("names", "---\ndemo\n")
File.write("versions", "created_at: 2024-01-01T00:00:00Z\n---\ndemo 1.0.0 #{Digest::MD5.hexdigest(info)}\n")
`)
}

// makeDeb builds a flat repository with a package that gives a file away.
func makeDeb(t *testing.T, tools string) {
	debian, root := filepath.Join(tools, "www", "debian"), filepath.Join(tools, "deb")
	for name, text := range map[string]string{
		"DEBIAN/control":          "Package: proxaudit-demo\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: demo\n",
		"DEBIAN/postinst":         "#!/bin/sh\nchown _apt /opt/proxaudit-demo/file\n",
		"opt/proxaudit-demo/file": "demo\n",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Error(err)
		}
	}
	if err := os.MkdirAll(debian, 0o755); err != nil {
		t.Error(err)
	}
	command(t, debian, "dpkg-deb", "--root-owner-group", "--build", root, "demo.deb")
	command(t, debian, "sh", "-c", `{ dpkg-deb --field demo.deb; echo "Filename: debian/demo.deb"; echo "Size: $(stat -c %s demo.deb)"; echo "SHA256: $(sha256sum demo.deb | cut -d' ' -f1)"; } >Packages`)
}

// makeRepository makes a git repository that can be read and pushed to.
func makeRepository(t *testing.T, tools string) {
	command(t, tools, "sh", "-c", `
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
git init -q --bare git/app.git
git -C git/app.git config http.receivepack true
git init -q -b main first
git -C first -c user.name=t -c user.email=t@example.org commit -q --allow-empty -m first
git -C first push -q ../git/app.git main
git -C git/app.git symbolic-ref HEAD refs/heads/main`)
}
