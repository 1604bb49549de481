package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
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

// live is a world in which something is under way when the run ends.
type live struct {
	*world
	jail *jail
	// reached gets a token when the origin holds what is under way.
	reached chan struct{}
	// gone gets a token when the origin saw its end.
	gone chan struct{}
	// raw is the port of a server that accepts, says hello, and never hangs up
	// before it was hung up on for good.
	raw int
}

// ServeHTTP is an origin that lets each request hang in a way of its own.
func (l *live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	over := r.Context().Done()
	switch r.URL.Path {
	case "/ws":
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
		ended := make(chan struct{})
		go func() { defer close(ended); _, _ = io.Copy(io.Discard, conn) }()
		over = ended
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: hello\n\n")
		_ = http.NewResponseController(w).Flush()
	case "/unread":
		ended := make(chan struct{})
		go func() { // a body that nobody reads
			defer close(ended)
			piece := make([]byte, 1<<20)
			for {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}()
		over = ended
	case "/upload":
		_, _ = io.ReadFull(r.Body, make([]byte, 5))
		ended := make(chan struct{})
		go func() { defer close(ended); _, _ = io.Copy(io.Discard, r.Body) }()
		over = ended
	case "/hang":
	default:
		return
	}
	l.reached <- struct{}{}
	<-over
	l.gone <- struct{}{}
}

// listen starts the raw server.
func (l *live) listen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.raw = ln.Addr().(*net.TCPAddr).Port
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.WriteString(c, "hello")
				l.reached <- struct{}{}
				_, _ = io.Copy(io.Discard, c)
				for err == nil { // a half-close is no reason to go
					_, err = io.WriteString(c, strings.Repeat("x", 1<<10))
				}
				l.gone <- struct{}{}
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
}

