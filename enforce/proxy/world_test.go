package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/policy"
)

// world is a proxy between a client and an origin server, with eyes on all that
// may not happen: names resolved, connections accepted, requests received.
type world struct {
	t      *testing.T
	proxy  *Proxy
	addr   string // of the proxy
	gate   *gate  // in front of it; nil where connections arrive captured
	origin *origin
	names  *nameServer
	events *memory
	roots  *x509.CertPool // the run's CA
	ca     *x509.Certificate
}

// patience is how long a test waits for what must happen: longer than a machine on
// which everything else comes first takes, and less than the test program may.
const patience = 2 * time.Minute

// gate holds back, while it is shut, the connections that were accepted: what a
// client says meanwhile is there before anybody's time for it begins.
type gate struct {
	net.Listener
	shut sync.Mutex
}

func (g *gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	g.shut.Lock()
	defer g.shut.Unlock()
	return c, err
}

// loopback is what the tests' allow decisions open.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// allowHost is a policy that allows every request to a host, on loopback.
func allowHost(host string) policy.Policy {
	return policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Host == host && r.Method != http.MethodConnect && r.Scheme != "tcp" {
			return policy.Decision{Action: policy.Allow, Rule: "test:1", Networks: loopback}, nil
		}
		return policy.Decision{Default: true, Reason: "no rule matches"}, nil
	})
}

func newWorld(t *testing.T, mode enforce.Mode, p policy.Policy, h http.Handler, change ...func(*Config)) *world {
	t.Helper()
	authority, err := ca.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, events: &memory{}, names: newNameServer(t), origin: newOrigin(t, h), roots: x509.NewCertPool()}
	w.roots.AddCert(authority.Certificate())
	c := Config{
		Gate:     &enforce.Gate{Mode: mode, Policy: p, Recorder: w.events, Propose: (*policy.Request).Line},
		Leaf:     authority.Leaf,
		Evidence: true,
		Roots:    func() *x509.CertPool { return w.origin.roots },
		Resolver: w.names.resolver(),
	}
	for _, f := range change {
		f(&c)
	}
	w.proxy = New(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr, w.gate = l.Addr().String(), &gate{Listener: l}
	w.start(w.gate)
	return w
}

// start lets the proxy serve l until the test is over, and no longer.
func (w *world) start(l net.Listener) {
	served := make(chan error, 1)
	go func() { served <- w.proxy.Serve(l) }()
	w.t.Cleanup(func() {
		w.shutdownWithin(5 * time.Second)
		if err := await(w.t, served); err != nil {
			w.t.Errorf("Serve: %v", err)
		}
	})
}

// shutdown waits until what is under way has ended and every event is recorded. It
// may be called twice.
func (w *world) shutdown() { w.shutdownWithin(patience / 2) }

// shutdownWithin is shutdown with another time for what is under way.
func (w *world) shutdownWithin(grace time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	down := make(chan struct{})
	go func() { defer close(down); w.proxy.Shutdown(ctx) }()
	await(w.t, down)
}

// client speaks through the proxy and trusts the run's CA.
func (w *world) client(h2 bool) *http.Client {
	tr := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: w.addr}),
		TLSClientConfig:   &tls.Config{RootCAs: w.roots},
		ForceAttemptHTTP2: h2,
	}
	if !h2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// url is a URL at the origin's TLS or plain port, under any name.
func (w *world) url(scheme, host, path string) string {
	port := w.origin.port
	if scheme == "http" {
		port = w.origin.plainPort
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port)) + path
}

// untouched fails the test unless nothing was resolved and nothing dialled.
func (w *world) untouched() {
	w.t.Helper()
	if n := w.origin.accepted.Load(); n != 0 {
		w.t.Errorf("the origin accepted %d connections, want 0", n)
	}
	if n := w.names.asked.Load(); n != 0 {
		w.t.Errorf("the name server was asked %d times, want 0", n)
	}
}

