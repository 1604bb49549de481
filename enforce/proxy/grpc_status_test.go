package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// serveFrames puts a server of HTTP/2 in the place of the origin's. It calls answer
// for each request that is whole, with its number among all of them.
func (w *wire) serveFrames(answer func(f *frames, stream uint32, number int, body string)) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = l.Close() })
	w.at = l.Addr().(*net.TCPAddr).Port
	config := &tls.Config{NextProtos: []string{"h2"}, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return w.origin.authority.Leaf(hello.ServerName)
	}}
	var number atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.readFrames(tls.Server(conn, config), func(f *frames, stream uint32, body string) {
				answer(f, stream, int(number.Add(1)), body)
			})
		}
	}()
}

// firstPart is a body that is refused before it has ended, on a first stream.
const firstPart = "the first part"

// readFrames serves one connection until it ends.
func (w *wire) readFrames(conn net.Conn, answer func(f *frames, stream uint32, body string)) {
	defer func() { _ = conn.Close() }()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := &frames{t: w.t, conn: conn, Framer: http2.NewFramer(conn, conn)}
	f.enc = hpack.NewEncoder(&f.head)
	_ = f.WriteSettings()
	bodies := map[uint32]string{}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		stream := frame.Header().StreamID
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.DataFrame:
			bodies[stream] += string(frame.Data())
			if stream == 1 && bodies[stream] == firstPart {
				_ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
				continue
			}
			if n := uint32(len(frame.Data())); n > 0 {
				_ = f.WriteWindowUpdate(0, n)
				_ = f.WriteWindowUpdate(stream, n)
			}
			if frame.StreamEnded() {
				answer(f, stream, bodies[stream])
			}
		}
	}
}

// respond ends a stream with a status and nothing else.
func (f *frames) respond(stream uint32, fields ...string) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block(append([]string{":status: 200"}, fields...)...), EndHeaders: true, EndStream: true})
}

// TestGRPCStatus: whatever keeps a call from being answered, its client prints why,
// and what to do. The event has the HTTP status that another client would get.
func TestGRPCStatus(t *testing.T) {
	unopened := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Rule: "test:1"}, nil
	})
	answer := func(how func(f *frames, stream uint32)) func(*wire) {
		return func(w *wire) {
			w.serveFrames(func(f *frames, stream uint32, _ int, _ string) { how(f, stream) })
		}
	}
	tests := []struct {
		name   string
		policy policy.Policy
		server func(*wire)
		method string // "" for one that there may be
		code   codes.Code
		words  []string
		status int // of the response's event; 0 for none
	}{
		{"denied", allowHost("other.test"), nil, "", codes.PermissionDenied,
			[]string{"proxaudit: denied: POST https://ok.test", "\nreason: no rule matches", "\nto allow it, add this under \"allow:\" in the policy:\n  - POST https://ok.test"}, 0},
		{"read in two ways", allowHost("ok.test"), nil, "/a/..%2fb", codes.PermissionDenied, []string{"proxaudit: denied", "\nrule: proxaudit:path"}, 0},
		{"malformed", allowHost("ok.test"), nil, "/a? b", codes.Internal, []string{"proxaudit: denied", "\nrule: proxaudit:message"}, 0},
		{"an address that is not public", unopened, nil, "", codes.PermissionDenied, []string{"\nrule: proxaudit:address"}, 403},
		{"nobody listens", allowHost("ok.test"), func(w *wire) { w.at = freePort(w.t) }, "", codes.Unavailable,
			[]string{"proxaudit: allowed, but failed: POST", "connection refused"}, 502},
		{"a reset", allowHost("ok.test"), answer(func(f *frames, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeInternal) }), "", codes.Unavailable,
			[]string{"proxaudit: allowed, but failed: POST", "INTERNAL_ERROR"}, 502},
		{"a connection that ends", allowHost("ok.test"), answer(func(f *frames, _ uint32) { _ = f.conn.Close() }), "", codes.Unavailable,
			[]string{"proxaudit: allowed, but failed: POST"}, 502},
		{"silence", allowHost("ok.test"), func(w *wire) {
			w.proxy.upstream.limits.FirstByteTimeout = 20 * time.Millisecond
			answer(func(*frames, uint32) {})(w)
		}, "", codes.Unavailable, []string{"\nwhat to do: -first-byte-timeout"}, 504},
	}
	for _, e := range entrances2 {
		for _, tt := range tests {
			t.Run(e.name+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				w := newWire(t, e, tt.policy, text("x"))
				if tt.server != nil {
					tt.server(w)
				}
				conn := grpcConn(t, w)
				method := tt.method
				if method == "" {
					method = testgrpc.TestService_UnaryCall_FullMethodName
				}
				err := conn.Invoke(t.Context(), method, &testgrpc.SimpleRequest{}, &testgrpc.SimpleResponse{})
				if status.Code(err) != tt.code {
					t.Errorf("%v", err)
				}
				for _, words := range tt.words {
					if !strings.Contains(status.Convert(err).Message(), words) {
						t.Errorf("%q is not in %q", words, err)
					}
				}
				if tt.status == 0 {
					w.denied("", "")
					return
				}
				w.end()
				for _, ev := range w.events.all() {
					if ev.Stage != enforce.StageRequest && ev.Status != tt.status {
						t.Errorf("event %+v", ev)
					}
				}
			})
		}
	}
}

