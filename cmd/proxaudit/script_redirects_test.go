package main

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"
)

// contentNetwork is a server that holds what others redirect to, each time under
// another path and with another signature. What it receives is appended to the
// file "cdn-received" in the script's folder.
type contentNetwork struct {
	received  io.Writer
	elsewhere http.Handler // what it serves besides
	port      string
	count     atomic.Int64
	mu        sync.Mutex
	names     map[string]string // by path and query
}

func newContentNetwork(env *testscript.Env, elsewhere http.Handler) (*contentNetwork, error) {
	received, err := os.OpenFile(filepath.Join(env.WorkDir, "cdn-received"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	env.Defer(func() { _ = received.Close() })
	return &contentNetwork{received: received, elsewhere: elsewhere, names: map[string]string{}}, nil
}

// sign returns a URL, on the host that r was sent to, for the last element of r's
// path. It is never the same.
func (c *contentNetwork) sign(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	object := fmt.Sprintf("/objects/%d/%s?X-Amz-Signature=%s", c.count.Add(1), rand.Text(), rand.Text())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[object] = path.Base(r.URL.Path)
	return "https://" + net.JoinHostPort(host, c.port) + object
}

// ServeHTTP implements http.Handler.
func (c *contentNetwork) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(c.received, "%s %s\n", r.Method, r.RequestURI)
	if strings.HasPrefix(r.URL.Path, "/git/") {
		c.elsewhere.ServeHTTP(w, r)
		return
	}
	c.mu.Lock()
	name, ok := c.names[r.RequestURI]
	c.mu.Unlock()
	switch {
	case !ok:
		http.NotFound(w, r)
	case strings.HasSuffix(name, ".whl"):
		_, _ = w.Write(wheel(strings.TrimSuffix(name, "-py3-none-any.whl")))
	default:
		_, _ = fmt.Fprintf(w, "%s from the network\n", name)
	}
}

// redirectTo adds what redirects to c: downloads, a package index, and git's
// repositories under another name.
func (c *contentNetwork) redirectTo(mux *http.ServeMux) {
	away := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, c.sign(r), http.StatusFound) }
	mux.HandleFunc("/example/tool/releases/download/", away)
	mux.HandleFunc("/pypi/packages/", away)
	mux.HandleFunc("/pypi/simple/tool/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!DOCTYPE html><a href="/pypi/packages/ab/cd/tool-1.0-py3-none-any.whl">tool-1.0-py3-none-any.whl</a>`)
	})
	mux.HandleFunc("/moved/", func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		http.Redirect(w, r, "https://"+net.JoinHostPort(host, c.port)+"/git/"+strings.TrimPrefix(r.URL.RequestURI(), "/moved/"), http.StatusMovedPermanently)
	})
}

// wheel is a package that pip accepts, with nothing in it.
func wheel(release string) []byte {
	name, version, _ := strings.Cut(release, "-")
	info := release + ".dist-info/"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, file := range []struct{ name, text string }{
		{"METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"},
		{"WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{"RECORD", info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		f, _ := z.Create(info + file.name) // to memory
		_, _ = io.WriteString(f, file.text)
	}
	_ = z.Close()
	return b.Bytes()
}
