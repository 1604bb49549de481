package examples

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

// together is how many requests one path of the origin waits for before it
// answers any of them.
const together = 200

// origin answers what each client asks for, and keeps for each host name what it
// was asked, and that it was connected to.
type origin struct {
	mu   sync.Mutex
	seen map[string][]string
	wait map[string]chan struct{}
	came map[string]int
}

func newOrigin(t *testing.T, authority *ca.Authority, dir string) *origin {
	t.Helper()
	o := &origin{seen: map[string][]string{}, wait: map[string]chan struct{}{}, came: map[string]int{}}
	o.serve(t, authority, o.routes(t, dir))
	return o
}

// serve answers https at every address of the test's network.
func (o *origin) serve(t *testing.T, authority *ca.Authority, routes http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", ":443")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		Handler:  o.noted(routes),
		ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{
			NextProtos: []string{"h2", "http/1.1"},
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				local, _, _ := net.SplitHostPort(hello.Conn.LocalAddr().String())
				host := cmp.Or(hello.ServerName, local)
				o.note(host, "a connection")
				return authority.Leaf(host)
			},
		},
	}
	go func() { _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { s.Close() })
}

func (o *origin) note(host, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen[host] = append(o.seen[host], what)
}

// take returns what was asked of a host since the last time.
func (o *origin) take(host string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen[host]
	delete(o.seen, host)
	return seen
}

func (o *origin) noted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.note(nameOf(r), r.Method+" "+r.RequestURI)
		h.ServeHTTP(w, r)
	})
}

func nameOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return strings.Trim(r.Host, "[]")
}

// barrier answers when so many requests are there at once. Who waits for too long
// is ended with its run.
func (o *origin) barrier(w http.ResponseWriter, r *http.Request) {
	host := nameOf(r)
	o.mu.Lock()
	all := o.wait[host]
	if all == nil {
		all = make(chan struct{})
		o.wait[host] = all
	}
	if o.came[host]++; o.came[host] == together {
		close(all)
	}
	o.mu.Unlock()
	select {
	case <-all:
		_, _ = io.WriteString(w, "all are here\n")
	case <-r.Context().Done():
	}
}

// routes are the paths; a text's ORIGIN becomes the URL that the client used.
func (o *origin) routes(t *testing.T, dir string) http.Handler {
	mux := http.NewServeMux()
	text := func(path, kind, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if kind != "" {
				w.Header().Set("Content-Type", kind)
			}
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "ORIGIN", "https://"+r.Host))
		})
	}
	mux.HandleFunc("/together/", o.barrier)
	mux.HandleFunc("/demo.Echo/Say", say)
	mux.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir(filepath.Join(dir, "tools", "www")))))
	if git, err := exec.LookPath("git"); err == nil {
		mux.Handle("/git/", &cgi.Handler{
			Path: git, Args: []string{"http-backend"}, Root: "/git",
			Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(dir, "tools", "git"), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=tester",
				"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
		})
	}
	text("/file", "text/plain", "hello from the origin\n")
	text("/page", "text/html", "<!doctype html><title>x</title><p id=p>no script<script>fetch('/file').then(r => r.text()).then(s => document.getElementById('p').textContent = 'fetched: ' + s)</script>")
	text("/buckets/{$}", "application/xml", `<?xml version="1.0"?><ListAllMyBucketsResult><Buckets><Bucket><Name>demo-bucket</Name><CreationDate>2024-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets><Owner><ID>x</ID></Owner></ListAllMyBucketsResult>`)
	text("/storage/v1/b", "application/json", `{"kind":"storage#buckets","items":[{"kind":"storage#bucket","id":"demo-bucket","name":"demo-bucket"}]}`)
	pythonRoutes(t, mux, dir, text)
	npmRoutes(t, text)
	text("/npm/@yarnpkg/cli-dist/4.0.0", "application/json", `{"version":"4.0.0","dist":{"tarball":"ORIGIN/npm/@yarnpkg/cli-dist/-/cli-dist-4.0.0.tgz"}}`)
	mux.HandleFunc("/npm/@yarnpkg/cli-dist/-/", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, "tools", "www", "yarn.tgz"))
	})
	goRoutes(t, text)
	cargoRoutes(t, text)
	text("/maven/test/demo/parent/1/parent-1.pom", "", `<project><modelVersion>4.0.0</modelVersion><groupId>test.demo</groupId><artifactId>parent</artifactId><version>1</version><packaging>pom</packaging></project>`)
	text("/composer/packages.json", "application/json", `{"packages":{"demo/demo":{"1.0.0":{"name":"demo/demo","version":"1.0.0","dist":{"type":"zip","url":"ORIGIN/composer/demo.zip"}}}}}`)
	text("/composer/demo.zip", "application/zip", zipped(t, map[string]string{"demo/README": "demo\n"}))
	text("/module.zip", "application/zip", zipped(t, map[string]string{"main.tf": "output \"demo\" { value = 1 }\n"}))
	mux.HandleFunc("/conan/v1/ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Conan-Server-Capabilities", "revisions")
	})
	text("/conan/v2/conans/search", "application/json", `{"results":["demo/1.0"]}`)
	return mux
}