// TestGRPCTrailersOnly: what a denied call is answered is one header, that of gRPC;
// everybody else gets the 403 and its words.
func TestGRPCTrailersOnly(t *testing.T) {
	tests := []struct {
		name, method string
		fields       []string
		grpc         bool
	}{
		{"gRPC", "POST", []string{"content-type: application/grpc", "te: trailers"}, true},
		{"with a codec", "POST", []string{"content-type: application/grpc+json", "te: trailers"}, true},
		{"with a parameter", "POST", []string{"content-type: Application/gRPC;a=b", "te: trailers"}, true},
		{"gRPC-Web", "POST", []string{"content-type: application/grpc-web+proto", "te: trailers"}, false},
		{"another type", "POST", []string{"content-type: application/grpcx", "te: trailers"}, false},
		{"no trailers", "POST", []string{"content-type: application/grpc"}, false},
		{"a read", "GET", []string{"content-type: application/grpc", "te: trailers"}, false},
		{"nothing of it", "POST", nil, false},
	}
	for _, e := range entrances2 {
		for _, tt := range tests {
			t.Run(e.name+", "+tt.name, func(t *testing.T) {
				w := newWire(t, e, allowHost("other.test"), text("x"))
				f := w.frames()
				f.ask(1, true, append([]string{":method: " + tt.method, ":scheme: https", w.fill(":authority: %h"), ":path: /a.B/C"}, tt.fields...)...)
				var head *http2.MetaHeadersFrame
				for head == nil {
					frame, err := f.ReadFrame()
					if err != nil {
						t.Fatal(err)
					}
					head, _ = frame.(*http2.MetaHeadersFrame)
				}
				said := map[string]string{}
				for _, field := range head.Fields {
					said[field.Name] = field.Value
				}
				if tt.grpc {
					_, kind, _ := strings.Cut(tt.fields[0], ": ")
					if said[":status"] != "200" || said["grpc-status"] != "7" || said["content-type"] != kind || !strings.HasPrefix(said["grpc-message"], "proxaudit: denied: POST https://ok.test:") || !head.StreamEnded() {
						t.Errorf("%q, ended: %v", said, head.StreamEnded())
					}
				} else if said[":status"] != "403" || said["grpc-status"] != "" || head.StreamEnded() {
					t.Errorf("%q, ended: %v", said, head.StreamEnded())
				}
				w.denied("", "no rule matches")
			})
		}
	}
	for _, e := range entrances1 {
		w := newWire(t, e, allowHost("other.test"), text("x"))
		if statuses, body := w.ask(w.open(), "POST %t/a.B/C HTTP/1.1\r\nHost: %h\r\nContent-Type: application/grpc\r\nTE: trailers\r\nContent-Length: 0\r\n\r\n", 1); len(statuses) != 1 || statuses[0] != 403 || !strings.Contains(body, "denied") {
			t.Errorf("%s: %v %q", e.name, statuses, body)
		}
	}
}

