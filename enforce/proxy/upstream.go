package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/dialguard"
	"github.com/juliendoutre/proxaudit/policy"
)

// upstream holds the connections to the servers behind the proxy, pooled for
// the run. A pool is shared only by requests that may use each other's
// connections: see poolKey.
type upstream struct {
	guarded  bool
	resolver *net.Resolver
	outer    func(*url.URL) (*url.URL, error)
	roots    func() *x509.CertPool
	outers   func() map[string]bool // host:port of outer proxies
	certs    map[string]*tls.Certificate
	limits   Limits
	open     connSet

	mu    sync.Mutex
	pools map[poolKey]*pool
}

// pool holds the connections that may be shared. Reads over HTTP/1.1 go through
// direct, unless an outer proxy stands between; http.Transport does the rest.
type pool struct {
	*http.Transport
	direct *originPool // nil: none
}

// CloseIdleConnections closes those of both.
func (p *pool) CloseIdleConnections() {
	p.Transport.CloseIdleConnections()
	if p.direct != nil {
		p.direct.closeIdle()
	}
}

// poolKey tells apart what must not share connections, or TLS sessions, which
// carry what was proved on the connection that began them: a connection that one
// rule opened to a private address must not serve a request of another rule, and
// one on which a client certificate was shown serves its server alone.
type poolKey struct {
	networks string // that a rule opens; "" for none
	via      string // the outer proxy with its credentials; "" for none
	cert     string // host:port that gets a client certificate; "" for none
	secure   bool   // https
	http2    bool
}

const (
	maxIdlePerHost = 256
	maxIdle        = 1024             // in a pool
	longestIdle    = 90 * time.Second // servers close theirs after a minute or two
	maxSessions    = 64               // TLS sessions of a pool that can be resumed
	pingAfter      = longestIdle      // of silence on HTTP/2, to find out whether the server is still there
)

func newUpstream(c Config) *upstream {
	u := &upstream{
		guarded:  c.Gate.Mode == enforce.Enforce,
		resolver: c.Resolver,
		outer:    c.OuterProxy,
		certs:    c.ClientCertificates,
		limits:   c.Limits,
		pools:    map[poolKey]*pool{},
		roots: sync.OnceValue(func() *x509.CertPool {
			if c.Roots == nil {
				return nil
			}
			return c.Roots()
		}),
	}
	u.outers = sync.OnceValue(u.outerProxies)
	return u
}

// roundTrip sends r over a connection that may lead to networks besides the
// public ones. outside says that an outer proxy stood between. The server is
// spoken to in the version of HTTP that the client chose, as it would be without
// a proxy: for HTTP/1.1 that is also the fastest.
func (u *upstream) roundTrip(r *http.Request, networks []netip.Prefix, w originWatcher) (resp *http.Response, outside bool, err error) {
	if err := u.checkTarget(r.URL.Hostname(), portOf(r.URL), networks); err != nil {
		return nil, false, err
	}
	via, err := u.via(r.URL)
	if err != nil {
		return nil, true, err
	}
	p := u.pool(r.URL, networks, via, r.ProtoMajor == 2)
	if p.direct != nil && p.direct.takes(r) {
		resp, err = p.direct.roundTrip(r, w)
		return resp, false, err
	}
	resp, err = p.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn:        func(i httptrace.GotConnInfo) { w.connected(i.Conn.RemoteAddr().String()) },
		Got1xxResponse: w.got,
	})))
	if err == nil && via != nil && resp.StatusCode == http.StatusProxyAuthRequired {
		_ = resp.Body.Close() // meant for us: the client knows nothing of that proxy
		return nil, true, &outerError{proxy: proxyAddress(via), status: resp.Status, code: resp.StatusCode}
	}
	return resp, via != nil, err
}

// via returns the outer proxy for a URL, nil for none.
func (u *upstream) via(target *url.URL) (*url.URL, error) {
	if u.outer == nil {
		return nil, nil
	}
	proxy, err := u.outer(target)
	if err != nil {
		return nil, &outerError{err: err}
	}
	return proxy, nil
}

