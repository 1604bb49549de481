package bundle

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/overdue"
)

// server answers by h and keeps the requests it got.
type server struct {
	*httptest.Server
	got []*http.Request
}

func serve(t *testing.T, h http.HandlerFunc) *server {
	t.Helper()
	overdue.Watch(t)
	s := &server{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.got = append(s.got, r)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// remote is a bundle at s, as proxaudit asks for it.
func (s *server) remote(t *testing.T) *Remote {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &Remote{URL: s.URL + "/bundles/org.tar.gz", Client: NewClient(roots, nil), MaxBytes: 1000, Pause: time.Millisecond}
}

func text(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, content) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// TestFetchAgain asks a server that keeps ETags.
func TestFetchAgain(t *testing.T) {
	content, tag := "one", `"1"`
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	})
	r := s.remote(t)
	fetch := func(want, sent string) {
		t.Helper()
		data, err := r.Fetch(context.Background())
		if err != nil || string(data) != want {
			t.Fatalf("%q, %v; want %q", data, err, want)
		}
		last := s.got[len(s.got)-1]
		if last.Header.Get("If-None-Match") != sent || last.Method != http.MethodGet || last.URL.Path != "/bundles/org.tar.gz" {
			t.Errorf("asked %s %s with %q, want %q", last.Method, last.URL, last.Header, sent)
		}
		if got := last.Header.Get("Accept-Encoding"); got != "" {
			t.Errorf("accepts %q, which would unpack the bundle", got)
		}
	}
	fetch("one", "")
	content = "never sent"
	fetch("one", `"1"`)
	content, tag = "two", `"2"`
	fetch("two", `"1"`)
	fetch("two", `"2"`)
	if len(s.got) != 4 {
		t.Errorf("%d requests", len(s.got))
	}
}

// TestFetchRefused has answers that are answers: nothing stands in for them, and
// nobody asks again.
func TestFetchRefused(t *testing.T) {
	plain := httptest.NewServer(text("unread"))
	t.Cleanup(plain.Close)
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"no such bundle":       {status(404), "404 Not Found: it has no such bundle"},
		"no token":             {status(401), "401 Unauthorized: it does not know the token"},
		"not this token":       {status(403), "403 Forbidden: it does not know the token"},
		"gone":                 {status(410), "410 Gone"},
		"no content":           {status(204), "204 No Content"},
		"not modified at once": {status(304), "304 Not Modified to who has nothing"},
		"too large":            {text(strings.Repeat("x", 1001)), "the bundle is larger than"},
		"too large, unannounced": {func(w http.ResponseWriter, _ *http.Request) {
			for range 20 {
				_, _ = io.WriteString(w, strings.Repeat("x", 100))
				_ = http.NewResponseController(w).Flush()
			}
		}, "the bundle is larger than"},
		"elsewhere, without TLS": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) }, "the server sends elsewhere, and not over https"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tt.handler)
			_, err := s.remote(t).Fetch(context.Background())
			if err == nil || !strings.Contains(err.Error(), tt.want) || isUnavailable(err) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if len(s.got) != 1 {
				t.Errorf("%d requests", len(s.got))
			}
			if strings.Contains(err.Error(), s.URL) || strings.Contains(err.Error(), plain.URL) {
				t.Errorf("%v: an address may hold a secret", err)
			}
		})
	}
}

func isUnavailable(err error) bool {
	_, ok := errors.AsType[*Unavailable](err)
	return ok
}

// TestFetchUnavailable has servers that could not answer: they are asked three
// times.
func TestFetchUnavailable(t *testing.T) {
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"an error of its own": {status(500), "500 Internal Server Error"},
		"behind a gateway":    {status(502), "502 Bad Gateway"},
		"too many requests":   {status(429), "429 Too Many Requests"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}, "unexpected EOF"},
		"closed": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tt.handler)
			r := s.remote(t)
			if _, err := r.Fetch(context.Background()); !isUnavailable(err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			// The transport itself may ask again where a connection was closed.
			if len(s.got) < attempts {
				t.Errorf("%d requests", len(s.got))
			}
			if data, err := (&Remote{URL: r.URL, Client: r.Client, MaxBytes: 1}).Fetch(context.Background()); err == nil {
				t.Errorf("%q is taken", data)
			}
		})
	}
}

