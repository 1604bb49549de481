package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/net/idna"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// httpBeginning is what sniff takes for HTTP, said another way.
var httpBeginning = regexp.MustCompile(`^[A-Z][A-Z-]{0,18} |` +
	`^(G(ET?)?|H(E(AD?)?)?|P(OST?|O|UT?|R(I)?|A(T(CH?)?)?)?|D(E(L(E(TE?)?)?)?)?|C(O(N(N(E(CT?)?)?)?)?)?|O(P(T(I(O(NS?)?)?)?)?)?|T(R(A(CE?)?)?)?)$`)

// FuzzSniff: what a connection holds does not depend on how its bytes were cut,
// nothing is consumed, and whatever net/http reads as a request of an ordinary
// method is taken for one.
func FuzzSniff(f *testing.F) {
	for _, seed := range []string{
		"", "\x16\x03\x01", "GET / HTTP/1.1\r\n\r\n", "M-SEARCH * HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"SSH-2.0-x\r\n", "GET\t/", " GET /", "get / HTTP/1.1\r\n\r\n", "-GET /", "ABCDEFGHIJKLMNOPQRST /", "A", "GE", "\x00", "\r\nGET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		br := bufio.NewReaderSize(bytes.NewReader(data), 4<<10)
		held, err := sniff(br)
		slow, slowErr := sniff(bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(data)), 4<<10))
		if held != slow || (err == nil) != (slowErr == nil) {
			t.Fatalf("%q is %d at once, %d byte by byte", data, held, slow)
		}
		want := holdsOther
		switch {
		case len(data) == 0:
			want = holdsNothing
		case data[0] == 22: // RFC 8446 section 5.1
			want = holdsTLS
		case httpBeginning.Match(data):
			want = holdsHTTP
		}
		if held != want {
			t.Fatalf("%q is %d, want %d", data, held, want)
		}
		if rest, _ := io.ReadAll(br); !bytes.Equal(rest, data) {
			t.Fatalf("%q became %q", data, rest)
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
		if err == nil && held != holdsHTTP && len(r.Method) < longestMethod && strings.Trim(r.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" &&
			bytes.HasPrefix(data, []byte(r.Method)) { // net/http skips empty lines in front
			t.Fatalf("%q is a request to net/http and %d here", data, held)
		}
	})
}

// fuzzed is a proxy under a policy that allows one host at the origin's ports,
// and stamps what it allows with what it judged. The origin compares.
type fuzzed struct {
	proxy  *Proxy
	origin *origin
	names  *nameServer
	jail   *jail
	wrong  atomic.Pointer[string]
	leaves chan string // names that certificates were made for
}

const stamp = "X-Judged"

func newFuzzed(f *testing.F) *fuzzed {
	z := &fuzzed{names: newNameServer(f), leaves: make(chan string, 64)}
	z.origin = newOrigin(f, z)
	z.jail = &jail{names: map[netip.Addr]string{okAddr: "ok.test", evilAddr: "evil.test"}}
	authority, err := ca.New()
	if err != nil {
		f.Fatal(err)
	}
	z.proxy = New(Config{
		Gate: &enforce.Gate{Mode: enforce.Enforce, Policy: policy.Func(z.decide), Recorder: discard{}},
		Leaf: func(host string) (*tls.Certificate, error) {
			select {
			case z.leaves <- host:
			default:
			}
			return authority.Leaf(host)
		},
		Capture:  z.jail,
		Evidence: true,
		Roots:    func() *x509.CertPool { return z.origin.roots },
		Resolver: z.names.resolver(),
		Limits:   Limits{MaxHeaderBytes: 64 << 10, FirstByteTimeout: 20 * time.Second},
	})
	f.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		z.proxy.Shutdown(ctx)
	})
	return z
}

type discard struct{}

func (discard) Record(enforce.Event) error { return nil }

func (z *fuzzed) decide(_ context.Context, r *policy.Request) (policy.Decision, error) {
	secure := int(r.Port) == z.origin.port && (r.Scheme == "https" || r.Scheme == "wss")
	plain := int(r.Port) == z.origin.plainPort && (r.Scheme == "http" || r.Scheme == "ws")
	if r.Host != "ok.test" || r.Method == http.MethodConnect || !secure && !plain {
		return policy.Decision{Default: true, Reason: "no rule matches"}, nil
	}
	http.Header(r.Header).Set(stamp, spell(r.Method, r.Host, r.Path, r.Query))
	return policy.Decision{Action: policy.Allow, Rule: "test:1", Networks: loopback}, nil
}

