package proxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// secureServer is a TLS server that remembers what reached it.
type secureServer struct {
	*httptest.Server
	port     int
	mu       sync.Mutex
	requests []*http.Request
	conns    int
}

func newSecureServer(t *testing.T, c *tls.Config, h http.HandlerFunc) *secureServer {
	t.Helper()
	s := &secureServer{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		h(w, r)
	}))
	s.Config.ErrorLog = discardLog()
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.conns++
			s.mu.Unlock()
		}
	}
	s.EnableHTTP2, s.TLS = true, c
	s.StartTLS()
	t.Cleanup(s.Close)
	s.port = s.Listener.Addr().(*net.TCPAddr).Port
	return s
}

// seen returns the requests that reached the server, and on how many connections.
func (s *secureServer) seen() ([]*http.Request, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.requests...), s.conns
}

// signer is an authority whose leaves can be wrong in any way.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{pool: x509.NewCertPool()}
	pair := s.leaf(t, func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.DNSNames = pkix.Name{CommonName: "authority"}, true, true, x509.KeyUsageCertSign, nil
	})
	s.cert, s.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	s.pool.AddCert(s.cert)
	return s
}

// leaf returns a certificate for ok.test and 127.0.0.1, changed. A signer without
// a certificate makes one that signs itself.
func (s *signer) leaf(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "leaf"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"ok.test", "other.test", "proxy.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	parent, parentKey := s.cert, s.key
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// allowLoopback is a policy that allows everything on loopback but raw connections.
var allowLoopback = policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
	if r.Method == http.MethodConnect || r.Scheme == "tcp" {
		return policy.Decision{Default: true}, nil
	}
	return policy.Decision{Action: policy.Allow, Rule: "test:1", Networks: loopback}, nil
})

// hangUp closes the connections to servers on which nothing is asked.
func (w *world) hangUp() {
	w.proxy.upstream.mu.Lock()
	defer w.proxy.upstream.mu.Unlock()
	for _, t := range w.proxy.upstream.pools {
		t.CloseIdleConnections()
	}
}

func trust(pool *x509.CertPool) func(*Config) {
	return func(c *Config) { c.Roots = func() *x509.CertPool { return pool } }
}

// TestBadServerCertificates: a server that cannot prove who it is receives no
// request, and the client is told what is wrong and what to do, in every mode.
func TestBadServerCertificates(t *testing.T) {
	authority, stranger, nobody := newSigner(t), newSigner(t), &signer{}
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		want string
	}{
		{"expired", authority.leaf(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "its owner must renew it, unless this machine's clock is wrong"},
		{"not valid yet", authority.leaf(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), "its owner must renew it"},
		{"another name", authority.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"elsewhere.test"} }), "certificate is another host's"},
		{"signed by itself", nobody.leaf(t, nil), "is signed by itself: if it is the one you expect, name its file with -upstream-ca"},
		{"unknown authority", stranger.leaf(t, nil), "an authority that this machine does not trust: name the authority's file with -upstream-ca"},
		{"for clients only", authority.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), "may not be used for this"},
	} {
		for _, mode := range []enforce.Mode{enforce.Enforce, enforce.Audit} {
			for _, h2 := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s h2=%v", tt.name, mode, h2), func(t *testing.T) {
					t.Parallel()
					s := newSecureServer(t, &tls.Config{Certificates: []tls.Certificate{tt.cert}}, text("x").ServeHTTP)
					w := newWorld(t, mode, allowLoopback, text("x"), trust(authority.pool))
					client := w.client(h2)
					status, body := get(t, client, fmt.Sprintf("https://ok.test:%d/secret", s.port))
					if status != http.StatusBadGateway || !strings.Contains(body, "\nwhat to do: ") || !strings.Contains(body, tt.want) {
						t.Errorf("got %d %q", status, body)
					}
					client.CloseIdleConnections()
					w.shutdown()
					if requests, _ := s.seen(); len(requests) != 0 {
						t.Errorf("the server received %v", requests)
					}
					if ev := w.events.one(t, enforce.StageResponse); ev.Status != http.StatusBadGateway || !strings.Contains(ev.Error, "certificate") {
						t.Errorf("event %+v", ev)
					}
				})
			}
		}
	}
}

// TestTrustedBySelf: a certificate that signs itself is trusted where the user
// names it as an authority, as -upstream-ca does.
func TestTrustedBySelf(t *testing.T) {
	cert, pool := (&signer{}).leaf(t, nil), x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	s := newSecureServer(t, &tls.Config{Certificates: []tls.Certificate{cert}}, text("x").ServeHTTP)
	w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), trust(pool))
	if status, body := get(t, w.client(false), fmt.Sprintf("https://ok.test:%d/", s.port)); status != 200 {
		t.Errorf("got %d %q", status, body)
	}
}

// TestPooling: requests share a connection, and each version of TLS resumes its
// sessions on the next one.
func TestPooling(t *testing.T) {
	authority := newSigner(t)
	for _, h2 := range []bool{false, true} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprintf("h2=%v %s", h2, tls.VersionName(version)), func(t *testing.T) {
				c := &tls.Config{Certificates: []tls.Certificate{authority.leaf(t, nil)}, MaxVersion: version}
				s := newSecureServer(t, c, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/last" {
						w.Header().Set("Connection", "close")
					}
					_, _ = io.WriteString(w, "x")
				})
				w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), trust(authority.pool))
				client := w.client(h2)
				for _, path := range []string{"/1", "/2", "/last"} {
					get(t, client, fmt.Sprintf("https://ok.test:%d%s", s.port, path))
				}
				if requests, conns := s.seen(); len(requests) != 3 || conns != 1 {
					t.Errorf("%d requests came on %d connections, want 3 on 1", len(requests), conns)
				}
				w.hangUp()
				get(t, client, fmt.Sprintf("https://ok.test:%d/again", s.port))
				requests, conns := s.seen()
				if last := requests[len(requests)-1]; conns != 2 || !last.TLS.DidResume {
					t.Errorf("%d connections, the second resumed: %v", conns, last.TLS.DidResume)
				}
			})
		}
	}
}