func TestFetchRecovers(t *testing.T) {
	n := 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n < 3 {
			w.WriteHeader(503)
			return
		}
		_, _ = io.WriteString(w, "there")
	})
	if data, err := s.remote(t).Fetch(context.Background()); err != nil || string(data) != "there" || n != 3 {
		t.Errorf("%q, %v after %d requests", data, err, n)
	}
}

// TestFetchSlow has a server that sends the head of an answer and no more.
func TestFetchSlow(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := s.remote(t).Fetch(ctx)
	if !isUnavailable(err) || !strings.Contains(err.Error(), "the server took longer than") {
		t.Errorf("error %v", err)
	}
}

func TestFetchUntrusted(t *testing.T) {
	s := serve(t, text("unread"))
	r := s.remote(t)
	r.Client = NewClient(x509.NewCertPool(), nil)
	if _, err := r.Fetch(context.Background()); err == nil || isUnavailable(err) || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("error %v", err)
	}
	if len(s.got) != 0 {
		t.Error("asked a server that is not trusted")
	}
}

// TestFetchToken shows where the token goes, and where it does not.
func TestFetchToken(t *testing.T) {
	other := serve(t, text("from elsewhere"))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	r := s.remote(t)
	r.Token = "s3cret"
	// The same server by another name: to a client that is another host.
	r.URL = strings.Replace(r.URL, "127.0.0.1", "example.com", 1)
	dial := &net.Dialer{}
	r.Client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "example.com:") {
			addr = s.Listener.Addr().String()
		}
		return dial.DialContext(ctx, network, addr)
	}
	if data, err := r.Fetch(context.Background()); err != nil || string(data) != "from elsewhere" {
		t.Fatalf("%q, %v", data, err)
	}
	if got := s.got[0].Header.Get("Authorization"); got != "Bearer s3cret" {
		t.Errorf("the server got %q", got)
	}
	if got := other.got[0].Header.Get("Authorization"); got != "" {
		t.Errorf("another server got %q", got)
	}
}

func TestFetchThroughProxy(t *testing.T) {
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	s := serve(t, text("unread"))
	r := s.remote(t)
	to, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Client = NewClient(nil, func(u *url.URL) (*url.URL, error) {
		if u.Host != s.Listener.Addr().String() {
			t.Errorf("asked for %s", u)
		}
		return to, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.Pause = time.Hour
	done := make(chan error)
	go func() { _, err := r.Fetch(ctx); done <- err }()
	if got := <-asked; got != "CONNECT "+s.Listener.Addr().String() {
		t.Errorf("the proxy was asked %s", got)
	}
	cancel()
	if err := <-done; err == nil || len(s.got) != 0 {
		t.Errorf("error %v, %d requests went around the proxy", err, len(s.got))
	}
}

func TestCheckURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://bundles.example.org/org.tar.gz":         "",
		"https://bundles.example.org:8443/a?sig=x":       "",
		"http://bundles.example.org/org.tar.gz":          "over https, not http",
		"file:///etc/org.tar.gz":                         "over https, not file",
		"https:///org.tar.gz":                            "no host",
		"https://user:s3cret@bundles.example.org/x":      "seen by everyone",
		"https://bundles.example.org/x#y":                "a fragment",
		"https://bundles.example.org/%zz?token=s3cret":   "not a URL",
		"https://bundles.example.org:port/?token=s3cret": "not a URL",
	} {
		err := CheckURL(raw)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
}

func TestCache(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "a", "b")}
	const here, there = "https://bundles.example.org/x?sig=s3cret", "https://bundles.example.org/y"
	if _, _, err := c.Kept(here, 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	for _, content := range []string{"first", "last"} {
		if err := c.Keep(here, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	data, written, err := c.Kept(here, 10)
	if err != nil || !bytes.Equal(data, []byte("last")) || time.Since(written) > time.Hour {
		t.Errorf("%q, %v, %v", data, written, err)
	}
	if _, _, err := c.Kept(there, 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another bundle: %v", err)
	}
	if _, _, err := c.Kept(here, 3); err == nil {
		t.Error("a copy that is too large is read")
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil || len(entries) != 1 || strings.Contains(entries[0].Name(), "s3cret") {
		t.Fatalf("%v, %v", entries, err)
	}
	if info, err := entries[0].Info(); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Mkdir(c.file(there), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Kept(there, 1<<20); err == nil {
		t.Error("a folder is read")
	}
	if err := (Cache{Dir: c.file(here)}).Keep(here, nil); err == nil {
		t.Error("kept in a file")
	}
}