// situations are what may be under way. Each returns once it is.
var situations = []struct {
	name string
	// events of the stages request and tcp, each of which has a response
	events int
	// origin says that the origin holds a connection, whose end it must see
	origin bool
	begin  func(t *testing.T, l *live) net.Conn
}{
	{"WebSocket", 1, true, func(t *testing.T, l *live) net.Conn {
		c := l.tunnel(t, l.authority())
		return l.ask(t, c, "GET /ws HTTP/1.1\r\nHost: "+l.authority()+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	}},
	{"events", 1, true, func(t *testing.T, l *live) net.Conn {
		c := l.tunnel(t, l.authority())
		return l.ask(t, c, "GET /events HTTP/1.1\r\nHost: "+l.authority()+"\r\n\r\n")
	}},
	{"HTTP/2 stream", 1, true, func(t *testing.T, l *live) net.Conn { return l.stream(t, "GET", "/events") }},
	{"HTTP/2 upload half done", 1, true, func(t *testing.T, l *live) net.Conn { return l.stream(t, "POST", "/upload") }},
	{"upload half done", 1, true, func(t *testing.T, l *live) net.Conn {
		c := l.tunnel(t, l.authority())
		return l.ask(t, c, "POST /upload HTTP/1.1\r\nHost: "+l.authority()+"\r\nContent-Length: 10\r\n\r\n12345")
	}},
	{"plain upload half done", 1, true, func(t *testing.T, l *live) net.Conn {
		a := fmt.Sprintf("ok.test:%d", l.origin.plainPort)
		return l.ask(t, l.dial(t), "POST http://"+a+"/upload HTTP/1.1\r\nHost: "+a+"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n")
	}},
	{"download that nobody reads", 1, true, func(t *testing.T, l *live) net.Conn {
		c := l.tunnel(t, l.authority())
		return l.ask(t, c, "GET /unread HTTP/1.1\r\nHost: "+l.authority()+"\r\n\r\n")
	}},
	{"origin that hangs", 1, true, func(t *testing.T, l *live) net.Conn {
		c := l.tunnel(t, l.authority())
		return l.ask(t, c, "GET /hang HTTP/1.1\r\nHost: "+l.authority()+"\r\n\r\n")
	}},
	{"origin that hangs in the handshake", 1, true, func(t *testing.T, l *live) net.Conn {
		a := fmt.Sprintf("ok.test:%d", l.raw)
		c := l.tunnel(t, a)
		return l.ask(t, c, "GET / HTTP/1.1\r\nHost: "+a+"\r\n\r\n")
	}},
	{"name server that hangs", 1, false, func(t *testing.T, l *live) net.Conn {
		c := l.dial(t)
		_, _ = io.WriteString(c, "GET http://mute.test/ HTTP/1.1\r\nHost: mute.test\r\n\r\n")
		await(t, l.names.muted)
		return c
	}},
	{"raw tunnel", 1, true, func(t *testing.T, l *live) net.Conn {
		return l.ask(t, l.dial(t), fmt.Sprintf("CONNECT raw.test:%d HTTP/1.1\r\n\r\n", l.raw))
	}},
	{"raw tunnel, half closed", 1, true, func(t *testing.T, l *live) net.Conn {
		c := l.ask(t, l.dial(t), fmt.Sprintf("CONNECT raw.test:%d HTTP/1.1\r\n\r\n", l.raw))
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		return c
	}},
	{"captured raw tunnel", 1, true, func(t *testing.T, l *live) net.Conn {
		return l.ask(t, l.jail.dial(t, l.world, rawAddr, l.raw), "")
	}},
	{"captured, silent", 0, false, func(t *testing.T, l *live) net.Conn { return l.jail.dial(t, l.world, okAddr, 443) }},
	{"captured, half a ClientHello", 0, false, func(t *testing.T, l *live) net.Conn {
		c := l.jail.dial(t, l.world, okAddr, 443)
		_, _ = c.Write([]byte{recordTypeHandshake, 3, 1, 0, 200, 1})
		return c
	}},
	{"silent", 0, false, func(t *testing.T, l *live) net.Conn { return l.dial(t) }},
	{"half a request", 0, false, func(t *testing.T, l *live) net.Conn {
		c := l.dial(t)
		_, _ = io.WriteString(c, "GET http://ok.test/ HT")
		return c
	}},
	{"silent tunnel", 0, false, func(t *testing.T, l *live) net.Conn {
		c := l.dial(t)
		roundTripRaw(t, c, "CONNECT "+l.authority()+" HTTP/1.1\r\n\r\n")
		return c
	}},
	{"half a ClientHello", 0, false, func(t *testing.T, l *live) net.Conn {
		c := l.dial(t)
		roundTripRaw(t, c, "CONNECT "+l.authority()+" HTTP/1.1\r\n\r\n")
		_, _ = c.Write([]byte{recordTypeHandshake, 3, 1, 0, 200, 1})
		return c
	}},
	{"idle TLS", 0, false, func(t *testing.T, l *live) net.Conn { return l.tunnel(t, l.authority()) }},
	{"idle after a request", 1, false, func(t *testing.T, l *live) net.Conn {
		c := l.tunnel(t, l.authority())
		roundTripRaw(t, c, "GET /done HTTP/1.1\r\nHost: "+l.authority()+"\r\n\r\n")
		return c
	}},
}

var rawAddr = okAddr.Next().Next()

func (l *live) authority() string { return fmt.Sprintf("ok.test:%d", l.origin.port) }

// newLive starts a world in which connections are captured, or come from the
// jail's own address to the proxy as such.
func newLive(t *testing.T) *live {
	l := &live{reached: make(chan struct{}, 1), gone: make(chan struct{}, 1)}
	l.world, l.jail = captureWorld(t, enforce.Enforce, policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		raw := r.Host == "raw.test"
		if raw != (r.Scheme == "tcp") || r.Method == http.MethodConnect {
			return policy.Decision{Default: true, Reason: "no rule matches"}, nil
		}
		return policy.Decision{Action: policy.Allow, Rule: "test:1", Networks: loopback, Passthrough: raw}, nil
	}), l)
	l.jail.names[rawAddr] = "raw.test"
	l.listen(t)
	return l
}

