package proxy

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/enforce"
)

// rawOrigin answers with bytes as they are and then ends the connection.
func rawOrigin(answer string, end func(net.Conn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(conn, answer)
		end(conn)
	})
}

// The ways in which a connection ends.
func closed(c net.Conn) { _ = c.Close() }
func reset(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	_ = c.(interface{ SetLinger(int) error }).SetLinger(0)
	_ = c.Close()
}

// TestTruncationInEveryFraming: a response that breaks off at the server breaks
// off at the client, however either side marks the end of a body.
func TestTruncationInEveryFraming(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name, answer string
		end          func(net.Conn)
	}{
		{"length, ended", ok + "Content-Length: 20\r\n\r\n0123456789", closed},
		{"length, reset", ok + "Content-Length: 20\r\n\r\n0123456789", reset},
		{"length, nothing came", ok + "Content-Length: 20\r\n\r\n", closed},
		{"chunked, in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n14\r\n0123456789", closed},
		{"chunked, behind a chunk", ok + "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n", closed},
		{"chunked, reset", ok + "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n", reset},
		{"chunked, no last line", ok + "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n", closed},
		{"chunked, a broken size", ok + "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\nzz\r\n", closed},
		{"chunked, a trailer cut", ok + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\na\r\n0123456789\r\n0\r\nX: ", closed},
		{"until the end, reset", ok + "Connection: close\r\n\r\n0123456789", reset},
		{"until the end, HTTP/1.0, reset", "HTTP/1.0 200 OK\r\n\r\n0123456789", reset},
	}
	for _, e := range entrances1 {
		for _, version := range []string{"1.0", "1.1"} {
			t.Run(e.name+", HTTP/"+version, func(t *testing.T) {
				t.Parallel()
				for _, tt := range tests {
					t.Run(tt.name, func(t *testing.T) {
						w := newWire(t, e, allowHost("ok.test"), rawOrigin(tt.answer, tt.end))
						conn := w.open()
						_, _ = io.WriteString(conn, w.fill("GET %t/x HTTP/"+version+"\r\nHost: %h\r\n\r\n"))
						resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
						if err == nil && resp.StatusCode == 200 {
							_, err = io.ReadAll(resp.Body)
							if err == nil {
								t.Errorf("the client saw a clean end: %v", resp.Header)
							}
						}
						w.end()
						if ev := w.events.one(t, enforce.StageResponse); ev.Error == "" {
							t.Errorf("event without an error: %+v", ev)
						}
					})
				}
			})
		}
	}
}

// TestTruncationHTTP2: a stream that is reset at the server is reset at the
// client, and so is one whose connection is lost.
func TestTruncationHTTP2(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "0123456789")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"reset with a length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20")
			_, _ = io.WriteString(w, "0123456789")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		for _, e := range entrances2 {
			t.Run(name+", "+e.name, func(t *testing.T) {
				w := newWire(t, e, allowHost("ok.test"), h)
				f := w.frames()
				f.ask(1, true, ":method: GET", ":scheme: https", w.fill(":authority: %h"), ":path: /x")
				outcome, body := f.answer(1)
				if !strings.HasPrefix(outcome, "RST_STREAM") || !strings.HasPrefix("0123456789", body) {
					t.Errorf("%s %q", outcome, body)
				}
				w.end()
				if ev := w.events.one(t, enforce.StageResponse); ev.Error == "" || ev.ResponseBytes != 10 {
					t.Errorf("event: %+v", ev)
				}
			})
		}
	}
}