// spell is a field value that stands for one request.
func spell(method, host, path, query string) string {
	return strconv.QuoteToASCII(method + " " + host + path + "?" + query)
}

// ServeHTTP is the origin: what it is asked for must be what was judged.
func (z *fuzzed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, port, err := hostname.ParseAuthority(r.Host)
	wantPort := z.origin.plainPort
	if r.TLS != nil {
		wantPort = z.origin.port
	}
	path, pathErr := policy.CanonicalPath(r.URL.EscapedPath())
	seen := spell(r.Method, host, path, r.URL.RawQuery)
	if judged := r.Header.Get(stamp); err != nil || pathErr != nil || int(port) != wantPort || seen != judged || len(r.Header[stamp]) != 1 {
		s := fmt.Sprintf("judged %q, the origin received %q at %q (%v, %v)", judged, seen, r.Host, err, pathErr)
		z.wrong.Store(&s)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, "reached")
}

// check fails the test when anything but ok.test was asked for, by name or by
// request.
func (z *fuzzed) check(t *testing.T, in string) {
	t.Helper()
	if s := z.wrong.Swap(nil); s != nil {
		t.Fatalf("%q: %s", in, *s)
	}
	if name := z.names.other.Swap(nil); name != nil {
		t.Fatalf("%q: the name %s was looked up", in, *name)
	}
}

// monologue is a client that says what it has to say and then listens until the
// proxy has done with it.
type monologue struct {
	mu       sync.Mutex
	woken    *sync.Cond
	left     []byte
	heard    bytes.Buffer
	expired  bool
	closed   bool
	finished chan struct{} // closed when the proxy hung up, or half
	once     sync.Once
	local    net.Addr
}

func newMonologue(data []byte, local netip.AddrPort) *monologue {
	m := &monologue{left: data, finished: make(chan struct{}), local: net.TCPAddrFromAddrPort(local)}
	m.woken = sync.NewCond(&m.mu)
	return m
}

// Read gives what is left, then the end. While a handler runs, net/http reads to
// learn whether the client is still there: it is.
func (m *monologue) Read(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		switch {
		case m.closed:
			return 0, net.ErrClosed
		case m.expired:
			return 0, os.ErrDeadlineExceeded
		case len(m.left) > 0:
			n := copy(b, m.left)
			m.left = m.left[n:]
			return n, nil
		case len(b) != 1 || !inBackground():
			return 0, io.EOF
		}
		m.woken.Wait()
	}
}

// inBackground reports whether it is called by the read that net/http begins beside
// a handler. A bufio.Reader that is nearly full asks for a single byte as well.
func inBackground() bool {
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "net/http.(*connReader).backgroundRead") {
			return true
		}
		if !more {
			return false
		}
	}
}

func (m *monologue) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, net.ErrClosed
	}
	return m.heard.Write(b)
}

func (m *monologue) set(f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	m.woken.Broadcast()
	return nil
}

func (m *monologue) Close() error {
	defer m.once.Do(func() { close(m.finished) })
	return m.set(func() { m.closed = true })
}

// CloseWrite is the last that net/http does before it waits for a client that
// was refused to hang up, for half a second.
func (m *monologue) CloseWrite() error {
	m.once.Do(func() { close(m.finished) })
	return nil
}

func (m *monologue) SetReadDeadline(d time.Time) error {
	return m.set(func() { m.expired = !d.IsZero() && time.Until(d) <= 0 })
}

func (m *monologue) SetDeadline(d time.Time) error    { return m.SetReadDeadline(d) }
func (m *monologue) SetWriteDeadline(time.Time) error { return nil }
func (m *monologue) LocalAddr() net.Addr              { return m.local }
func (m *monologue) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(198, 18, 0, 9), Port: 9} }

