package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	xwebsocket "golang.org/x/net/websocket"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// TestFrameCounter: frames are counted however their bytes arrive, and a payload
// that looks like a frame is none.
func TestFrameCounter(t *testing.T) {
	frame := func(first, second byte, rest ...byte) []byte { return append([]byte{first, second}, rest...) }
	stream := bytes.Join([][]byte{
		frame(0x81, 2, 0x81, 0x00), // a text that is a frame by its looks
		frame(0x01, 0x80, 1, 2, 3, 4),
		frame(0x80, 0x83, 1, 2, 3, 4, 'a', 'b', 'c'), // its end
		frame(0x89, 0),                               // ping
		append(frame(0x82, 126, 1, 0), make([]byte, 256)...),
		append(frame(0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0), make([]byte, 1<<16)...),
		append(frame(0x82, 0x80|126, 0, 200, 9, 9, 9, 9), make([]byte, 200)...),
		frame(0x88, 2, 3, 0xe8),  // close
		frame(0x81, 5, 'h', 'a'), // one that has only begun
	}, nil)
	for _, size := range []int{1, 2, 3, 7, 100, len(stream)} {
		f := &frameCounter{}
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			f.add(rest[:n])
			rest = rest[n:]
		}
		if got := f.count; got != 9 {
			t.Errorf("in pieces of %d: %d frames, want 9", size, got)
		}
	}
}

// echoWebSocket answers each message with itself, until it is told "bye".
func echoWebSocket(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"echo"}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		for {
			kind, msg, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if string(msg) == "bye" {
				_ = c.Close(4000, "as asked")
				return
			}
			if err := c.Write(r.Context(), kind, msg); err != nil {
				return
			}
		}
	})
}

// onlyWebSocket allows the WebSockets of ok.test and nothing else.
var onlyWebSocket = policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
	if r.Host == "ok.test" && (r.Scheme == "ws" || r.Scheme == "wss") {
		return policy.Decision{Action: policy.Allow, Rule: "test:1", Networks: loopback}, nil
	}
	return policy.Decision{Default: true, Reason: "no rule matches"}, nil
})

// TestWebSocketAtEveryEntrance: a WebSocket is a decision of its own, and both
// ends, of a well-kept library, notice nothing. Frames are counted.
func TestWebSocketAtEveryEntrance(t *testing.T) {
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			w := newWire(t, e, onlyWebSocket, echoWebSocket(t))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c, resp, err := websocket.Dial(ctx, w.webSocketURL(), &websocket.DialOptions{
				HTTPClient:   &http.Client{Transport: w.transport()},
				Subprotocols: []string{"echo"},
				HTTPHeader:   http.Header{"X-Kept": {"1"}},
			})
			if err != nil {
				t.Fatalf("%v %v", resp, err)
			}
			c.SetReadLimit(1 << 20)
			if c.Subprotocol() != "echo" {
				t.Errorf("subprotocol %q", c.Subprotocol())
			}
			sizes := []int{0, 5, 125, 126, 70_000}
			for _, n := range sizes {
				if err := c.Write(ctx, websocket.MessageBinary, make([]byte, n)); err != nil {
					t.Fatal(err)
				}
				if _, msg, err := c.Read(ctx); err != nil || len(msg) != n {
					t.Fatalf("%d bytes came back as %d, %v", n, len(msg), err)
				}
			}
			if err := c.Write(ctx, websocket.MessageText, []byte("bye")); err != nil {
				t.Fatal(err)
			}
			var closed websocket.CloseError
			if _, _, err := c.Read(ctx); !errors.As(err, &closed) || closed.Code != 4000 || closed.Reason != "as asked" {
				t.Errorf("the end: %v", err)
			}
			w.end()
			req, ev := w.events.one(t, enforce.StageRequest), w.events.one(t, enforce.StageResponse)
			if want := map[bool]string{true: "wss", false: "ws"}[e.secure]; req.Scheme != want || ev.Scheme != want || req.ID != ev.ID {
				t.Errorf("events %+v\n%+v", req, ev)
			}
			// Each message, "bye" and the answer to the close; each echo and the close.
			up, down := int64(len(sizes)+2), int64(len(sizes)+1)
			if ev.Status != 101 || ev.RequestFrames != up || ev.ResponseFrames != down || ev.RequestBytes < 70_000 || ev.ResponseBytes < 70_000 {
				t.Errorf("event %+v, want %d frames up and %d down", ev, up, down)
			}
		})
	}
}