// TestResponsesAreExact: the client receives the header that the server sent, no
// field more and none less but those of the connection, and the same body.
func TestResponsesAreExact(t *testing.T) {
	type fields = map[string][]string
	tests := []struct {
		name, method, answer string
		header               fields
		body                 string
		length               int64 // -1 for unknown
	}{
		{"a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", fields{"Content-Length": {"3"}}, "abc", 3},
		{"many fields", "GET", "HTTP/1.1 200 Fine\r\nX-A: 1\r\nX-A: 2\r\nx-b:3\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: s\r\nContent-Type: application/x-thing\r\nETag: \"e\"\r\nVary: *\r\nContent-Length: 0\r\n\r\n",
			fields{"X-A": {"1", "2"}, "X-B": {"3"}, "Set-Cookie": {"a=b; Path=/", "c=d"}, "Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}, "Server": {"s"}, "Content-Type": {"application/x-thing"}, "Etag": {`"e"`}, "Vary": {"*"}, "Content-Length": {"0"}}, "", 0},
		{"of the connection", "GET", "HTTP/1.1 200 OK\r\nConnection: X-Hop, Keep-Alive\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nAlt-Svc: h3=\":443\"\r\nProxy-Authenticate: Basic\r\nUpgrade: h2,h2c\r\nX: 1\r\nContent-Length: 0\r\n\r\n", fields{"X": {"1"}, "Content-Length": {"0"}}, "", 0},
		{"compressed", "GET", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", fields{"Content-Encoding": {"gzip"}, "Content-Length": {"4"}}, "\x1f\x8b\x08\x00", 4},
		{"an unknown coding", "GET", "HTTP/1.1 200 OK\r\nContent-Encoding: zstd, br\r\nContent-Length: 2\r\n\r\n\xff\x00", fields{"Content-Encoding": {"zstd, br"}, "Content-Length": {"2"}}, "\xff\x00", 2},
		{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", fields{}, "abc", -1},
		{"until the end", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", fields{}, "abc", -1},
		{"of HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nX: 1\r\n\r\nabc", fields{"X": {"1"}}, "abc", -1},
		{"204", "DELETE", "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", fields{"X": {"1"}}, "", 0},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nCache-Control: no-cache\r\n\r\n", fields{"Etag": {`"e"`}, "Cache-Control": {"no-cache"}}, "", 0},
		{"HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234567890123\r\nContent-Encoding: gzip\r\n\r\n", fields{"Content-Length": {"1234567890123"}, "Content-Encoding": {"gzip"}}, "", 1234567890123},
		{"HEAD without one", "HEAD", "HTTP/1.1 200 OK\r\nX: 1\r\n\r\n", fields{"X": {"1"}}, "", -1},
		{"HEAD 404", "HEAD", "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n", fields{"Content-Length": {"9"}}, "", 9},
		{"206", "GET", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-2/3\r\nAccept-Ranges: bytes\r\nContent-Length: 2\r\n\r\nbc", fields{"Content-Range": {"bytes 1-2/3"}, "Accept-Ranges": {"bytes"}, "Content-Length": {"2"}}, "bc", 2},
		{"416", "GET", "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */3\r\nContent-Length: 0\r\n\r\n", fields{"Content-Range": {"bytes */3"}, "Content-Length": {"0"}}, "", 0},
		{"302 elsewhere", "GET", "HTTP/1.1 302 Found\r\nLocation: https://evil.test/%2f?a=b\r\nContent-Length: 0\r\n\r\n", fields{"Location": {"https://evil.test/%2f?a=b"}, "Content-Length": {"0"}}, "", 0},
		{"401", "GET", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"\r\nContent-Length: 0\r\n\r\n", fields{"Www-Authenticate": {`Basic realm="r"`}, "Content-Length": {"0"}}, "", 0},
		{"a status of its own", "GET", "HTTP/1.1 599 Whatever\r\nContent-Length: 0\r\n\r\n", fields{"Content-Length": {"0"}}, "", 0},
		{"both framings", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", fields{}, "abc", -1},
	}
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowHost("ok.test"), rawOrigin(tt.answer, closed))
					conn := w.open()
					_, _ = io.WriteString(conn, w.fill(tt.method+" %t/x HTTP/1.1\r\nHost: %h\r\n\r\n"))
					resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: tt.method})
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(resp.Body)
					if err != nil || string(body) != tt.body {
						t.Errorf("body %q, %v; want %q", body, err, tt.body)
					}
					if want := strings.Fields(tt.answer)[1]; fmt.Sprint(resp.StatusCode) != want {
						t.Errorf("status %d, want %s", resp.StatusCode, want)
					}
					if tt.length < 0 && tt.method != "HEAD" {
						// net/http counts what came at once, and says so.
						if resp.ContentLength >= 0 && resp.ContentLength != int64(len(tt.body)) {
							t.Errorf("length %d", resp.ContentLength)
						}
						delete(resp.Header, "Content-Length")
					} else if resp.ContentLength != tt.length {
						t.Errorf("length %d, want %d", resp.ContentLength, tt.length)
					}
					delete(resp.Header, "Connection") // of this connection
					if diff := cmp.Diff(tt.header, fields(resp.Header)); diff != "" {
						t.Errorf("header (-server +client):\n%s", diff)
					}
				})
			}
		})
	}
}