// hear serves a monologue to its end.
func (z *fuzzed) hear(t *testing.T, data []byte, local netip.AddrPort) *monologue {
	m := newMonologue(data, local)
	z.proxy.arrive(m, z.proxy.conns.admit(m, z.proxy.closing))
	select {
	case <-m.finished:
	case <-time.After(time.Minute):
		t.Fatalf("%q: the proxy has not done with it after a minute", data)
	}
	return m
}

// ports replaces %p and %s by the origin's plain and secure ports.
func (z *fuzzed) ports(s string) string {
	return strings.NewReplacer("%p", strconv.Itoa(z.origin.plainPort), "%s", strconv.Itoa(z.origin.port)).Replace(s)
}

// FuzzHead sends bytes of any kind to every entrance that needs no TLS: to the
// proxy as such, to it inside a tunnel, and captured. Whatever they are, the one
// name that is looked up is the allowed one, and what the origin receives is what
// the policy was asked about.
func FuzzHead(f *testing.F) {
	for _, s := range headSeeds {
		for entrance := range uint8(4) {
			f.Add(entrance, []byte(s))
		}
	}
	z := newFuzzed(f)
	reached := z.hear(&testing.T{}, []byte(z.ports("GET http://ok.test:%p/a?b HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n")), netip.AddrPortFrom(jailAddr, 1))
	if !strings.HasSuffix(reached.heard.String(), "reached") {
		f.Fatalf("what is allowed does not arrive: %q", reached.heard.String())
	}
	f.Fuzz(func(t *testing.T, entrance uint8, data []byte) {
		in := z.ports(string(data))
		local := netip.AddrPortFrom(jailAddr, 1)
		switch entrance % 4 {
		case 1:
			in = z.ports("CONNECT ok.test:%p HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n") + in
		case 2:
			local = netip.AddrPortFrom(okAddr, uint16(z.origin.plainPort))
		case 3:
			local = netip.AddrPortFrom(evilAddr, uint16(z.origin.plainPort))
		}
		z.hear(t, []byte(in), local)
		z.check(t, in)
	})
}

// headSeeds are requests that two programs could read in two ways.
var headSeeds = []string{
	"GET http://ok.test:%p/ HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET /a%2fb?c=d HTTP/1.1\r\nHost: ok.test:%p\r\n\r\nGET /2 HTTP/1.1\r\nHost: evil.test:%p\r\n\r\n",
	"GET http://evil.test:%p/ HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET http://ok.test:%p@evil.test:%p/ HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET //evil.test:%p/ HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET http://OK.test.:%p/%61 HTTP/1.1\r\nHost: o\u212a.test:%p\r\n\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"GET ok.test:%p/ HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"CONNECT evil.test:%p HTTP/1.1\r\nHost: ok.test:%p\r\n\r\nGET / HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"CONNECT ok.test:%p HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: evil.test:%p\r\n\r\n",
	"CONNECT ok.test:%p HTTP/1.1\r\n\r\nCONNECT evil.test:%p HTTP/1.1\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: ok.test:%p\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: ok.test:%p\r\nTransfer-Encoding: chunked\r\n\r\n1;x=\"\n\"\r\na\r\n0\r\nHost: evil.test\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nHost: evil.test:%p\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\n Host: evil.test:%p\r\n\r\n",
	"GET / HTTP/1.1\nHost: ok.test:%p\n\nGET /2 HTTP/1.1\nHost: evil.test:%p\n\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nConnection: X-Judged, Upgrade, HTTP2-Settings\r\nX-Judged: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
	"GET /a/../b%2e%2e/%252e HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET /a\\..\\b?x#y HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET http:ok.test:%p HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET http://[::ffff:127.0.0.1]:%p/ HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"POST http://ok.test:%p/ HTTP/1.1\r\nHost: ok.test:%p\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nX-HTTP-Method-Override: PUT\r\nX-Original-URL: /b\r\nTrailer: Host\r\n\r\n",
	"GET http:* HTTP/1.0\r\nHost: ok.test:%p\r\n\r\n",
	"GET http:admin%2Fdelete HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"SSH-2.0-x\r\n", "\x16\x03\x01\x00\x01\x01", "",
	"GET /" + strings.Repeat("a", 4<<10-1-len("GET /")), // to the last byte but one of net/http's buffer
}