// pool returns the connections for requests to target.
func (u *upstream) pool(target *url.URL, networks []netip.Prefix, via *url.URL, http2 bool) *pool {
	key := poolKey{secure: target.Scheme == "https", http2: http2}
	for _, n := range networks {
		key.networks += n.String() + " "
	}
	if via != nil {
		key.via = via.String()
	}
	if key.secure && len(u.certs) > 0 {
		if server := net.JoinHostPort(target.Hostname(), portOf(target)); u.certs[server] != nil {
			key.cert = server
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	p, ok := u.pools[key]
	if !ok {
		p = &pool{Transport: u.transport(key, networks, via)}
		if via == nil && !http2 {
			p.direct = &originPool{dial: p.DialContext, limits: u.limits}
			if key.secure {
				p.direct.tls = p.TLSClientConfig
			}
		}
		u.pools[key] = p
	}
	return p
}

func (u *upstream) transport(key poolKey, networks []netip.Prefix, via *url.URL) *http.Transport {
	t := &http.Transport{
		DialContext:            u.dialer(networks),
		TLSClientConfig:        u.tls(),
		TLSHandshakeTimeout:    u.limits.HandshakeTimeout,
		ResponseHeaderTimeout:  u.limits.FirstByteTimeout,
		MaxResponseHeaderBytes: int64(u.limits.MaxHeaderBytes),
		ForceAttemptHTTP2:      key.http2,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        min(longestIdle, u.limits.IdleTimeout),
		DisableCompression:     true,
		ExpectContinueTimeout:  time.Second,
	}
	if key.http2 {
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: u.limits.HandshakeTimeout}
	} else {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	if cert := u.certs[key.cert]; cert != nil {
		t.TLSClientConfig.Certificates = []tls.Certificate{*cert}
	}
	switch {
	case via == nil:
	case key.secure || isSOCKS(via):
		t.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
			return u.dialThrough(ctx, via, addr)
		}
	default:
		// The proxy is asked in absolute form (RFC 9112 section 3.2.2), over a
		// connection that is ours to make.
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", User: via.User, Host: proxyAddress(via)})
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return u.dialOuter(ctx, via)
		}
	}
	return t
}

// tls returns a configuration that verifies servers, with a cache of sessions of
// its own.
func (u *upstream) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: u.roots(), ClientSessionCache: tls.NewLRUClientSessionCache(maxSessions)}
}

// checkTarget checks what can be told before anything is dialled: a host that is
// an address already, which the dialer would find out too, but not where an
// outer proxy dials in its stead; and that it is not the outer proxy itself,
// behind which nobody would decide.
func (u *upstream) checkTarget(host, port string, networks []netip.Prefix) error {
	if !u.guarded {
		return nil
	}
	if outers := u.outers(); len(outers) > 0 && outers[net.JoinHostPort(host, port)] {
		return &dialguard.Refused{Range: net.JoinHostPort(host, port) + " is the outer proxy, which carries what is allowed and is no server itself"}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil
	}
	return dialguard.Check(addr, networks)
}

// outerProxies returns the addresses of the outer proxies.
func (u *upstream) outerProxies() map[string]bool {
	addrs := map[string]bool{}
	for _, scheme := range [...]string{"https", "http"} {
		if via, err := u.via(&url.URL{Scheme: scheme, Host: "ok.invalid"}); err == nil && via != nil {
			addrs[strings.ToLower(proxyAddress(via))] = true
		}
	}
	return addrs
}

// portOf returns the effective port of an http or https URL.
func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), strconv.Itoa(int(policy.DefaultPort(u.Scheme))))
}

// dialer checks every address at the moment it is dialled, after resolution.
func (u *upstream) dialer(networks []netip.Prefix) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Timeout: u.limits.DialTimeout, Resolver: u.resolver}
	if u.guarded {
		d.ControlContext = dialguard.Control
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		return u.open.kept(d.DialContext(dialguard.WithNetworks(ctx, networks), network, addr))
	}
}

// dialTunnel connects to the destination of a connection that is not decrypted,
// through the outer proxy where there is one for it.
func (u *upstream) dialTunnel(ctx context.Context, q *policy.Request, networks []netip.Prefix) (net.Conn, error) {
	port := strconv.Itoa(int(q.Port))
	if err := u.checkTarget(q.Host, port, networks); err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(q.Host, port)
	via, err := u.via(&url.URL{Scheme: "https", Host: addr})
	if err != nil {
		return nil, err
	}
	if via == nil {
		return u.dialer(networks)(ctx, "tcp", addr)
	}
	return u.dialThrough(ctx, via, addr)
}

// close ends every connection. Nothing may be dialled after it.
func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range u.pools {
		p.CloseIdleConnections() // and the dials that no request waits for
	}
	u.open.cut() // an HTTP/2 connection is not idle until its last stream is cleaned up
}
