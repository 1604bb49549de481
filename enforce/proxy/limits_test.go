package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// A limit that a test is about is set to next to nothing, and the test waits for
// what must happen. None measures how long that took: where the limit does not
// work, the peer's own deadline fails the test. A limit holds for those who behave
// as well: what they say is there before their time begins, see gate.
const (
	short   = 50 * time.Millisecond
	overdue = 20 * time.Second // of an end that the limit brings; every default is longer
)

func limit(l Limits) func(*Config) { return func(c *Config) { c.Limits = l } }

// dial connects to the proxy.
func (w *world) dial() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// dialSaying is dial, with something said before the proxy looks.
func (w *world) dialSaying(first string) net.Conn {
	w.t.Helper()
	w.gate.shut.Lock()
	defer w.gate.shut.Unlock()
	conn := w.dial()
	_, _ = io.WriteString(conn, first)
	return conn
}

// tunnelTLS shakes hands with ok.test:443, with a CONNECT and a ClientHello that
// are there before the proxy looks.
func (w *world) tunnelTLS(protocols ...string) net.Conn {
	w.t.Helper()
	w.gate.shut.Lock()
	conn := &earlyConn{Conn: w.dial(), head: "CONNECT ok.test:443 HTTP/1.1\r\nHost: ok.test:443\r\n\r\n", sent: w.gate.shut.Unlock}
	secure := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "ok.test", NextProtos: protocols})
	if err := secure.Handshake(); err != nil {
		w.t.Fatalf("handshake: %v", err)
	}
	return secure
}

// serves fails the test unless a client that behaves gets its answer.
func (w *world) serves(t *testing.T, when string) {
	t.Helper()
	authority := fmt.Sprintf("ok.test:%d", w.origin.plainPort)
	conn := w.dialSaying("GET http://" + authority + "/ HTTP/1.1\r\nHost: " + authority + "\r\nConnection: close\r\n\r\n")
	defer conn.Close()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		t.Errorf("%s: %d, %v", when, resp.StatusCode, err)
	}
}

// ended reads until the proxy has closed conn.
func ended(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(overdue))
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection was not closed")
	}
}

// drip sends piece again and again until that fails.
func drip(t *testing.T, conn io.Writer, piece string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := io.WriteString(conn, piece); err != nil {
				return
			}
			time.Sleep(short / 25)
		}
	}()
	t.Cleanup(func() { <-done })
}

// happens waits for what other goroutines are about to do.
func happens(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// held returns how many connections of clients are counted.
func (w *world) held() int {
	w.proxy.conns.mu.Lock()
	defer w.proxy.conns.mu.Unlock()
	return w.proxy.conns.held
}

// sockets returns how many this process has open, 0 where the system does not
// say. Of the pipes that splice(2) goes through, Go keeps some for later.
func sockets() (n int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// rawPolicy lets raw TCP to a port of ok.test pass besides what allowHost allows.
func rawPolicy(port int) policy.Policy {
	return policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Scheme == "tcp" && r.Host == "ok.test" && int(r.Port) == port {
			return policy.Decision{Action: policy.Allow, Rule: "test:1", Passthrough: true, Networks: loopback}, nil
		}
		return allowHost("ok.test").Decide(ctx, r)
	})
}