func TestGRPCMessage(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"a ~\n", "a ~"},
		{"100%\nü\x7f\t\x00", "100%25%0A%C3%BC%7F%09%00"},
		{"a\xffb", "a%FFb"},
	} {
		if got := grpcMessage(tt.text); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
	for n := range 10 { // cut between characters, wherever the bound falls
		got := grpcMessage(strings.Repeat("a", n) + strings.Repeat("€", 4000))
		plain := strings.NewReplacer("%E2", "\xe2", "%82", "\x82", "%AC", "\xac").Replace(got)
		if len(got) > maxGRPCMessage || len(got) < maxGRPCMessage-20 || !strings.HasSuffix(plain, "€...") || !utf8.ValidString(plain) {
			t.Errorf("%d bytes, %q", len(got), got[len(got)-20:])
		}
	}
}

// TestRefusedUnprocessed: what a server of HTTP/2 says it has not begun to process
// is sent again, once, whatever it is; what it may have processed is not.
func TestRefusedUnprocessed(t *testing.T) {
	reset := func(code http2.ErrCode) func(*frames, uint32) {
		return func(f *frames, stream uint32) { _ = f.WriteRSTStream(stream, code) }
	}
	goAway := func(f *frames, stream uint32) {
		_ = f.WriteGoAway(stream-1, http2.ErrCodeNo, nil)
	}
	small, large := "abc", strings.Repeat("x", maxLoggedBody+1)
	tests := []struct {
		name   string
		refuse func(f *frames, stream uint32)
		times  int // that it refuses
		body   string
		asked  int
		want   int
	}{
		{"a refused stream", reset(http2.ErrCodeRefusedStream), 1, small, 2, 200},
		{"a connection that is about to go", goAway, 1, small, 2, 200},
		{"as much as is kept", reset(http2.ErrCodeRefusedStream), 1, large[1:], 2, 200},
		{"more than is kept", reset(http2.ErrCodeRefusedStream), 1, large, 1, 502},
		{"always refused", reset(http2.ErrCodeRefusedStream), 9, small, 2, 502},
		{"it may have been processed", reset(http2.ErrCodeProtocol), 1, small, 1, 502},
		{"cancelled", reset(http2.ErrCodeCancel), 1, small, 1, 502},
	}
	for _, e := range entrances2 {
		for _, tt := range tests {
			t.Run(e.name+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				w := newWire(t, e, allowHost("ok.test"), text("x"))
				var asked atomic.Int64
				w.serveFrames(func(f *frames, stream uint32, number int, body string) {
					asked.Store(int64(number))
					if body != tt.body {
						t.Errorf("request %d: %d bytes arrived, want %d", number, len(body), len(tt.body))
					}
					if number <= tt.times {
						tt.refuse(f, stream)
						return
					}
					f.respond(stream)
				})
				req, _ := http.NewRequestWithContext(t.Context(), "POST", w.urlOf("/x"), io.MultiReader(strings.NewReader(tt.body)))
				resp, err := w.httpClient().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				said, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != tt.want || int(asked.Load()) != tt.asked {
					t.Errorf("%d %q, %v, after %d requests, want %d after %d", resp.StatusCode, said, err, asked.Load(), tt.want, tt.asked)
				}
				_ = resp.Body.Close()
				w.end()
				if ev := w.events.one(t, enforce.StageResponse); ev.Status != tt.want || ev.RequestBytes != int64(len(tt.body)) {
					t.Errorf("event %+v", ev)
				}
				w.events.one(t, enforce.StageRequest)
			})
		}
	}
}