// dial connects to the proxy as such.
func (l *live) dial(t *testing.T) net.Conn { return l.jail.dial(t, l.world, jailAddr, 1) }

func (l *live) tunnel(t *testing.T, authority string) net.Conn {
	return l.tunnelOn(l.dial(t), authority, "ok.test")
}

// ask sends a request and waits until the origin has it.
func (l *live) ask(t *testing.T, c net.Conn, request string) net.Conn {
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	await(t, l.reached)
	return c
}

// stream begins a request over HTTP/2; one with a body ends in its middle.
func (l *live) stream(t *testing.T, method, path string) net.Conn {
	c := l.dial(t)
	roundTripRaw(t, c, "CONNECT "+l.authority()+" HTTP/1.1\r\n\r\n")
	secure := tls.Client(c, &tls.Config{RootCAs: l.roots, ServerName: "ok.test", NextProtos: []string{"h2"}})
	_, _ = io.WriteString(secure, http2.ClientPreface)
	f := http2.NewFramer(secure, secure)
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, h := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", l.authority()}, {":path", path}} {
		_ = e.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	err := errors.Join(f.WriteSettings(),
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: method == "GET"}))
	if method != "GET" {
		err = errors.Join(err, f.WriteData(1, false, []byte("12345")))
	}
	if err != nil {
		t.Fatal(err)
	}
	await(t, l.reached)
	return secure
}

// TestShutdownLeavesNothing: when the grace period is over nothing is left of
// whatever was under way, and each request has its second event.
func TestShutdownLeavesNothing(t *testing.T) {
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Run("run", func(t *testing.T) {
				l := newLive(t)
				client := s.begin(t, l)
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
				defer cancel()
				l.proxy.Shutdown(ctx)
				recorded := l.events.all()
				eventually(t, "sockets of the proxy", l.sockets)
				eventually(t, "goroutines of the proxy", goroutines)
				if s.origin {
					await(t, l.gone)
				}
				if _, err := io.Copy(io.Discard, client); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the client's connection is still open")
				}
				checkPairs(t, recorded, s.events)
				if now := l.events.all(); len(now) != len(recorded) {
					t.Errorf("recorded after Shutdown: %+v", now[len(recorded):])
				}
			})
			goleak.VerifyNone(t, before)
		})
	}
}

// TestShutdownDrains: what ends within the grace period ends well.
func TestShutdownDrains(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		asked, release := make(chan struct{}), make(chan struct{})
		w := newWorld(t, enforce.Enforce, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(asked)
			<-release
			_, _ = io.WriteString(w, "whole")
		}))
		answered := make(chan string)
		c, u := w.client(h2), w.url("https", "ok.test", "/")
		go func() {
			defer close(answered)
			if resp, err := c.Get(u); err == nil {
				body, _ := io.ReadAll(resp.Body)
				answered <- string(body)
			}
		}()
		await(t, asked)
		down := make(chan struct{})
		go func() { defer close(down); w.shutdown() }()
		for { // until nobody can come any more
			conn, err := net.Dial("tcp", w.addr)
			if err != nil {
				break
			}
			_ = conn.Close()
		}
		close(release)
		if got := await(t, answered); got != "whole" {
			t.Errorf("h2=%v: the client received %q", h2, got)
		}
		await(t, down)
		if ev := w.events.one(t, enforce.StageResponse); ev.Status != 200 || ev.Error != "" {
			t.Errorf("h2=%v: event %+v", h2, ev)
		}
	}
}