// TestSlowAndSilentClients: each ends by itself and takes all it cost with it,
// and a client that behaves is served meanwhile.
func TestSlowAndSilentClients(t *testing.T) {
	echo := echoServer(t)
	for _, tt := range []struct {
		name   string
		limits Limits
		client func(t *testing.T, w *world) net.Conn // the connection that must end
	}{
		{"slow header", Limits{HeaderTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn := w.dial()
			_, _ = io.WriteString(conn, "GET http://ok.test/ HTTP/1.1\r\nHost: ok.test\r\nX: ")
			drip(t, conn, "x")
			return conn
		}},
		{"slow header in a tunnel", Limits{HeaderTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn := w.tunnelTLS()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: ok.test\r\nX: ")
			drip(t, conn, "x")
			return conn
		}},
		{"slow header on HTTP/2", Limits{IdleTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn, framer := w.http2(t)
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0}})
			return conn
		}},
		{"nothing at all", Limits{HeaderTimeout: short}, func(_ *testing.T, w *world) net.Conn { return w.dial() }},
		{"silent CONNECT", Limits{IdleTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn := w.dial()
			roundTripRaw(t, conn, "CONNECT ok.test:443 HTTP/1.1\r\nHost: ok.test:443\r\n\r\n")
			return conn
		}},
		{"silent CONNECT to another port", Limits{IdleTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn := w.dial()
			roundTripRaw(t, conn, "CONNECT ok.test:22 HTTP/1.1\r\nHost: ok.test:22\r\n\r\n")
			return conn
		}},
		{"first bytes one by one", Limits{IdleTimeout: short, HeaderTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn := w.dial()
			roundTripRaw(t, conn, "CONNECT ok.test:443 HTTP/1.1\r\nHost: ok.test:443\r\n\r\n")
			_, _ = io.WriteString(conn, "GE")
			return conn
		}},
		{"half a TLS handshake", Limits{HandshakeTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn := w.dial()
			roundTripRaw(t, conn, "CONNECT ok.test:443 HTTP/1.1\r\nHost: ok.test:443\r\n\r\n")
			_, _ = io.WriteString(conn, "\x16\x03\x01\x02\x00\x01\x00")
			return conn
		}},
		{"a TLS handshake and no more", Limits{IdleTimeout: short, HeaderTimeout: short}, func(_ *testing.T, w *world) net.Conn {
			return w.tunnelTLS()
		}},
		{"idle after a request", Limits{IdleTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn := w.dial()
			w.ask(t, conn)
			return conn
		}},
		{"idle HTTP/2", Limits{IdleTimeout: short}, func(t *testing.T, w *world) net.Conn {
			conn, _ := w.http2(t)
			return conn
		}},
		{"silent tunnel", Limits{TunnelTimeout: short}, func(t *testing.T, w *world) net.Conn {
			if runtime.GOOS != "linux" {
				t.Skip("only Linux says when a socket last received")
			}
			authority := fmt.Sprintf("ok.test:%d", echo)
			conn := w.dialSaying("CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n\x00ping")
			happens(t, "the tunnel was let through", func() bool {
				evs := w.events.of(enforce.StageTCP)
				return len(evs) == 1 && evs[0].Action == policy.Allow
			})
			return conn
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, rawPolicy(echo), text("x"), limit(tt.limits))
			w.serves(t, "before")
			w.hangUp()
			happens(t, "the good client's connection is gone", func() bool { return w.held() == 0 })
			running, open := goleak.IgnoreCurrent(), sockets()
			conn := tt.client(t, w)
			w.serves(t, "meanwhile")
			ended(t, conn)
			_ = conn.Close()
			w.hangUp()
			happens(t, "every place was given back", func() bool { return w.held() == 0 })
			happens(t, "every socket was closed", func() bool { return sockets() <= open })
			goleak.VerifyNone(t, running)
		})
	}
}

// ask makes one plain request on conn and reads the answer.
func (w *world) ask(t *testing.T, conn net.Conn) {
	t.Helper()
	authority := fmt.Sprintf("ok.test:%d", w.origin.plainPort)
	_, _ = io.WriteString(conn, "GET http://"+authority+"/ HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
}

// http2 opens a connection of HTTP/2 in a tunnel.
func (w *world) http2(t *testing.T) (net.Conn, *http2.Framer) {
	t.Helper()
	secure := w.tunnelTLS("h2")
	_, _ = io.WriteString(secure, http2.ClientPreface)
	framer := http2.NewFramer(secure, secure)
	_ = framer.WriteSettings()
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			_ = framer.WriteSettingsAck()
			return secure, framer
		}
	}
}

