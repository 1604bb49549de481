package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// TestTruncation: a download that broke off upstream must break off for the
// client, whatever framing was in use.
func TestTruncation(t *testing.T) {
	broken := map[string]http.HandlerFunc{
		"unknown length": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"known length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20000")
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	}
	for name, h := range broken {
		for _, scheme := range []string{"http", "https"} {
			for _, h2 := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s h2=%v", name, scheme, h2), func(t *testing.T) {
					w := newWorld(t, enforce.Enforce, allowHost("ok.test"), h)
					resp, err := w.client(h2).Get(w.url(scheme, "ok.test", "/"))
					if err == nil {
						_, err = io.ReadAll(resp.Body)
						_ = resp.Body.Close()
					}
					if err == nil {
						t.Error("the client saw a clean end")
					}
					w.shutdown()
					if ev := w.events.one(t, enforce.StageResponse); ev.Error == "" {
						t.Errorf("event without an error: %+v", ev)
					}
				})
			}
		}
	}
}

// TestUpstreamDown: no answer upstream is 502 with words, never a cut line.
func TestUpstreamDown(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"))
	status, body := get(t, w.client(true), fmt.Sprintf("https://ok.test:%d/", freePort(t)))
	if status != http.StatusBadGateway || !strings.Contains(body, "refused") {
		t.Errorf("got %d %q", status, body)
	}
}

// TestStreaming: an event arrives while the response goes on.
func TestStreaming(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		release := make(chan struct{})
		w := newWorld(t, enforce.Enforce, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "first\n")
			_ = http.NewResponseController(w).Flush()
			<-release
			_, _ = io.WriteString(w, "second\n")
		}))
		resp, err := w.client(false).Get(w.url(scheme, "ok.test", "/"))
		if err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(resp.Body)
		if line, err := br.ReadString('\n'); err != nil || line != "first\n" {
			t.Errorf("%s: %q, %v", scheme, line, err)
		}
		close(release)
		if line, err := br.ReadString('\n'); err != nil || line != "second\n" {
			t.Errorf("%s: %q, %v", scheme, line, err)
		}
		_ = resp.Body.Close()
	}
}

// TestHeaders: what belongs to a connection stays on it, what was not sent is
// not added, and lengths and encodings are kept.
func TestHeaders(t *testing.T) {
	got := make(chan http.Header, 1)
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Clone()
		h := w.Header()
		h.Set("Alt-Svc", `h3=":443"`)
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "1")
		h.Set("Content-Encoding", "gzip")
		h["Content-Type"] = nil
		h.Set("Content-Length", "3")
		_, _ = io.WriteString(w, "abc")
	}))
	authority := fmt.Sprintf("ok.test:%d", w.origin.plainPort)
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET http://"+authority+"/ HTTP/1.1\r\nHost: "+authority+"\r\nConnection: X-Secret\r\nX-Secret: 1\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eA==\r\nTE: trailers, deflate\r\nX-Kept: 1\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h := await(t, got)
	for _, name := range []string{"X-Secret", "Upgrade", "Proxy-Authorization", "User-Agent", "Accept-Encoding"} {
		if v, ok := h[name]; ok {
			t.Errorf("the origin received %s: %q", name, v)
		}
	}
	if h.Get("X-Kept") != "1" || h.Get("Te") != "trailers" {
		t.Errorf("the origin received %v", h)
	}
	for _, name := range []string{"Alt-Svc", "Keep-Alive", "X-Hop", "Content-Type"} {
		if v, ok := resp.Header[name]; ok {
			t.Errorf("the client received %s: %q", name, v)
		}
	}
	if resp.Header.Get("Content-Encoding") != "gzip" || resp.ContentLength != 3 {
		t.Errorf("the client received %v, length %d", resp.Header, resp.ContentLength)
	}
}

