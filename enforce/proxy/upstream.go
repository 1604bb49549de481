package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/dialguard"
	"github.com/juliendoutre/proxaudit/policy"
)

// upstream holds the connections to the servers behind the proxy, pooled for
// the run. A pool is shared only by requests that may reach the same networks:
// a connection that one rule opened to a private address must not serve a
// request of another rule.
type upstream struct {
	guarded  bool
	resolver *net.Resolver
	outer    func(*url.URL) (*url.URL, error)
	tls      func() *tls.Config

	mu    sync.Mutex
	pools map[poolKey]*http.Transport
}

// poolKey tells apart what must not share connections.
type poolKey struct {
	networks string // that a rule opens; "" for none
	http2    bool
}

func newUpstream(c Config) *upstream {
	u := &upstream{guarded: c.Gate.Mode == enforce.Enforce, resolver: c.Resolver, outer: c.OuterProxy, pools: map[poolKey]*http.Transport{}}
	u.tls = sync.OnceValue(func() *tls.Config {
		config := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(256)}
		if c.Roots != nil {
			config.RootCAs = c.Roots()
		}
		return config
	})
	return u
}

func (u *upstream) transport(networks []netip.Prefix, http2 bool) *http.Transport {
	t := &http.Transport{
		DialContext:           u.dialer(networks),
		TLSClientConfig:       u.tls().Clone(),
		TLSHandshakeTimeout:   handshakeTimeout,
		ResponseHeaderTimeout: responseHeaderTimeout,
		ForceAttemptHTTP2:     http2,
		MaxIdleConnsPerHost:   maxIdlePerHost,
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
	}
	if !http2 {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	if u.outer != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return u.outer(r.URL) }
	}
	return t
}

// pool returns the transport for requests that may reach networks besides the
// public ones. The server is spoken to in the version of HTTP that the client
// chose, as it would be without a proxy: for HTTP/1.1 that is also the fastest.
func (u *upstream) pool(networks []netip.Prefix, http2 bool) *http.Transport {
	key := poolKey{http2: http2}
	for _, n := range networks {
		key.networks += n.String() + " "
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	t, ok := u.pools[key]
	if !ok {
		t = u.transport(networks, http2)
		u.pools[key] = t
	}
	return t
}

// checkLiteral checks a host that is an address already. The dialer would find
// out too, but not where an outer proxy dials in its stead.
func (u *upstream) checkLiteral(host string, networks []netip.Prefix) error {
	addr, err := netip.ParseAddr(host)
	if !u.guarded || err != nil {
		return nil
	}
	return dialguard.Check(addr, networks)
}

// dialer checks every address at the moment it is dialled, after resolution.
// The outer proxy is the user's own word and may stand anywhere; what a name
// resolves to behind it is for its operator to guard.
func (u *upstream) dialer(networks []netip.Prefix) func(context.Context, string, string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialTimeout, Resolver: u.resolver}
	guarded := &net.Dialer{Timeout: dialTimeout, Resolver: u.resolver, ControlContext: dialguard.Control}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !u.guarded || u.isOuterProxy(addr) {
			return plain.DialContext(ctx, network, addr)
		}
		return guarded.DialContext(dialguard.WithNetworks(ctx, networks), network, addr)
	}
}

// isOutside reports whether u is reached through an outer proxy.
func (u *upstream) isOutside(target *url.URL) bool {
	if u.outer == nil {
		return false
	}
	proxy, err := u.outer(target)
	return err == nil && proxy != nil
}

// isOuterProxy reports whether addr is the outer proxy for some URL.
func (u *upstream) isOuterProxy(addr string) bool {
	if u.outer == nil {
		return false
	}
	for _, scheme := range [...]string{"https", "http"} {
		if proxy, err := u.outer(&url.URL{Scheme: scheme, Host: "ok.invalid"}); err == nil && proxy != nil && proxyAddress(proxy) == addr {
			return true
		}
	}
	return false
}

// proxyAddress is the host:port at which a proxy URL is dialled.
func proxyAddress(proxy *url.URL) string {
	port := proxy.Port()
	if port == "" {
		port = strconv.Itoa(int(policy.DefaultPort(proxy.Scheme)))
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}

// dialTunnel connects to the destination of a connection that is not decrypted,
// through the outer proxy where there is one for it.
func (u *upstream) dialTunnel(ctx context.Context, q *policy.Request, networks []netip.Prefix) (net.Conn, error) {
	if err := u.checkLiteral(q.Host, networks); err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(q.Host, strconv.Itoa(int(q.Port)))
	var proxy *url.URL
	if u.outer != nil {
		var err error
		if proxy, err = u.outer(&url.URL{Scheme: "https", Host: addr}); err != nil {
			return nil, fmt.Errorf("outer proxy: %w", err)
		}
	}
	if proxy == nil {
		return u.dialer(networks)(ctx, "tcp", addr)
	}
	return u.dialThrough(ctx, proxy, addr)
}

// dialThrough asks the outer proxy for a tunnel (RFC 9110 section 9.3.6).
func (u *upstream) dialThrough(ctx context.Context, proxy *url.URL, addr string) (net.Conn, error) {
	conn, err := u.dialer(nil)(ctx, "tcp", proxyAddress(proxy))
	if err != nil {
		return nil, fmt.Errorf("outer proxy: %w", err)
	}
	if proxy.Scheme == "https" {
		c := u.tls().Clone()
		c.ServerName = proxy.Hostname()
		conn = tls.Client(conn, c)
	}
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
	}
	br := bufio.NewReader(conn)
	resp, err := roundTrip(conn, br, r)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("outer proxy: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = conn.Close()
		return nil, fmt.Errorf("outer proxy answered %q to CONNECT %s", resp.Status, addr)
	}
	_ = conn.SetDeadline(time.Time{})
	return &clientConn{Conn: conn, buffered: br}, nil
}

func roundTrip(conn net.Conn, br *bufio.Reader, r *http.Request) (*http.Response, error) {
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	return http.ReadResponse(br, r)
}

// close ends every idle connection.
func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range u.pools {
		t.CloseIdleConnections()
	}
}