// echoServer sends back what it gets, and returns its port.
func echoServer(t *testing.T) int {
	return rawServer(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
}

// rawServer hands each connection to serve, and closes it then.
func rawServer(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { serve(c); _ = c.Close() }()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// TestSlowAndSilentServers: the client is told which limit it was, the server's
// connection is closed, and nothing is left of the request.
func TestSlowAndSilentServers(t *testing.T) {
	forever := func(piece string) func(net.Conn) {
		return func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, piece); err != nil {
					return
				}
				time.Sleep(short / 25)
			}
		}
	}
	silent := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	deaf := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		<-over
		return nil, net.ErrClosed
	}}
	for _, tt := range []struct {
		name, scheme string
		limits       Limits
		serve        func(net.Conn)
		resolver     *net.Resolver
		status       int
		flag         string
	}{
		{"no answer", "http", Limits{FirstByteTimeout: short}, silent, nil, 504, "-first-byte-timeout"},
		{"a header in drops", "http", Limits{FirstByteTimeout: short}, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
			forever("x")(c)
		}, nil, 504, "-first-byte-timeout"},
		{"interim responses for ever", "http", Limits{FirstByteTimeout: short}, forever("HTTP/1.1 103 Early Hints\r\n\r\n"), nil, 0, ""},
		{"no TLS", "https", Limits{HandshakeTimeout: short}, silent, nil, 504, "-handshake-timeout"},
		{"the name's server is silent", "http", Limits{DialTimeout: short}, silent, deaf, 504, "-dial-timeout"},
		{"a header without end", "http", Limits{}, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
			forever(strings.Repeat("x", 64<<10))(c)
		}, nil, 502, "-max-header"},
		{"a long header", "http", Limits{}, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "+strings.Repeat("x", 512<<10)+"\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		}, nil, 502, "-max-header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			served := make(chan struct{}, 8)
			port := rawServer(t, func(c net.Conn) { tt.serve(c); served <- struct{}{} })
			w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), limit(tt.limits), func(c *Config) {
				if tt.resolver != nil {
					c.Resolver = tt.resolver
				}
			})
			// The whole URL: a handshake with the client is none of these servers' business.
			conn := w.dial()
			_, _ = fmt.Fprintf(conn, "GET %s://ok.test:%d/ HTTP/1.1\r\nHost: ok.test\r\n\r\n", tt.scheme, port)
			status, body := final(t, conn)
			if tt.status != 0 && status != tt.status || status < 500 || !strings.Contains(body, tt.flag) {
				t.Errorf("got %d %q", status, body)
			}
			if tt.resolver == nil {
				select {
				case <-served:
				case <-time.After(overdue):
					t.Error("the server's connection was not closed")
				}
			}
			happens(t, "the turn was given back", func() bool { return len(w.proxy.turns) == 0 })
		})
	}
}

// final reads responses until one that is not interim.
func final(t *testing.T, conn net.Conn) (status int, body string) {
	t.Helper()
	for br := bufio.NewReader(conn); status < 200; {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		status, body = resp.StatusCode, string(b)
	}
	return status, body
}

// TestHugeHeader: 64 MiB of header are not read, by any way in.
func TestHugeHeader(t *testing.T) {
	const size = 64 << 20
	piece := bytes.Repeat([]byte("x"), 16<<10)
	pour := func(conn net.Conn, head string) (written int) {
		n, err := io.WriteString(conn, head)
		for written = n; err == nil && written < size; written += n {
			n, err = conn.Write(piece)
		}
		return written
	}
	for name, client := range map[string]func(t *testing.T, w *world) (written int){
		"to the proxy": func(_ *testing.T, w *world) int {
			return pour(w.dial(), "GET http://ok.test/ HTTP/1.1\r\nHost: ok.test\r\nX: ")
		},
		"as a request line": func(_ *testing.T, w *world) int { return pour(w.dial(), "GET http://ok.test/") },
		"in CONNECT": func(_ *testing.T, w *world) int {
			return pour(w.dial(), "CONNECT ok.test:443 HTTP/1.1\r\nHost: ok.test\r\nX: ")
		},
		"in a tunnel": func(_ *testing.T, w *world) int {
			return pour(w.connect("ok.test:443", "ok.test"), "GET / HTTP/1.1\r\nHost: ok.test\r\nX: ")
		},
		"on HTTP/2": func(t *testing.T, w *world) (written int) {
			_, framer := w.http2(t)
			var head bytes.Buffer
			_ = hpack.NewEncoder(&head).WriteField(hpack.HeaderField{Name: ":method", Value: "GET"})
			err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes()})
			field := append([]byte{0x00, 0x01, 'x', 0x7f, 0x80, 0x7f}, piece[:127+127]...) // a literal (RFC 7541 section 6.2.2)
			for ; err == nil && written < size; written += len(field) * 60 {
				err = framer.WriteContinuation(1, false, bytes.Repeat(field, 60))
			}
			return written
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if written := client(t, w); written >= size {
				t.Errorf("the proxy read %d bytes of header", written)
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > size/2 {
				t.Errorf("%d bytes were allocated for it", grown)
			}
			w.untouched()
			if status, _ := get(t, w.client(true), w.url("https", "ok.test", "/")); status != 200 {
				t.Errorf("afterwards: %d", status)
			}
		})
	}
}