// say is a gRPC method that returns its message, as
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md has it.
func say(w http.ResponseWriter, r *http.Request) {
	frame, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write(frame)
	w.Header().Set("Grpc-Status", "0")
}

type route func(path, kind, body string)

func pythonRoutes(t *testing.T, mux *http.ServeMux, dir string, text route) {
	wheel := zipped(t, map[string]string{
		"demo.py":                             "def main(): print('demo runs')\n",
		"demo-1.0.dist-info/METADATA":         "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
		"demo-1.0.dist-info/WHEEL":            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:main\n",
		"demo-1.0.dist-info/RECORD":           "demo.py,,\ndemo-1.0.dist-info/METADATA,,\ndemo-1.0.dist-info/WHEEL,,\ndemo-1.0.dist-info/entry_points.txt,,\ndemo-1.0.dist-info/RECORD,,\n",
	})
	sum := sha256.Sum256([]byte(wheel))
	text("/simple/demo/", "text/html", fmt.Sprintf(`<!doctype html><a href="/wheels/demo-1.0-py3-none-any.whl#sha256=%x">demo-1.0-py3-none-any.whl</a>`, sum))
	mux.HandleFunc("/simple/pip/", func(w http.ResponseWriter, _ *http.Request) {
		wheels, _ := filepath.Glob(filepath.Join(dir, "tools", "www", "pip", "*.whl"))
		for _, path := range wheels {
			_, _ = fmt.Fprintf(w, "<a href=\"/static/pip/%[1]s\">%[1]s</a>\n", filepath.Base(path))
		}
	})
	text("/wheels/demo-1.0-py3-none-any.whl", "application/zip", wheel)
}

func npmRoutes(t *testing.T, text route) {
	for _, name := range []string{"demo", "@scope/demo"} {
		tarball := tarred(t, map[string]string{
			"package/package.json": `{"name":"` + name + `","version":"1.0.0"}`,
			"package/index.js":     "module.exports = 'demo'\n",
		})
		short, long := sha1.Sum([]byte(tarball)), sha512.Sum512([]byte(tarball))
		file := "/npm/" + name + "/-/demo-1.0.0.tgz"
		text("/npm/"+strings.ReplaceAll(name, "/", "%2F"), "application/json", fmt.Sprintf(
			`{"name":%q,"dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":%q,"version":"1.0.0","dist":{"tarball":"ORIGIN%s","shasum":"%x","integrity":"sha512-%s"}}},"time":{"1.0.0":"2020-01-01T00:00:00.000Z"}}`,
			name, name, file, short, base64.StdEncoding.EncodeToString(long[:])))
		text(file, "application/octet-stream", tarball)
	}
}

func goRoutes(t *testing.T, text route) {
	text("/go/demo.test/m/@v/list", "", "v1.0.0\n")
	text("/go/demo.test/m/@v/v1.0.0.info", "", `{"Version":"v1.0.0"}`)
	text("/go/demo.test/m/@v/v1.0.0.mod", "", "module demo.test/m\n")
	text("/go/demo.test/m/@v/v1.0.0.zip", "", zipped(t, map[string]string{
		"demo.test/m@v1.0.0/go.mod": "module demo.test/m\n", "demo.test/m@v1.0.0/m.go": "package m\n",
	}))
}

func cargoRoutes(t *testing.T, text route) {
	crate := tarred(t, map[string]string{
		"demo-1.0.0/Cargo.toml": "[package]\nname = \"demo\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
		"demo-1.0.0/src/lib.rs": "",
	})
	sum := sha256.Sum256([]byte(crate))
	text("/index/config.json", "", `{"dl":"ORIGIN/crates/{crate}-{version}.crate"}`)
	text("/index/de/mo/demo", "", `{"name":"demo","vers":"1.0.0","deps":[],"cksum":"`+hex.EncodeToString(sum[:])+`","features":{},"yanked":false}`+"\n")
	text("/crates/demo-1.0.0.crate", "", crate)
}

func zipped(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarred(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
	}
	_ = w.Close()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
