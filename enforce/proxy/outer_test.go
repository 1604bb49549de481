package proxy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/clientenv"
	"github.com/juliendoutre/proxaudit/policy"
)

// outerProxy is a proxy outside that remembers what it was asked for and who
// asked. It leads every name to this machine.
type outerProxy struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

const outerUser, outerPassword = "builder", "s3cret%40:x" // as written in a URL

func newOuterProxy(t *testing.T, secure *tls.Config) *outerProxy {
	t.Helper()
	p := &outerProxy{}
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ErrorLog = discardLog()
	if secure != nil {
		p.TLS = secure
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

// as returns the proxy's URL under proxy.test, with credentials.
func (p *outerProxy) as(user, password string) string {
	u, _ := url.Parse(p.URL)
	return fmt.Sprintf("%s://%s:%s@proxy.test:%s", u.Scheme, user, password, u.Port())
}

func (p *outerProxy) seen() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*http.Request(nil), p.requests...)
}

func here(ctx context.Context, addr string) (net.Conn, error) {
	_, port, _ := net.SplitHostPort(addr)
	return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
}

func (p *outerProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests = append(p.requests, r.Clone(context.Background()))
	p.mu.Unlock()
	check := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	if user, password, _ := check.BasicAuth(); user != outerUser || password != "s3cret@:x" {
		w.Header().Set("Proxy-Authenticate", "Basic")
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		r.RequestURI = ""
		r.Header.Del("Proxy-Authorization")
		resp, err := (&http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return here(ctx, addr) }}).RoundTrip(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
		return
	}
	server, err := here(r.Context(), r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	_, _ = io.WriteString(client, established)
	go func() { _, _ = io.Copy(server, rw); _ = server.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(client, server)
}

// environment is the outer environment's word about proxies.
func environment(vars ...string) func(*Config) {
	return func(c *Config) { c.OuterProxy = clientenv.OuterProxy(vars) }
}

// TestOuterCredentials: ours reach the outer proxy and nobody else; the client's
// own reach nobody. No event and no message holds either.
func TestOuterCredentials(t *testing.T) {
	authority := newSigner(t)
	leaf := authority.leaf(t, nil)
	for name, secure := range map[string]*tls.Config{"http": nil, "https": {Certificates: []tls.Certificate{leaf}}} {
		for _, password := range []string{outerPassword, "wr0ng"} {
			t.Run(name+" "+password, func(t *testing.T) {
				outer := newOuterProxy(t, secure)
				s := newSecureServer(t, &tls.Config{Certificates: []tls.Certificate{leaf}}, text("x").ServeHTTP)
				proxy := outer.as(outerUser, password)
				w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), trust(authority.pool), environment("HTTPS_PROXY="+proxy, "HTTP_PROXY="+proxy))
				var told []string
				for _, h2 := range []bool{false, true} {
					client := w.client(h2)
					client.Transport.(*http.Transport).Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: w.addr, User: url.UserPassword("cl1ent", "cl1entpw")})
					for _, u := range []string{fmt.Sprintf("https://ok.test:%d/", s.port), w.url("http", "ok.test", "/")} {
						status, body := get(t, client, u)
						want := 200
						if password != outerPassword {
							want = http.StatusBadGateway
							if !strings.Contains(body, "407 Proxy Authentication Required") || !strings.Contains(body, "what to do: check the user and the password in HTTPS_PROXY") {
								t.Errorf("told %q", body)
							}
						}
						if status != want {
							t.Errorf("%s: %d %q, want %d", u, status, body, want)
						}
						told = append(told, body)
					}
				}
				w.shutdown()
				if len(outer.seen()) == 0 {
					t.Error("the outer proxy was not asked")
				}
				for _, r := range outer.seen() {
					check := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
					if user, _, _ := check.BasicAuth(); user != outerUser || len(r.Header["Proxy-Authorization"]) != 1 {
						t.Errorf("the outer proxy got %q", r.Header)
					}
				}
				requests, _ := s.seen()
				for _, r := range requests {
					if v, ok := r.Header["Proxy-Authorization"]; ok {
						t.Errorf("the server got %q", v)
					}
				}
				if password != outerPassword && (len(requests) != 0 || w.origin.accepted.Load() != 0) {
					t.Errorf("a server was reached without the outer proxy's leave")
				}
				events, _ := json.Marshal(w.events.events)
				for _, secret := range []string{"s3cret", "wr0ng", "cl1ent"} {
					if strings.Contains(string(events), secret) || strings.Contains(strings.Join(told, ""), secret) {
						t.Errorf("%q is in an event or a message", secret)
					}
				}
			})
		}
	}
}