// TestHeaderTooLarge: a client that waits for the answer gets one.
func TestHeaderTooLarge(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"), limit(Limits{MaxHeaderBytes: 4 << 10}))
	request := "GET http://ok.test/ HTTP/1.1\r\nHost: ok.test\r\nX: " + strings.Repeat("x", 16<<10) + "\r\n\r\n"
	if status, _ := roundTripRaw(t, w.dial(), request); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d, want 431", status)
	}
}

// TestIdleConnectionsMakeRoom: connections on which nothing is asked, however
// many, never keep out one that asks, and never are more than the limit.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	const most = 64
	for _, tt := range []struct {
		name string
		n    int
		open func(t *testing.T, w *world) net.Conn
	}{
		{"silent", 10_000, func(_ *testing.T, w *world) net.Conn { return w.dial() }},
		{"silent CONNECT", 500, func(t *testing.T, w *world) net.Conn {
			conn := w.dial()
			roundTripRaw(t, conn, "CONNECT ok.test:443 HTTP/1.1\r\nHost: ok.test:443\r\n\r\n")
			return conn
		}},
		{"idle after a request", 500, func(t *testing.T, w *world) net.Conn {
			conn := w.dial()
			w.ask(t, conn)
			return conn
		}},
		{"idle HTTP/2", 200, func(t *testing.T, w *world) net.Conn {
			conn, _ := w.http2(t)
			return conn
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"), limit(Limits{MaxConnections: most}))
			good := w.client(false)
			get(t, good, w.url("https", "ok.test", "/"))
			good.CloseIdleConnections()
			w.hangUp()
			happens(t, "the good client's connection is gone", func() bool { return w.held() == 0 })
			running, open := goleak.IgnoreCurrent(), sockets()
			conns := make([]net.Conn, 0, tt.n)
			for i := range tt.n {
				conns = append(conns, tt.open(t, w))
				if held := w.held(); held > most {
					t.Fatalf("%d connections are held, want at most %d", held, most)
				}
				if i%(tt.n/10) == 0 {
					if status, _ := get(t, good, w.url("https", "ok.test", "/")); status != 200 {
						t.Fatalf("a client that asks got %d", status)
					}
				}
			}
			// Those in front of the line went first. A connection joins it a moment
			// after its answer was read, so the order is not exactly this one.
			for _, c := range conns[:tt.n-2*most] {
				ended(t, c)
			}
			for _, c := range conns {
				_ = c.Close()
			}
			good.CloseIdleConnections()
			w.hangUp()
			happens(t, "every place was given back", func() bool { return w.held() == 0 })
			happens(t, "every socket was closed", func() bool { return sockets() <= open })
			goleak.VerifyNone(t, running)
		})
	}
}

// stalled is an origin whose responses begin and go on when the test lets them.
type stalled struct {
	begun   chan struct{}
	release chan struct{}
}

func newStalled() *stalled {
	return &stalled{begun: make(chan struct{}, 64), release: make(chan struct{})}
}

func (s *stalled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/stall" {
		_, _ = io.WriteString(w, "x")
		return
	}
	_, _ = io.WriteString(w, "whole")
	_ = http.NewResponseController(w).Flush()
	s.begun <- struct{}{}
	select {
	case <-s.release:
	case <-r.Context().Done():
	}
}