// TestClientsResume: a client that comes again need not prove the run's
// certificate again.
func TestClientsResume(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"))
		cache := tls.NewLRUClientSessionCache(4)
		for i, want := range []bool{false, true} {
			c := w.client(false)
			tr := c.Transport.(*http.Transport)
			tr.TLSClientConfig.ClientSessionCache, tr.TLSClientConfig.MaxVersion = cache, version
			resp, err := c.Get(w.url("https", "ok.test", "/"))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			tr.CloseIdleConnections()
			if resp.TLS.DidResume != want {
				t.Errorf("%s, connection %d: resumed %v", tls.VersionName(version), i+1, resp.TLS.DidResume)
			}
		}
	}
}

// TestPoolsAreApartByNetworks: requests of rules that open different networks share
// neither connections nor TLS sessions.
func TestPoolsAreApartByNetworks(t *testing.T) {
	authority := newSigner(t)
	networks := map[string][]netip.Prefix{"/a": loopback, "/b": {netip.MustParsePrefix("127.0.0.1/32")}, "/none": nil}
	p := policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Networks: networks[r.Path]}, nil
	})
	for _, h2 := range []bool{false, true} {
		s := newSecureServer(t, &tls.Config{Certificates: []tls.Certificate{authority.leaf(t, nil)}}, text("x").ServeHTTP)
		w := newWorld(t, enforce.Enforce, p, text("x"), trust(authority.pool))
		client := w.client(h2)
		for _, path := range []string{"/a", "/b", "/a", "/b"} {
			get(t, client, fmt.Sprintf("https://ok.test:%d%s", s.port, path))
		}
		if status, body := get(t, client, fmt.Sprintf("https://ok.test:%d/none", s.port)); status != 403 || !strings.Contains(body, "loopback") {
			t.Errorf("h2=%v: a rule without networks: %d %q", h2, status, body)
		}
		requests, conns := s.seen()
		if len(requests) != 4 || conns != 2 {
			t.Errorf("h2=%v: %d requests on %d connections, want 4 on 2", h2, len(requests), conns)
		}
		for _, r := range requests {
			if r.TLS.DidResume {
				t.Errorf("h2=%v: %s resumed a session of another pool", h2, r.URL.Path)
			}
		}
	}
}

// TestClientCertificate: it is shown to the one server that it is for, when that
// asks, and to no other: not to another name at the same port, nor at another
// port under the same name.
func TestClientCertificate(t *testing.T) {
	authority := newSigner(t)
	ours := authority.leaf(t, func(c *x509.Certificate) { c.Subject.CommonName = "build" })
	asks := func() *secureServer {
		return newSecureServer(t, &tls.Config{Certificates: []tls.Certificate{authority.leaf(t, nil)}, ClientAuth: tls.RequestClientCert}, text("x").ServeHTTP)
	}
	for _, h2 := range []bool{false, true} {
		named, other := asks(), asks()
		w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), trust(authority.pool), func(c *Config) {
			c.ClientCertificates = map[string]*tls.Certificate{fmt.Sprintf("ok.test:%d", named.port): &ours}
		})
		for _, tt := range []struct {
			host   string
			server *secureServer
			shown  bool
		}{
			{"other.test", named, false}, {"ok.test", named, true}, {"OK.test", named, true}, {"other.test", named, false},
			{"127.0.0.1", named, false}, {"ok.test", other, false},
		} {
			w.hangUp() // each asks again
			if status, body := get(t, w.client(h2), fmt.Sprintf("https://%s:%d/", tt.host, tt.server.port)); status != 200 {
				t.Fatalf("%s: %d %q", tt.host, status, body)
			}
			requests, _ := tt.server.seen()
			last := requests[len(requests)-1]
			if shown := len(last.TLS.PeerCertificates) > 0; shown != tt.shown || shown && last.TLS.PeerCertificates[0].Subject.CommonName != "build" {
				t.Errorf("h2=%v: %s port %d was shown %v, want %v", h2, tt.host, tt.server.port, shown, tt.shown)
			}
		}
	}
}

// TestClientCertificateWanted: a server that insists on one says so with words.
func TestClientCertificateWanted(t *testing.T) {
	authority := newSigner(t)
	s := newSecureServer(t, &tls.Config{Certificates: []tls.Certificate{authority.leaf(t, nil)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.pool}, text("x").ServeHTTP)
	for _, h2 := range []bool{false, true} {
		w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), trust(authority.pool))
		want, said := fmt.Sprintf("-client-cert ok.test:%d=CERT.pem,KEY.pem", s.port), ""
		// In TLS 1.3 the handshake is over for the client before the server refuses
		// it (RFC 8446 section 4.4.2.4): now and then its word is lost with a reset.
		for range 20 {
			status, body := get(t, w.client(h2), fmt.Sprintf("https://ok.test:%d/", s.port))
			if status != http.StatusBadGateway {
				t.Fatalf("h2=%v: got %d %q", h2, status, body)
			}
			if said = body; strings.Contains(body, want) {
				break
			}
		}
		if !strings.Contains(said, want) {
			t.Errorf("h2=%v: got %q", h2, said)
		}
	}
	if requests, _ := s.seen(); len(requests) != 0 {
		t.Errorf("the server received %v", requests)
	}
}
