package examples

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"
)

// repositories are served by git itself at git.test, each with one commit.
var repositories = map[string]map[string]string{
	"tool": {"tool.gemspec": `Gem::Specification.new { |s| s.name, s.version, s.summary, s.authors, s.files = "tool", "1.0.0", "x", ["x"], [] }`},
	"crate": {
		"Cargo.toml": "[package]\nname = \"tool\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"src/lib.rs": "",
	},
	"other": {"README": "other"},
}

// newSources serves registries and code hosts of the shapes that lockfiles name
// beside each other, and returns the commits of the repositories.
func newSources(t *testing.T, g *registries) (mux *http.ServeMux, commits map[string]string) {
	t.Helper()
	mux = http.NewServeMux()
	if _, err := exec.LookPath("gem"); err == nil {
		gems := http.FileServer(http.Dir(makeGems(t, filepath.Join(g.dir, "gems"))))
		mux.Handle("gems.test/", gems)
		mux.Handle("private.test/", gems)
	}
	composerServer(t, mux)
	commits = gitServer(t, mux, filepath.Join(g.dir, "git"))
	archiveServer(t, mux, commits["tool"])
	crateServer(t, mux)
	moduleServer(t, mux)
	return mux, commits
}

// gitServer serves repositories as git does.
func gitServer(t *testing.T, mux *http.ServeMux, root string) map[string]string {
	t.Helper()
	commits := map[string]string{}
	for name, files := range repositories {
		tree := filepath.Join(t.TempDir(), name)
		for file, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, file)), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(tree, file), text+"\n")
		}
		bare := filepath.Join(root, "acme", name+".git")
		command(t, tree, "sh", "-ec", `export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
git init -q -b main . && git add . && git -c user.name=t -c user.email=t@example.org commit -q -m first
git clone -q --bare . `+bare+` && git -C `+bare+` config uploadpack.allowAnySHA1InWant true`)
		commits[name] = strings.TrimSpace(command(t, bare, "git", "--git-dir="+bare, "rev-parse", "main"))
	}
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("git.test/", &cgi.Handler{
		Path: git, Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	return commits
}

// archiveServer redirects from an API to archives on another host, as GitHub does
// (docs.github.com, "Download a repository archive").
func archiveServer(t *testing.T, mux *http.ServeMux, commit string) {
	for _, at := range []string{commit, "main"} {
		mux.Handle("api.git.test/repos/acme/demo/zipball/"+at, http.RedirectHandler("https://codeload.git.test/acme/demo/legacy.zip/"+at, http.StatusFound))
		archive := zipped(t, map[string]string{"x/README": "acme/demo at " + at + "\n", "x/composer.json": `{"name":"acme/demo"}`})
		mux.HandleFunc("codeload.git.test/acme/demo/legacy.zip/"+at, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, archive) })
	}
}

// crate returns a file of crates with nothing in it.
func crate(version string) []byte {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	for _, file := range [][2]string{{"Cargo.toml", "[package]\nname = \"demo\"\nversion = \"" + version + "\"\nedition = \"2021\"\n"}, {"src/lib.rs", ""}} {
		_ = w.WriteHeader(&tar.Header{Name: "demo-" + version + "/" + file[0], Mode: 0o644, Size: int64(len(file[1]))})
		_, _ = io.WriteString(w, file[1])
	}
	_ = w.Close()
	_ = z.Close()
	return packed.Bytes()
}

func crateSum(version string) string { return fmt.Sprintf("%x", sha256.Sum256(crate(version))) }

// crateServer is a sparse index, and the files of its crates on another host
// (doc.rust-lang.org/cargo/reference/registry-index.html).
func crateServer(t *testing.T, mux *http.ServeMux) {
	t.Helper()
	mux.HandleFunc("index.test/config.json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"dl":"https://crates.test/api/v1/crates"}`)
	})
	index := ""
	for _, version := range []string{"0.9.0", "1.0.0"} {
		index += fmt.Sprintf(`{"name":"demo","vers":%q,"deps":[],"cksum":%q,"features":{},"yanked":false}`+"\n", version, crateSum(version))
		mux.HandleFunc("crates.test/api/v1/crates/demo/"+version+"/download", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(crate(version)) })
	}
	mux.HandleFunc("index.test/de/mo/demo", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, index) })
}

// replaced is the go.mod of example.test/demo, which is a copy of example.test/old.
const replaced = "module example.test/old\n\ngo 1.21\n"

func moduleZip(t *testing.T, version string) string {
	t.Helper()
	return zipped(t, map[string]string{
		"example.test/demo@" + version + "/go.mod": replaced, "example.test/demo@" + version + "/demo.go": "package old // " + version + "\n",
	})
}

// moduleServer is a proxy of Go modules (go.dev/ref/mod#goproxy-protocol).
func moduleServer(t *testing.T, mux *http.ServeMux) {
	t.Helper()
	for _, version := range []string{"v0.9.0", "v1.0.0"} {
		for end, text := range map[string]string{".info": `{"Version":"` + version + `","Time":"2026-01-01T00:00:00Z"}`, ".mod": replaced, ".zip": moduleZip(t, version)} {
			mux.HandleFunc("goproxy.test/example.test/demo/@v/"+version+end, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		}
	}
}

// moduleSums are the lines of a go.sum about example.test/demo.
func moduleSums(t *testing.T, version string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "module.zip")
	write(t, file, moduleZip(t, version))
	whole, err := dirhash.HashZip(file, dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(replaced)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return "example.test/demo " + version + " " + whole + "\nexample.test/demo " + version + "/go.mod " + mod + "\n"
}