// TestRequestsAreExact: the server receives the header that the client sent, no
// field more and none less but those of the connection.
func TestRequestsAreExact(t *testing.T) {
	sent := "Accept: */*\r\nX-A: 1\r\nX-A: 2\r\nx-lower:3\r\nX-Empty:\r\nCookie: a=b\r\nAuthorization: Basic eA==\r\nRange: bytes=0-1\r\nIf-None-Match: \"e\"\r\nAccept-Encoding: zstd, br;q=0.5\r\nUser-Agent: u\r\nContent-Type: text/x\r\n"
	kept := http.Header{"Accept": {"*/*"}, "X-A": {"1", "2"}, "X-Lower": {"3"}, "X-Empty": {""}, "Cookie": {"a=b"}, "Authorization": {"Basic eA=="}, "Range": {"bytes=0-1"}, "If-None-Match": {`"e"`}, "Accept-Encoding": {"zstd, br;q=0.5"}, "User-Agent": {"u"}, "Content-Type": {"text/x"}}
	hops := "Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nTE: gzip, trailers\r\n"
	type received struct {
		header http.Header
		length int64
		body   string
	}
	for _, e := range append(append([]entrance(nil), entrances1...), entrances2...) {
		for _, tt := range []struct{ name, fields, framing, body string }{
			{"without a body", sent, "", ""},
			{"with a length", sent, "Content-Length: 3\r\n", "abc"},
			{"chunked", sent, "Transfer-Encoding: chunked\r\n", "abc"},
			{"with fields of the connection", hops + sent, "", ""},
			{"with nothing", "", "", ""},
		} {
			if e.h2 && tt.fields != sent {
				continue
			}
			t.Run(e.name+", "+tt.name, func(t *testing.T) {
				got := make(chan received, 1)
				w := newWire(t, e, allowHost("ok.test"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					got <- received{r.Header.Clone(), r.ContentLength, string(body)}
				}))
				want := received{kept, int64(len(tt.body)), tt.body}
				if tt.fields == "" {
					want.header = http.Header{}
				}
				if strings.HasPrefix(tt.fields, "Connection") {
					want.header = kept.Clone()
					want.header["Te"] = []string{"trailers"}
				}
				if tt.framing == "Content-Length: 3\r\n" {
					want.header = kept.Clone()
					want.header["Content-Length"] = []string{"3"}
				}
				if strings.HasPrefix(tt.framing, "Transfer") {
					want.length = -1
				}
				if e.h2 {
					f := w.frames()
					fields := []string{":method: POST", ":scheme: https", w.fill(":authority: %h"), ":path: /x"}
					framing := tt.framing
					if strings.HasPrefix(framing, "Transfer") {
						framing = ""
					}
					for line := range strings.SplitSeq(strings.TrimSuffix(tt.fields+framing, "\r\n"), "\r\n") {
						name, value, _ := strings.Cut(line, ":")
						fields = append(fields, strings.ToLower(name)+": "+strings.TrimSpace(value))
					}
					f.ask(1, tt.body == "", fields...)
					if tt.body != "" {
						_ = f.WriteData(1, true, []byte(tt.body))
					}
					f.answer(1)
				} else {
					body := tt.body
					if strings.HasPrefix(tt.framing, "Transfer") {
						body = "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
					}
					w.ask(w.open(), "POST %t/x HTTP/1.1\r\nHost: %h\r\n"+tt.fields+tt.framing+"\r\n"+body, 1)
				}
				select {
				case r := <-got:
					if !e.h2 && tt.framing == "" { // a POST without content says so (RFC 9110 section 8.6)
						want.header = want.header.Clone()
						want.header["Content-Length"] = []string{"0"}
					}
					if e.h2 && tt.framing == "" {
						delete(r.header, "Content-Length")
					}
					if diff := cmp.Diff(want, r, cmp.AllowUnexported(received{})); diff != "" {
						t.Errorf("(-client +server):\n%s", diff)
					}
				case <-time.After(patience):
					t.Error("nothing arrived")
				}
			})
		}
	}
}

// TestBodiesAreExact: megabytes of noise arrive as they were sent, both ways, and
// the event has their digest.
func TestBodiesAreExact(t *testing.T) {
	noise := make([]byte, 3<<20+17)
	_, _ = rand.Read(noise)
	sum := sha256.Sum256(noise)
	for _, scheme := range []string{"http", "https"} {
		for _, h2 := range []bool{false, true} {
			for _, length := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s h2=%v length=%v", scheme, h2, length), func(t *testing.T) {
					w := newWorld(t, enforce.Enforce, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						if length {
							w.Header().Set("Content-Length", fmt.Sprint(len(body)))
						}
						_, _ = w.Write(body)
					}))
					var body io.Reader = strings.NewReader(string(noise))
					if !length {
						body = io.MultiReader(body)
					}
					resp, err := w.client(h2).Post(w.url(scheme, "ok.test", "/"), "application/octet-stream", body)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					back, err := io.ReadAll(resp.Body)
					if err != nil || sha256.Sum256(back) != sum {
						t.Errorf("%d bytes came back, %v", len(back), err)
					}
					w.shutdown()
					ev := w.events.one(t, enforce.StageResponse)
					if n := int64(len(noise)); ev.SHA256 != hex.EncodeToString(sum[:]) || ev.RequestBytes != n || ev.ResponseBytes != n {
						t.Errorf("event %+v", ev)
					}
				})
			}
		}
	}
}