// TestRefusedInTheMiddle: what has been read of a body is not all of it.
func TestRefusedInTheMiddle(t *testing.T) {
	for _, e := range entrances2 {
		w := newWire(t, e, allowHost("ok.test"), text("x"))
		w.serveFrames(func(f *frames, stream uint32, _ int, body string) {
			t.Errorf("%s: %q arrived as all there is", e.name, body)
			f.respond(stream)
		})
		f := w.frames()
		f.ask(1, false, ":method: POST", ":scheme: https", w.fill(":authority: %h"), ":path: /x")
		_ = f.WriteData(1, false, []byte(firstPart))
		if outcome, body := f.answer(1); outcome != "502" || !strings.Contains(body, "REFUSED_STREAM") {
			t.Errorf("%s: %s %q", e.name, outcome, body)
		}
	}
}

// TestKeptBodyIsGivenUp: what is taken is not kept any longer, nor what follows.
func TestKeptBodyIsGivenUp(t *testing.T) {
	k := new(keptBody)
	k.keep([]byte("a"))
	if got := k.take(); string(got) != "a" {
		t.Errorf("%q", got)
	}
	k.keep([]byte("b"))
	if got := k.take(); got != nil || k.data != nil {
		t.Errorf("%q, %q", got, k.data)
	}
}

// TestGRPCRefusedUnprocessed: a call survives a server that is about to go.
func TestGRPCRefusedUnprocessed(t *testing.T) {
	for _, e := range entrances2 {
		w := newWire(t, e, allowHost("ok.test"), text("x"))
		w.serveFrames(func(f *frames, stream uint32, number int, _ string) {
			if number == 1 {
				_ = f.WriteGoAway(stream-1, http2.ErrCodeNo, nil)
				return
			}
			f.respond(stream, "content-type: application/grpc", "grpc-status: 5", "grpc-message: "+fmt.Sprint(number))
		})
		conn := grpcConn(t, w)
		err := conn.Invoke(t.Context(), testgrpc.TestService_UnaryCall_FullMethodName, &testgrpc.SimpleRequest{}, &testgrpc.SimpleResponse{})
		if s := status.Convert(err); s.Code() != codes.NotFound || s.Message() != "2" {
			t.Errorf("%s: %v", e.name, err)
		}
	}
}

func TestUnprocessed(t *testing.T) {
	const before = "http2: Transport: cannot retry err ["
	for text, want := range map[string]bool{
		before + "stream error: stream ID 1; REFUSED_STREAM; received from peer] after":           true,
		before + "http2: Transport received Server's graceful shutdown GOAWAY] after":             true,
		before + "stream error: stream ID 1; PROTOCOL_ERROR; received from peer] after":           false,
		"http2: server sent GOAWAY and closed the connection; debug=\"; REFUSED_STREAM\"":         false,
		"stream error: stream ID 1; REFUSED_STREAM; received from peer":                           false,
		"x " + before + "stream error: stream ID 1; REFUSED_STREAM; received from peer] after it": false,
	} {
		if got := unprocessed(errors.New(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestGRPCOverCCore: the same for clients of the other family, of Python, Ruby, PHP
// and C++, which show no body.
func TestGRPCOverCCore(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, which has Debian's package
	if err := exec.Command(program(t, python), "-c", "import grpc").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3-grpcio is missing; .ci/run installs it")
		}
		t.Skip("python3-grpcio is not installed")
	}
	p := newPeers(t, entrances2[0])
	p.proxy.Gate.Policy = allowHost("other.test")
	p.announce()
	out := p.run(nil, python, "-c", `
import os, sys
os.environ["https_proxy"] = sys.argv[1]
import grpc
channel = grpc.secure_channel(sys.argv[2], grpc.ssl_channel_credentials(open("ca.pem", "rb").read()))
for call in channel.unary_unary("/a.B/C"), lambda *a, **k: next(channel.unary_stream("/a.B/C")(*a, **k)):
	try:
		call(b"", timeout=60)
	except grpc.RpcError as e:
		print(e.code().name, e.details())`, "http://"+p.addr, p.fill("%h"))
	if strings.Count(out, "PERMISSION_DENIED proxaudit: denied: POST https://ok.test") != 2 || strings.Count(out, "\nreason: no rule matches\nto allow it") != 2 {
		t.Errorf("%s", out)
	}
	p.untouched()
}