// TestEarlyClientHello: a client may send its handshake together with CONNECT.
func TestEarlyClientHello(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("early"))
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	authority := fmt.Sprintf("ok.test:%d", w.origin.port)
	secure := tls.Client(&earlyConn{Conn: conn, head: "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n"}, &tls.Config{RootCAs: w.roots, ServerName: "ok.test"})
	if status, body := roundTripRaw(t, secure, "GET / HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); status != 200 || body != "early" {
		t.Errorf("got %d %q", status, body)
	}
}

// earlyConn sends head in front of the first write, in the same segment, and
// takes the answer to it out of what is read.
type earlyConn struct {
	net.Conn
	head     string
	sent     func() // called once the first write is out; nil for nothing
	answered bool
}

func (c *earlyConn) Write(p []byte) (int, error) {
	head := c.head
	c.head = ""
	n, err := c.Conn.Write(append([]byte(head), p...))
	if head != "" && c.sent != nil {
		c.sent()
	}
	return max(0, n-len(head)), err
}

func (c *earlyConn) Read(p []byte) (int, error) {
	for !c.answered {
		var line []byte
		b := make([]byte, 1)
		for !strings.HasSuffix(string(line), "\r\n\r\n") {
			if _, err := c.Conn.Read(b); err != nil {
				return 0, err
			}
			line = append(line, b...)
		}
		c.answered = true
	}
	return c.Conn.Read(p)
}

// TestPassthrough: a rule may let a host's TLS pass undecrypted; the client then
// sees the origin's own certificate. Raw TCP passes by its own kind of rule.
func TestPassthrough(t *testing.T) {
	p := policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Host == "ok.test" && (r.Method == http.MethodConnect || r.Scheme == "tcp") {
			return policy.Decision{Action: policy.Allow, Rule: "test:1", Passthrough: r.Method == http.MethodConnect, Networks: loopback}, nil
		}
		return policy.Decision{Default: true}, nil
	})
	w := newWorld(t, enforce.Enforce, p, text("opaque"))
	c := w.client(false)
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: w.origin.roots}
	if status, body := get(t, c, w.url("https", "ok.test", "/")); status != 200 || body != "opaque" {
		t.Errorf("got %d %q", status, body)
	}
	c.CloseIdleConnections()
	w.shutdown()
	if ev := w.events.one(t, enforce.StageConnect); ev.Action != policy.Allow || ev.Host != "ok.test" {
		t.Errorf("event %+v", ev)
	}
	if ev := w.events.one(t, enforce.StageResponse); ev.ResponseBytes == 0 || ev.RequestBytes == 0 {
		t.Errorf("event %+v", ev)
	}
}

// TestUndecryptedNeedsARule: what is neither TLS nor HTTP does not pass.
func TestUndecryptedNeedsARule(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"))
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	authority := fmt.Sprintf("ok.test:%d", w.origin.port)
	roundTripRaw(t, conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	_, _ = io.WriteString(conn, "SSH-2.0-client\r\n")
	if rest, err := io.ReadAll(conn); err != nil || len(rest) != 0 {
		t.Errorf("read %q, %v", rest, err)
	}
	w.untouched()
	if ev := w.events.one(t, enforce.StageTCP); !ev.Blocked || !strings.Contains(ev.Allow, "schemes: [tcp]") {
		t.Errorf("event %+v", ev)
	}
}

// TestWebSocket: the handshake is a request of scheme wss, and bytes then flow
// both ways until one side ends.
func TestWebSocket(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			http.Error(w, "no handshake", http.StatusBadRequest)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	})
	w := newWorld(t, enforce.Enforce, policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Scheme == "wss" {
			return policy.Decision{Action: policy.Allow, Rule: "test:1", Networks: loopback}, nil
		}
		return policy.Decision{Default: true}, nil
	}), echo)
	authority := fmt.Sprintf("ok.test:%d", w.origin.port)
	conn := w.connect(authority, "ok.test")
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: "+authority+"\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nping")
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(br, got); err != nil || string(got) != "ping" {
		t.Errorf("echoed %q, %v", got, err)
	}
	_ = conn.Close()
	w.shutdown()
	if ev := w.events.one(t, enforce.StageRequest); ev.Scheme != "wss" {
		t.Errorf("event %+v", ev)
	}
}