// open begins n requests that stall and returns their responses.
func (s *stalled) open(t *testing.T, w *world, n int) []*http.Response {
	t.Helper()
	var all []*http.Response
	for range n {
		resp, err := w.client(false).Get(w.url("https", "ok.test", "/stall"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		await(t, s.begun)
		all = append(all, resp)
	}
	return all
}

// TestBusyConnectionsStay: no connection with a request under way is closed for
// another one: that one waits, and is served in its turn.
func TestBusyConnectionsStay(t *testing.T) {
	s := newStalled()
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), s, limit(Limits{MaxConnections: 2}))
	busy := s.open(t, w, 2)
	third := make(chan int, 1)
	go func() {
		resp, err := w.client(false).Get(w.url("https", "ok.test", "/"))
		if err != nil {
			third <- -1
			return
		}
		_ = resp.Body.Close()
		third <- resp.StatusCode
	}()
	happens(t, "the third connection was accepted and waits", func() bool {
		select {
		case status := <-third:
			t.Fatalf("it did not wait: %d", status)
		default:
		}
		return waiting(w.proxy)
	})
	close(s.release)
	for _, resp := range busy {
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "whole" {
			t.Errorf("a request under way ended with %q, %v", body, err)
		}
	}
	if status := await(t, third); status != 200 {
		t.Errorf("the one that waited got %d", status)
	}
}

// waiting reports whether a goroutine waits in admit.
func waiting(*Proxy) bool {
	buf := make([]byte, 1<<20)
	return bytes.Contains(buf[:runtime.Stack(buf, true)], []byte("(*admission).admit"))
}

// TestRequestsWaitTheirTurn: over the limit a request waits and is then served;
// what is denied does not wait; one that its client gives up leaves the line.
func TestRequestsWaitTheirTurn(t *testing.T) {
	s := newStalled()
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), s, limit(Limits{MaxRequests: 2}))
	busy := s.open(t, w, 2)
	if status, _ := get(t, w.client(true), w.url("https", "evil.test", "/")); status != http.StatusForbidden {
		t.Errorf("a denied request got %d", status)
	}
	// Not of net/http's client, which may still take an answer after it gave up.
	authority := fmt.Sprintf("ok.test:%d", w.origin.port)
	abandoned := w.connect(authority, "ok.test")
	_, _ = io.WriteString(abandoned, "GET /abandoned HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	third := make(chan int, 1)
	go func() {
		status, _ := get(t, w.client(false), w.url("https", "ok.test", "/third"))
		third <- status
	}()
	happens(t, "both were decided", func() bool { return len(w.events.of(enforce.StageRequest)) == 5 })
	_ = abandoned.Close()
	happens(t, "the abandoned request left the line", func() bool {
		for _, ev := range w.events.of(enforce.StageResponse) {
			if ev.Path == "/abandoned" {
				return ev.Error != ""
			}
		}
		return false
	})
	select {
	case status := <-third:
		t.Errorf("it did not wait: %d", status)
	default:
	}
	for _, r := range w.origin.requests() {
		if !strings.HasSuffix(r, " /stall") {
			t.Errorf("the origin received %s over the limit", r)
		}
	}
	close(s.release)
	if status := await(t, third); status != 200 {
		t.Errorf("the one that waited got %d", status)
	}
	for _, resp := range busy {
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	happens(t, "every turn was given back", func() bool { return len(w.proxy.turns) == 0 })
}

// TestBusyForTooLong: a request that cannot have its turn gets a 503 that says
// which limit it was, and an event.
func TestBusyForTooLong(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"), limit(Limits{MaxRequests: 1, FirstByteTimeout: short}))
	w.proxy.turns <- struct{}{} // not a request's: it would have to begin its answer as soon
	resp, err := w.client(false).Get(w.url("https", "ok.test", "/second"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "-max-requests") {
		t.Errorf("got %d %v %q", resp.StatusCode, resp.Header, body)
	}
	if ev := w.events.one(t, enforce.StageResponse); ev.Status != http.StatusServiceUnavailable || ev.Error == "" {
		t.Errorf("event %+v", ev)
	}
}

// TestNoDescriptorLeft: where the system has none for one more connection, the
// one that was unused for longest gives its own.
func TestNoDescriptorLeft(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"))
	idle := w.dial()
	w.ask(t, idle)
	failing := &failingListener{closed: make(chan struct{}), err: &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", syscall.EMFILE)}}
	go func() { _ = w.proxy.Serve(failing) }()
	ended(t, idle)
}

// failingListener fails with err until it is closed.
type failingListener struct {
	err    error
	closed chan struct{}
	once   sync.Once
}

func (l *failingListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
		return nil, l.err
	}
}

func (l *failingListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *failingListener) Addr() net.Addr { return &net.TCPAddr{} }