// TestOtherWebSocketLibrary: the same with x/net's client and server.
func TestOtherWebSocketLibrary(t *testing.T) {
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			echo := xwebsocket.Server{Handler: func(c *xwebsocket.Conn) { _, _ = io.Copy(c, c) }}
			w := newWire(t, e, onlyWebSocket, echo)
			config, err := xwebsocket.NewConfig(w.webSocketURL(), "http://ok.test/")
			if err != nil {
				t.Fatal(err)
			}
			conn := w.open()
			if e.absolute { // x/net writes origin form: what it sends first is turned
				conn = &absoluteConn{conn, w.fill("http://%h")}
			}
			c, err := xwebsocket.NewClient(config, conn)
			if err != nil {
				t.Fatal(err)
			}
			if err := xwebsocket.Message.Send(c, "hello"); err != nil {
				t.Fatal(err)
			}
			var got string
			if err := xwebsocket.Message.Receive(c, &got); err != nil || got != "hello" {
				t.Errorf("%q, %v", got, err)
			}
			_ = c.Close()
			w.end()
			if ev := w.events.one(t, enforce.StageResponse); ev.RequestFrames != 2 || ev.ResponseFrames != 1 {
				t.Errorf("event %+v", ev)
			}
		})
	}
}

// TestWebSocketEndsOneWay: what one side sends after the other one has ended
// arrives and is counted, and a connection that is lost ends both at once.
func TestWebSocketEndsOneWay(t *testing.T) {
	const frame, handshake = "\x81\x02hi", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	type half interface{ CloseWrite() error }
	tests := []struct {
		name     string
		client   func(conn net.Conn, br *bufio.Reader)
		server   func(conn net.Conn)
		up, down int64 // frames
	}{
		{"the server first", func(conn net.Conn, br *bufio.Reader) {
			_, _ = io.Copy(io.Discard, br)
			_, _ = io.WriteString(conn, frame+frame)
			_ = conn.Close()
		}, func(conn net.Conn) {
			_, _ = io.WriteString(conn, frame)
			_ = conn.(half).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}, 2, 1},
		{"the client first", func(conn net.Conn, br *bufio.Reader) {
			_, _ = io.WriteString(conn, frame)
			_ = conn.(half).CloseWrite()
			_, _ = io.Copy(io.Discard, br)
			_ = conn.Close()
		}, func(conn net.Conn) {
			_, _ = io.Copy(io.Discard, conn)
			_, _ = io.WriteString(conn, frame+frame)
			_ = conn.Close()
		}, 1, 2},
		{"the client, by a reset", func(conn net.Conn, br *bufio.Reader) {
			_, _ = br.Peek(len(frame))
			reset(conn)
		}, func(conn net.Conn) {
			_, _ = io.WriteString(conn, frame)
			_, _ = io.Copy(io.Discard, conn) // and it stays open
		}, 0, 1},
	}
	for _, e := range entrances1 {
		for _, tt := range tests {
			t.Run(e.name+", "+tt.name, func(t *testing.T) {
				received := make(chan net.Conn, 1)
				w := newWire(t, e, onlyWebSocket, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						return
					}
					_, _ = io.WriteString(conn, handshake)
					tt.server(conn)
					received <- conn
				}))
				conn := w.open()
				_ = conn.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(conn, w.fill("GET %t/ws HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
				br := bufio.NewReader(conn)
				if resp, err := http.ReadResponse(br, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
					t.Fatalf("%v %v", resp, err)
				}
				tt.client(conn, br)
				happens(t, "the end was recorded", func() bool { return len(w.events.of(enforce.StageResponse)) == 1 })
				if ev := w.events.one(t, enforce.StageResponse); ev.RequestFrames != tt.up || ev.ResponseFrames != tt.down {
					t.Errorf("event %+v, want %d frames up and %d down", ev, tt.up, tt.down)
				}
				_ = await(t, received).Close()
			})
		}
	}
}

