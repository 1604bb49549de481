package clientenv

import (
	"archive/zip"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

const hello = "hello over TLS\n"

// newOrigin starts an HTTPS server, known as localhost and ok.test, that answers
// what each client asks for. Its certificate is signed by a.
func newOrigin(t *testing.T, a *authority) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	text := func(path, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	}
	text("/file", hello)
	// git's "dumb" protocol: gitprotocol-http(5)
	text("/repo.git/info/refs", strings.Repeat("a", 40)+"\trefs/heads/main\n")
	text("/repo.git/HEAD", "ref: refs/heads/main\n")
	text("/simple/demo/", `<a href="/demo-1.0-py3-none-any.whl">demo-1.0-py3-none-any.whl</a>`)
	text("/demo-1.0-py3-none-any.whl", wheel(t))
	text("/npm/demo", `{"name":"demo","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"demo","version":"1.0.0","dist":{"tarball":"x"}}}}`)
	text("/go/demo.test/m/@v/list", "v1.0.0\n")
	text("/go/demo.test/m/@v/v1.0.0.info", `{"Version":"v1.0.0"}`)
	text("/go/demo.test/m/@v/v1.0.0.mod", "module demo.test/m\n")
	text("/index/config.json", `{"dl":"https://ok.test/dl"}`)
	text("/index/de/mo/demo", `{"name":"demo","vers":"1.0.0","deps":[],"cksum":"`+strings.Repeat("0", 64)+`","features":{},"yanked":false}`)
	text("/maven/test/demo/parent/1/parent-1.pom", `<project><modelVersion>4.0.0</modelVersion><groupId>test.demo</groupId><artifactId>parent</artifactId><version>1</version><packaging>pom</packaging></project>`)
	s := httptest.NewUnstartedServer(mux)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{a.leaf(t)}}
	s.Config.ErrorLog = discard() // clients that are to fail say so here too
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// wheel is the smallest thing that pip takes for a distribution.
func wheel(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
		"demo-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"demo-1.0.dist-info/RECORD":   "",
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// tunnel is a proxy that leads every CONNECT to one origin, whatever the
// client asked for, and remembers what that was.
type tunnel struct {
	url    string
	origin string

	mu    sync.Mutex
	asked []string
}

func newTunnel(t *testing.T, origin string) *tunnel {
	t.Helper()
	p := &tunnel{origin: origin}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

func (p *tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, r.Host)
	p.mu.Unlock()
	up, err := net.Dial("tcp", p.origin)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	fmt.Fprint(down, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{})
	go func() {
		io.Copy(up, buffered)
		up.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	io.Copy(down, up)
	down.Close()
	<-done
}

// take returns what was asked for since the last time.
func (p *tunnel) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}
