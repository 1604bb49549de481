package examples

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

// day is a proxy behind proxaudit that leads to the real registries on another
// day: nothing is as fresh as it was, so that what a client asks about again is
// answered in full, and metadata tells of a version that was published since.
type day struct {
	authority *ca.Authority
	pem       string
	listener  net.Listener
	inner     *conns
	own       func(*http.Request) http.Handler // what no registry answers
	changed   atomic.Int64                     // documents that told something new
	mu        sync.Mutex
	failures  []string
	asked     []string
}

func newDay(t *testing.T) *day {
	t.Helper()
	authority, err := ca.New()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &day{authority: authority, pem: filepath.Join(t.TempDir(), "ca.pem"), listener: l, own: func(*http.Request) http.Handler { return nil }, inner: &conns{addr: l.Addr(), next: make(chan net.Conn), done: make(chan struct{})}}
	write(t, d.pem, string(authority.CertificatePEM()))
	outside := &http.Server{Handler: http.HandlerFunc(d.connect)}
	registries := d.registries()
	inside := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.asked = append(d.asked, r.URL.Path)
		d.mu.Unlock()
		if own := d.own(r); own != nil {
			own.ServeHTTP(w, r)
			return
		}
		registries.ServeHTTP(w, r)
	})}
	go func() { _ = outside.Serve(l) }()
	go func() { _ = inside.Serve(d.inner) }()
	t.Cleanup(func() {
		_ = outside.Close()
		_ = inside.Close()
	})
	return d
}

// environ and words have proxaudit go through d.
func (d *day) environ() []string {
	proxy := "http://" + d.listener.Addr().String()
	return []string{"HTTPS_PROXY=" + proxy, "https_proxy=" + proxy, "NO_PROXY=", "no_proxy="}
}

func (d *day) words() []string { return []string{"-upstream-ca", d.pem} }

// paths are those asked for since the last call.
func (d *day) paths() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	paths := d.asked
	d.asked = nil
	return paths
}

// connect takes a tunnel and hands what is in it to the server inside.
func (d *day) connect(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil {
		http.Error(w, "a tunnel is wanted", http.StatusBadRequest)
		return
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	d.inner.hand(tls.Server(c, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return d.authority.Leaf(host)
	}}))
}

// registries forwards to where the client wanted to go.
func (d *day) registries() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: r.In.Host})
			for _, name := range []string{"If-None-Match", "If-Modified-Since", "Accept-Encoding"} {
				r.Out.Header.Del(name)
			}
		},
		Transport:      persistent{&http.Transport{}},
		ModifyResponse: d.later,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			d.mu.Lock()
			d.failures = append(d.failures, err.Error())
			d.mu.Unlock()
			w.WriteHeader(http.StatusBadGateway)
		},
	}
}

// persistent asks again what a registry did not answer, or said that it cannot: the
// client's own attempts would be counted as failures here.
type persistent struct{ http.RoundTripper }

func (p persistent) RoundTrip(r *http.Request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		answer, err := p.RoundTripper.RoundTrip(r)
		unable := err == nil && (answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= http.StatusInternalServerError)
		if err == nil && !unable || r.Context().Err() != nil || attempt == 6 || r.Method != http.MethodGet && r.Method != http.MethodHead {
			return answer, err
		}
		if unable {
			_ = answer.Body.Close()
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(time.Duration(attempt) * time.Second):
		}
	}
}

// maxDocument bounds what is taken for metadata, in bytes.
const maxDocument = 64 << 20

// later changes metadata into that of a later day.
func (d *day) later(r *http.Response) error {
	r.Header.Del("Etag")
	r.Header.Del("Last-Modified")
	head := bufio.NewReader(r.Body)
	start, _ := head.Peek(512)
	if r.StatusCode != http.StatusOK || !isText(start) {
		r.Body = struct {
			io.Reader
			io.Closer
		}{head, r.Body}
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(head, maxDocument))
	_ = r.Body.Close()
	if err != nil {
		return err
	}
	if now, changed := publish(r.Request.URL.Path, body); changed {
		d.changed.Add(1)
		body = now
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

func isText(b []byte) bool {
	return len(b) > 0 && !bytes.ContainsRune(b, 0) && !bytes.HasPrefix(b, []byte{0x1f, 0x8b})
}

// publish adds a version to a document that lists them. Documents about one
// version are what they were: registries do not change those.
func publish(path string, body []byte) ([]byte, bool) {
	switch trimmed := bytes.TrimSpace(body); {
	case bytes.Contains(body, []byte(`"dist-tags"`)):
		return publishNPM(body)
	case bytes.HasPrefix(trimmed, []byte(`{"name":`)) && bytes.Contains(body, []byte(`"cksum":`)): // Cargo's index
		last := trimmed[bytes.LastIndexByte(trimmed, '\n')+1:]
		next := regexp.MustCompile(`"vers": ?"[^"]*"`).ReplaceAll(last, []byte(`"vers":"0.0.0-later"`))
		return slices.Concat(trimmed, []byte("\n"), next, []byte("\n")), true
	case strings.Contains(path, "/simple/") && bytes.Contains(body, []byte(`"files"`)):
		return publishPyPI(body)
	case strings.Contains(path, "/simple/") && bytes.Contains(body, []byte("</body>")):
		return bytes.Replace(body, []byte("</body>"), []byte(`<a href="/later/later-0.0.1.tar.gz">later-0.0.1.tar.gz</a></body>`), 1), true
	case strings.HasSuffix(path, "/@v/list"):
		return append(body, "v0.0.0-00010101000000-000000000000\n"...), true
	case strings.HasSuffix(path, "/maven-metadata.xml") && xml.Unmarshal(body, new(struct{})) == nil:
		return bytes.Replace(body, []byte("</versions>"), []byte("<version>0.0.0-later</version></versions>"), 1), true
	}
	return body, false
}

func publishNPM(body []byte) ([]byte, bool) {
	var doc map[string]any
	if json.Unmarshal(body, &doc) != nil {
		return body, false
	}
	versions, ok := doc["versions"].(map[string]any)
	if !ok {
		return body, false
	}
	for _, v := range versions {
		versions["0.0.0-later"] = v
		break
	}
	now, err := json.Marshal(doc)
	return now, err == nil
}

func publishPyPI(body []byte) ([]byte, bool) {
	var doc map[string]any
	if json.Unmarshal(body, &doc) != nil {
		return body, false
	}
	files, _ := doc["files"].([]any)
	doc["files"] = append(files, map[string]any{"filename": "later-0.0.1.tar.gz", "url": "/later/later-0.0.1.tar.gz", "hashes": map[string]any{}})
	now, err := json.Marshal(doc)
	return now, err == nil
}

// conns is a listener of connections that are handed to it.
type conns struct {
	addr net.Addr
	next chan net.Conn
	done chan struct{}
	once sync.Once
}

func (c *conns) Accept() (net.Conn, error) {
	select {
	case conn := <-c.next:
		return conn, nil
	case <-c.done:
		return nil, net.ErrClosed
	}
}

// hand returns when the connection was accepted, or nobody will.
func (c *conns) hand(conn net.Conn) {
	select {
	case c.next <- conn:
	case <-c.done:
		_ = conn.Close()
	}
}

func (c *conns) Addr() net.Addr { return c.addr }

func (c *conns) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}