// TestOuterProxySeesNoClientCertificate: a proxy that asks for one is not the
// server that it is for.
func TestOuterProxySeesNoClientCertificate(t *testing.T) {
	authority := newSigner(t)
	leaf := authority.leaf(t, nil)
	ours := authority.leaf(t, nil)
	outer := newOuterProxy(t, &tls.Config{Certificates: []tls.Certificate{leaf}, ClientAuth: tls.RequestClientCert})
	s := newSecureServer(t, &tls.Config{Certificates: []tls.Certificate{leaf}, ClientAuth: tls.RequireAnyClientCert}, text("x").ServeHTTP)
	w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), trust(authority.pool), environment("HTTPS_PROXY="+outer.as(outerUser, outerPassword)), func(c *Config) {
		c.ClientCertificates = map[string]*tls.Certificate{fmt.Sprintf("ok.test:%d", s.port): &ours}
	})
	for _, h2 := range []bool{false, true} {
		if status, body := get(t, w.client(h2), fmt.Sprintf("https://ok.test:%d/", s.port)); status != 200 {
			t.Errorf("h2=%v: %d %q", h2, status, body)
		}
	}
	if len(outer.seen()) != 2 {
		t.Errorf("the outer proxy was asked %d times, want 2", len(outer.seen()))
	}
	for _, r := range outer.seen() {
		if len(r.TLS.PeerCertificates) != 0 {
			t.Error("the outer proxy was shown the client certificate")
		}
	}
}

// TestOuterProxyUntrusted: an outer proxy with a certificate that nobody vouches
// for gets neither request nor credentials.
func TestOuterProxyUntrusted(t *testing.T) {
	outer := newOuterProxy(t, &tls.Config{Certificates: []tls.Certificate{newSigner(t).leaf(t, nil)}})
	proxy := outer.as(outerUser, outerPassword)
	w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), environment("HTTPS_PROXY="+proxy, "HTTP_PROXY="+proxy))
	for _, scheme := range []string{"http", "https"} {
		status, body := get(t, w.client(false), w.url(scheme, "ok.test", "/"))
		if status != http.StatusBadGateway || !strings.Contains(body, "outer proxy proxy.test:") || !strings.Contains(body, "-upstream-ca") {
			t.Errorf("%s: %d %q", scheme, status, body)
		}
	}
	if seen := outer.seen(); len(seen) != 0 {
		t.Errorf("the outer proxy received %v", seen)
	}
}

// TestOuterProxyIsNoServer: no rule reaches the outer proxy itself, where a
// request would be decided by nobody: not by its name, whatever networks the rule
// opens, by no scheme, and not as raw TCP.
func TestOuterProxyIsNoServer(t *testing.T) {
	outer := newOuterProxy(t, nil)
	_, port, _ := net.SplitHostPort(outer.Listener.Addr().String())
	everything := policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		opens := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		return policy.Decision{Action: policy.Allow, Networks: opens, Passthrough: r.Scheme == "tcp" || r.Host == "blind.test"}, nil
	})
	proxy := outer.as(outerUser, outerPassword)
	for _, except := range []string{"", "proxy.test"} {
		w := newWorld(t, enforce.Enforce, everything, text("x"), environment("HTTPS_PROXY="+proxy, "HTTP_PROXY="+proxy, "NO_PROXY="+except))
		if status, body := get(t, w.client(false), "http://proxy.test:"+port+"/"); status != http.StatusForbidden || !strings.Contains(body, "is the outer proxy") {
			t.Errorf("NO_PROXY=%s: http: %d %q", except, status, body)
		}
		conn := w.dial()
		if status, body := roundTripRaw(t, conn, "CONNECT proxy.test:"+port+" HTTP/1.1\r\nHost: proxy.test:"+port+"\r\n\r\n"); status == 200 {
			t.Errorf("NO_PROXY=%s: CONNECT: %d %q", except, status, body)
		}
		w.shutdown()
		if seen := outer.seen(); len(seen) != 0 {
			t.Errorf("NO_PROXY=%s: the outer proxy received %v", except, seen)
		}
	}
}