// get fetches u and returns status and body.
func get(t *testing.T, c *http.Client, u string) (int, string) {
	t.Helper()
	resp, err := c.Get(u)
	if err != nil {
		t.Fatalf("GET %s: %v", u, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: body: %v", u, err)
	}
	return resp.StatusCode, string(body)
}

// memory keeps events.
type memory struct {
	mu      sync.Mutex
	events  []enforce.Event
	fail    error
	arrived chan struct{} // of a test that waits for the first event; nil for none
}

func (m *memory) Record(ev enforce.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, ev)
	if m.arrived != nil && len(m.events) == 1 {
		close(m.arrived)
	}
	return m.fail
}

func (m *memory) of(stage enforce.Stage) []enforce.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []enforce.Event
	for _, ev := range m.events {
		if ev.Stage == stage {
			out = append(out, ev)
		}
	}
	return out
}

func (m *memory) all() []enforce.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// one returns the only event of a stage.
func (m *memory) one(t *testing.T, stage enforce.Stage) enforce.Event {
	t.Helper()
	all := m.of(stage)
	if len(all) != 1 {
		t.Fatalf("%d events of stage %s, want 1: %+v", len(all), stage, all)
	}
	return all[0]
}

// origin is a server on a TLS and a plain port that counts what reaches it. Its
// certificate holds for ok.test, evil.test and 127.0.0.1.
type origin struct {
	port, plainPort int
	authority       *ca.Authority // of its certificates
	roots           *x509.CertPool
	accepted        atomic.Int64
	mu              sync.Mutex
	received        []string // "METHOD host RequestURI"
}

func newOrigin(t testing.TB, h http.Handler) *origin {
	t.Helper()
	authority, err := ca.New()
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{roots: x509.NewCertPool(), authority: authority}
	o.roots.AddCert(authority.Certificate())
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.received = append(o.received, r.Method+" "+r.Host+" "+r.RequestURI)
		o.mu.Unlock()
		h.ServeHTTP(w, r)
	})
	start := func(secure bool) int {
		s := httptest.NewUnstartedServer(counted)
		s.EnableHTTP2 = true
		s.Config.ErrorLog = discardLog()
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				o.accepted.Add(1)
			}
		}
		if secure {
			s.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				name := hello.ServerName
				if name == "" {
					name = "127.0.0.1"
				}
				return authority.Leaf(name)
			}}
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		return s.Listener.Addr().(*net.TCPAddr).Port
	}
	o.port, o.plainPort = start(true), start(false)
	return o
}

func (o *origin) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.received...)
}

// nameServer says 127.0.0.1 to every question and counts them. What mute.test is
// it says when the test is over.
type nameServer struct {
	conn  net.PacketConn
	asked atomic.Int64
	other atomic.Pointer[string] // a name other than ok.test that was asked for
	muted chan struct{}          // gets a token for each question about mute.test
	over  chan struct{}
	wg    sync.WaitGroup
}

func newNameServer(t testing.TB) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn, muted: make(chan struct{}, 8), over: make(chan struct{})}
	go s.serve()
	t.Cleanup(func() { close(s.over); s.wg.Wait(); _ = conn.Close() })
	return s
}

func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func (s *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		s.asked.Add(1)
		q := m.Questions[0]
		if name := q.Name.String(); name != "ok.test." {
			s.other.Store(&name)
		}
		m.Header = dnsmessage.Header{ID: m.Header.ID, Response: true, Authoritative: true, RecursionAvailable: true}
		m.Additionals = nil
		if q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
		out, err := m.Pack()
		if err != nil {
			continue
		}
		if q.Name.String() == "mute.test." {
			s.wg.Go(func() { <-s.over; _, _ = s.conn.WriteTo(out, from) })
			s.muted <- struct{}{}
			continue
		}
		_, _ = s.conn.WriteTo(out, from)
	}
}

// text answers every request with a fixed body.
func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.Copy(w, bytes.NewReader([]byte(s)))
	})
}