// TestWebSocketHalfEnded: one whose client has ended, and whose server does not
// mind, stays neither for ever nor beyond the run.
func TestWebSocketHalfEnded(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"the limit": func(w *world) {
			happens(w.t, "the end was recorded", func() bool { return len(w.events.of(enforce.StageResponse)) == 1 })
		},
		"the run": func(w *world) {
			over, cancel := context.WithCancel(context.Background())
			cancel()
			done := make(chan struct{})
			go func() { w.proxy.Shutdown(over); close(done) }()
			await(w.t, done)
		},
	} {
		t.Run(name, func(t *testing.T) {
			limits := Limits{IdleTimeout: time.Hour}
			if name == "the limit" {
				limits.IdleTimeout = short
			}
			ended, over := make(chan struct{}), make(chan struct{})
			w := newWorld(t, enforce.Enforce, onlyWebSocket, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
				_, _ = io.Copy(io.Discard, conn)
				close(ended)
				<-over
				_ = conn.Close()
			}), limit(limits))
			t.Cleanup(func() { close(over) }) // before the proxy is waited for
			authority := fmt.Sprintf("ok.test:%d", w.origin.plainPort)
			conn := w.dialSaying("GET http://" + authority + "/ws HTTP/1.1\r\nHost: " + authority + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("%v %v", resp, err)
			}
			_ = conn.(*net.TCPConn).CloseWrite()
			await(t, ended)
			end(w)
			w.events.one(t, enforce.StageResponse)
		})
	}
}

// absoluteConn puts a scheme and a host before the path of what is written first.
type absoluteConn struct {
	net.Conn
	before string
}

func (c *absoluteConn) Write(p []byte) (int, error) {
	if c.before == "" {
		return c.Conn.Write(p)
	}
	_, err := c.Conn.Write(bytes.Replace(p, []byte("GET /"), []byte("GET "+c.before+"/"), 1))
	c.before = ""
	return len(p), err
}

// TestWebSocketDenied: a rule for requests is none for WebSockets.
func TestWebSocketDenied(t *testing.T) {
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			var rules policy.Policy
			w := newWire(t, e, policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) { return rules.Decide(ctx, r) }), echoWebSocket(t))
			rules = yaml(t, w.fill("allow:\n  - {host: ok.test, schemes: [http, https], ports: [%p], networks: [127.0.0.0/8]}\n"))
			_, resp, err := websocket.Dial(t.Context(), w.webSocketURL(), &websocket.DialOptions{HTTPClient: &http.Client{Transport: w.transport()}})
			if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
				t.Errorf("%v, %v", resp, err)
			}
			w.denied("", "")
		})
	}
}

// TestSwitchUnasked: a server that changes the protocol though nobody asked, or to
// another one than was asked for, gets no tunnel.
func TestSwitchUnasked(t *testing.T) {
	for _, e := range entrances1 {
		for name, send := range map[string]string{
			"unasked":         "GET %t/x HTTP/1.1\r\nHost: %h\r\n\r\n",
			"to another one":  "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
			"asked for h2c":   "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
			"by an HTTP/1.0 ": "GET %t/x HTTP/1.0\r\nHost: %h\r\n\r\n",
		} {
			t.Run(e.name+", "+name, func(t *testing.T) {
				w := newWire(t, e, allowAll, rawOrigin("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nsecret", closed))
				statuses, body := w.ask(w.open(), send, 1)
				if len(statuses) != 1 || statuses[0] != 502 || strings.Contains(body, "secret") {
					t.Errorf("%v %q", statuses, body)
				}
			})
		}
	}
}

func (w *wire) webSocketURL() string {
	if w.secure {
		return w.fill("wss://%h/ws")
	}
	return w.fill("ws://%h/ws")
}

// transport is a client's, whose connections come in by this entrance.
func (w *wire) transport() *http.Transport {
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return w.open(), nil }, ForceAttemptHTTP2: w.h2, DisableCompression: true}
	tr.DialTLSContext = tr.DialContext
	if w.absolute {
		tr.DialContext = nil
		tr.Proxy = http.ProxyURL(w.proxyURL())
		tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return w.open(), nil }
	}
	if !w.h2 {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetHTTP1(true)
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return tr
}