// TestOuterProxyOpensNothing: that the outer proxy may stand on a private address
// opens that address to no rule.
func TestOuterProxyOpensNothing(t *testing.T) {
	outer := newOuterProxy(t, nil)
	public := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow}, nil
	})
	w := newWorld(t, enforce.Enforce, public, text("x"), environment("HTTPS_PROXY="+outer.as(outerUser, outerPassword), "NO_PROXY=ok.test"))
	_, port, _ := net.SplitHostPort(outer.Listener.Addr().String())
	for _, u := range []string{"http://ok.test:" + port + "/", w.url("https", "ok.test", "/"), w.url("https", "127.0.0.1", "/")} {
		if status, body := get(t, w.client(false), u); status != http.StatusForbidden || !strings.Contains(body, "loopback") {
			t.Errorf("%s: %d %q", u, status, body)
		}
	}
	if len(outer.seen()) != 0 || w.origin.accepted.Load() != 0 {
		t.Error("something was reached")
	}
}

// TestSOCKS: a SOCKS5 proxy is asked in its own protocol, with its credentials.
func TestSOCKS(t *testing.T) {
	asked := make(chan string, 8)
	port := rawServer(t, func(c net.Conn) { serveSOCKS(c, asked) })
	w := newWorld(t, enforce.Enforce, allowLoopback, text("through"), environment(fmt.Sprintf("ALL_PROXY=socks5h://user:pw@proxy.test:%d", port)))
	for _, scheme := range []string{"http", "https"} {
		if status, body := get(t, w.client(false), w.url(scheme, "ok.test", "/")); status != 200 || body != "through" {
			t.Errorf("%s: %d %q", scheme, status, body)
		}
		if got, want := <-asked, fmt.Sprintf("user:pw ok.test:%d", map[string]int{"http": w.origin.plainPort, "https": w.origin.port}[scheme]); got != want {
			t.Errorf("%s: the proxy was asked %q, want %q", scheme, got, want)
		}
	}
}

// serveSOCKS serves one connection by RFC 1928 with RFC 1929's sign-on.
func serveSOCKS(c net.Conn, asked chan<- string) {
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(c, b)
		return b
	}
	read(int(read(2)[1]))
	_, _ = c.Write([]byte{5, 2})
	user := string(read(int(read(2)[1])))
	password := string(read(int(read(1)[0])))
	_, _ = c.Write([]byte{1, 0})
	if head := read(4); head[3] != 3 { // a name
		return
	}
	host := string(read(int(read(1)[0])))
	port := read(2)
	addr := fmt.Sprintf("%s:%d", host, int(port[0])<<8|int(port[1]))
	asked <- user + ":" + password + " " + addr
	server, err := here(context.Background(), addr)
	if err != nil {
		return
	}
	defer server.Close()
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() { _, _ = io.Copy(server, c); _ = server.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(c, server)
}

// TestHalfCloseBySOCKS: what a server behind a SOCKS5 proxy says once its client
// has ended is still heard.
func TestHalfCloseBySOCKS(t *testing.T) {
	port := rawServer(t, func(c net.Conn) {
		agreeSOCKS(c)
		got, _ := io.ReadAll(c)
		_, _ = fmt.Fprintf(c, "%d bytes", len(got))
	})
	w := newWorld(t, enforce.Enforce, rawPolicy(2222), text("x"), environment(fmt.Sprintf("ALL_PROXY=socks5h://proxy.test:%d", port)))
	client := w.dial()
	roundTripRaw(t, client, "CONNECT ok.test:2222 HTTP/1.1\r\nHost: ok.test:2222\r\n\r\n")
	_, _ = io.WriteString(client, "all of it")
	_ = client.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(client); string(got) != "9 bytes" || err != nil {
		t.Errorf("heard %q, %v", got, err)
	}
}

// agreeSOCKS answers a SOCKS5 request without sign-on (RFC 1928).
func agreeSOCKS(c net.Conn) {
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(c, b)
		return b
	}
	read(int(read(2)[1]))
	_, _ = c.Write([]byte{5, 0})
	read(int(read(5)[4]) + 2)
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
}