// FuzzClientHello sends bytes of any kind to where a TLS client hello is awaited.
// A certificate is made only for a name in canonical form that the tunnel leads
// to or that the bytes hold, and a handshake alone looks nothing up.
func FuzzClientHello(f *testing.F) {
	for _, c := range []*tls.Config{
		{ServerName: "ok.test"}, {ServerName: "OK.test."}, {ServerName: "evil.test", NextProtos: []string{"h2", "http/1.1"}},
		{ServerName: "127.0.0.1"}, {ServerName: "a b"}, {ServerName: "bücher.test"}, {ServerName: "*.test"}, {ServerName: "0x7f.1"},
		{ServerName: "ok.test", MaxVersion: tls.VersionTLS12}, {ServerName: "ok.test\x00.evil.test"},
	} {
		f.Add(clientHello(c))
	}
	f.Add([]byte{recordTypeHandshake, 3, 1, 0, 5, 1, 0, 0, 1, 0})
	z := newFuzzed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || data[0] != recordTypeHandshake {
			return // another kind of connection
		}
		before := z.origin.accepted.Load()
		z.hear(t, data, netip.AddrPortFrom(okAddr, 443))
		z.check(t, string(data))
		if z.names.asked.Load() != 0 || z.origin.accepted.Load() != before {
			t.Fatalf("%x: a handshake reached out", data)
		}
		for {
			select {
			case name := <-z.leaves:
				if again, err := hostname.Canonical(name); err != nil || again != name {
					t.Fatalf("%x: a certificate for %q", data, name)
				}
				if name != "ok.test" && !strings.Contains(name, "xn--") && !bytes.Contains(bytes.ToLower(data), []byte(name)) && !holdsNonASCII(data) {
					t.Fatalf("%x: a certificate for %q, which nobody named", data, name)
				}
				continue
			default:
			}
			break
		}
	})
}

// holdsNonASCII reports whether a name in data may be mapped to another one.
func holdsNonASCII(data []byte) bool {
	name := data
	if i := bytes.Index(data, []byte{0, 0, 0}); i >= 0 {
		name = data[i:]
	}
	return bytes.ContainsFunc(name, func(r rune) bool { return r > 0x7f })
}

// clientHello is the first that a client of c sends.
func clientHello(c *tls.Config) []byte {
	c.InsecureSkipVerify = true
	client, server := net.Pipe()
	go func() { _ = tls.Client(client, c).Handshake(); _ = client.Close() }()
	buf := make([]byte, 16<<10)
	n, _ := server.Read(buf)
	_ = server.Close()
	return buf[:n]
}

// FuzzTunnel opens a tunnel to one name, shakes hands for a second and asks for a
// third. The origin hears of it only where an independent reader finds the three
// to be the allowed host; and it hears what the policy was asked about.
func FuzzTunnel(f *testing.F) {
	for _, h2 := range []bool{false, true} {
		f.Add("ok.test:%s", "ok.test", "ok.test:%s", "/a?b", h2)
		f.Add("OK.test.:%s", "", "Ok.Test.:%s", "/a%2fb", h2)
		f.Add("ok.test:%s", "evil.test", "ok.test:%s", "/", h2)
		f.Add("ok.test:%s", "ok.test", "evil.test:%s", "/", h2)
		f.Add("evil.test:%s", "ok.test", "ok.test:%s", "/", h2)
		f.Add("ok.test:%s", "ok.test", "ok.test", "/a/..;/b", h2)
		f.Add("ok.test:%s", "o\u212a.test", "ok.test:%s@evil.test", "//evil.test/%2e", h2)
		f.Add("ok.test:%s", "ｏｋ.test", "ok。test:%s", "http://evil.test/", h2)
		f.Add("ok.test:%s", "127.0.0.1", "", "*", h2)
		f.Add("[::1]:%s", "::1", "[::1]:%s", "", h2)
	}
	z := newFuzzed(f)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	for _, h2 := range []bool{false, true} {
		if z.visit(l, z.ports("ok.test:%s"), "ok.test", z.ports("ok.test:%s"), "/", h2); z.takeReceived() != 1 {
			f.Fatalf("what is allowed does not arrive, h2=%v", h2)
		}
	}
	f.Fuzz(func(t *testing.T, connect, sni, authority, path string, h2 bool) {
		connect, authority = z.ports(connect), z.ports(authority)
		if strings.ContainsAny(connect, " \r\n") || !h2 && strings.ContainsAny(authority+path, " \r\n") {
			return // would be other requests: see FuzzHead
		}
		z.visit(l, connect, sni, authority, path, h2)
		in := fmt.Sprintf("CONNECT %q, SNI %q, authority %q, path %q, h2 %v", connect, sni, authority, path, h2)
		z.check(t, in)
		allowed := net.JoinHostPort("ok.test", strconv.Itoa(z.origin.port))
		named := sentName(sni) == "" || sameHost(sentName(sni), "ok.test")
		asked := authority == "" || sameAuthority(authority, allowed) || strings.HasPrefix(path, "https://")
		if n := z.takeReceived(); n > 1 || n == 1 && !(sameAuthority(connect, allowed) && named && asked) {
			t.Fatalf("%s: the origin received %d requests", in, n)
		}
	})
}