// TestShutdownDrainsTunnels: what no http.Server watches gets its time as well.
func TestShutdownDrainsTunnels(t *testing.T) {
	l := newLive(t)
	c := l.ask(t, l.dial(t), fmt.Sprintf("CONNECT raw.test:%d HTTP/1.1\r\n\r\n", l.raw))
	down := make(chan struct{})
	go func() { defer close(down); l.shutdown() }()
	await(t, l.proxy.closing)
	got := make([]byte, len(established)+len("hello"))
	if _, err := io.ReadFull(c, got); err != nil || !strings.HasSuffix(string(got), "hello") {
		t.Errorf("the client received %q, %v", got, err)
	}
	if _, err := io.WriteString(c, "late"); err != nil {
		t.Error(err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	if rest, _ := io.ReadAll(io.LimitReader(c, 4)); string(rest) != "xxxx" {
		t.Errorf("after the half-close the client received %q", rest)
	}
	_ = c.Close()
	await(t, l.gone)
	await(t, down)
	if ev := l.events.one(t, enforce.StageResponse); ev.RequestBytes != 4 || ev.ResponseBytes < 9 {
		t.Errorf("event %+v", ev)
	}
}

// TestWebSocketEndsByServer: the end of a WebSocket that the server makes
// reaches the client.
func TestWebSocketEndsByServer(t *testing.T) {
	w := newWorld(t, enforce.Enforce, policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Rule: "test:1", Networks: loopback}, nil
	}), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbye")
	}))
	authority := fmt.Sprintf("ok.test:%d", w.origin.port)
	conn := w.connect(authority, "ok.test")
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: "+authority+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(got), "\r\n\r\nbye") {
		t.Errorf("read %q, %v", got, err)
	}
}

// checkPairs fails the test unless want decisions let something pass, and each
// has one event that says what came of it.
func checkPairs(t *testing.T, events []enforce.Event, want int) {
	t.Helper()
	passed, ended := map[string]int{}, map[string]int{}
	for _, ev := range events {
		switch {
		case ev.Stage == enforce.StageResponse:
			ended[ev.ID]++
		case ev.Blocked:
			t.Errorf("something was refused: %+v", ev)
		default:
			passed[ev.ID]++
		}
	}
	if len(passed) != want || !maps.Equal(passed, ended) {
		t.Errorf("%d decisions, want %d, and an end for each: %+v", len(passed), want, events)
	}
}

// eventually waits until nothing is left: the kernel's and the runtime's own
// bookkeeping may lag a little behind.
func eventually(t *testing.T, what string, left func() []string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		found := left()
		if len(found) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s are left:\n%s", what, strings.Join(found, "\n\n"))
			return
		}
	}
}

// sockets are the proxy's descriptors: those that its clients connected to, and
// those connected to a server, which nobody else does here.
func (l *live) sockets() []string {
	_, port, _ := net.SplitHostPort(l.addr)
	servers := []string{fmt.Sprint(l.origin.port), fmt.Sprint(l.origin.plainPort), fmt.Sprint(l.raw)}
	entries, _ := os.ReadDir("/proc/self/fd")
	var found []string
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		local, _ := syscall.Getsockname(fd)
		peer, _ := syscall.Getpeername(fd)
		if from, to := portBehind(local), portBehind(peer); from == port || slices.Contains(servers, to) {
			found = append(found, fmt.Sprintf("descriptor %d, port %s to %q", fd, from, to))
		}
	}
	return found
}

func portBehind(a syscall.Sockaddr) string {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return fmt.Sprint(a.Port)
	case *syscall.SockaddrInet6:
		return fmt.Sprint(a.Port)
	default:
		return ""
	}
}

// goroutines are those that run code of the proxy, or of a transport: the tests
// here have none of their own.
func goroutines() []string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var found []string
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(stack, "net/http.(*persistConn)") || strings.Contains(stack, "net/http.(*http2ClientConn)") ||
			slices.ContainsFunc(strings.Split(stack, "\n"), isProxyCode) {
			found = append(found, stack)
		}
	}
	return found
}

func isProxyCode(line string) bool {
	file, _, _ := strings.Cut(strings.TrimSpace(line), ":")
	return strings.Contains(file, "/enforce/proxy/") && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go")
}