// visit makes one request the whole way.
func (z *fuzzed) visit(l net.Listener, connect, sni, authority, path string, h2 bool) {
	client, server, err := pair(l)
	if err != nil {
		return
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		c := &jailedConn{Conn: server, local: net.TCPAddrFromAddrPort(netip.AddrPortFrom(jailAddr, 1))}
		z.proxy.arrive(c, z.proxy.conns.admit(c, z.proxy.closing))
	}()
	_, _ = io.WriteString(client, "CONNECT "+connect+" HTTP/1.1\r\nHost: ok.test\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReaderSize(client, 16), &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != http.StatusOK {
		return
	}
	proto := "http/1.1"
	if h2 {
		proto = "h2"
	}
	secure := tls.Client(client, &tls.Config{ServerName: sni, InsecureSkipVerify: true, NextProtos: []string{proto}})
	if secure.Handshake() != nil {
		return
	}
	if !h2 {
		_, _ = io.WriteString(secure, "GET "+path+" HTTP/1.1\r\nHost: "+authority+"\r\nConnection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, secure)
		return
	}
	_ = visitHTTP2(secure, authority, path)
}

// visitHTTP2 makes one request and waits for the end of its stream, or of all.
func visitHTTP2(c net.Conn, authority, path string) error {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, h := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", authority}, {":path", path}} {
		_ = e.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	if block.Len() > 16<<10 {
		return nil
	}
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.SetMaxReadFrameSize(1 << 20)
	err := errors.Join(f.WriteSettings(), f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}))
	for err == nil {
		var frame http2.Frame
		frame, err = f.ReadFrame()
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return nil
		case *http2.DataFrame:
			if frame.StreamEnded() {
				return nil
			}
		case *http2.HeadersFrame:
			if frame.StreamEnded() {
				return nil
			}
		}
	}
	return err
}

// pair returns the two ends of a connection.
func pair(l net.Listener) (client, server net.Conn, err error) {
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	if server, err = l.Accept(); err != nil {
		_ = client.Close()
	}
	return client, server, err
}

// takeReceived returns how many requests the origin got, and forgets them.
func (z *fuzzed) takeReceived() int {
	z.origin.mu.Lock()
	defer z.origin.mu.Unlock()
	n := len(z.origin.received)
	z.origin.received = nil
	return n
}

// sentName is the server name that crypto/tls sends for sni: none for addresses.
func sentName(sni string) string {
	host := strings.TrimSuffix(strings.TrimPrefix(sni, "["), "]")
	if i := strings.LastIndexByte(host, '%'); i > 0 {
		host = host[:i]
	}
	if net.ParseIP(host) != nil {
		return ""
	}
	return strings.TrimRight(sni, ".")
}

func sameAuthority(authority, want string) bool {
	host, port, err := net.SplitHostPort(authority)
	wantHost, wantPort, _ := net.SplitHostPort(want)
	return err == nil && port == wantPort && sameHost(host, wantHost)
}

// sameHost says what a browser would: whether both are one name to look up.
func sameHost(host, want string) bool {
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	return err == nil && strings.TrimSuffix(name, ".") == want
}
