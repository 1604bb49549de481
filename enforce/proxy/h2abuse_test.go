package proxy

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// TestMalformedHTTP2: a malformed request ends its stream or the connection (RFC
// 9113 section 8.1.1). No part of it is resolved, dialled or forwarded.
func TestMalformedHTTP2(t *testing.T) {
	good := []string{":method: GET", ":scheme: https", ":authority: %h", ":path: /x"}
	with := func(fields ...string) []string { return append(append([]string(nil), good...), fields...) }
	tests := []struct {
		name     string
		fields   []string
		outcomes string // any of these
		event    bool   // net/http tells us of it
	}{
		{"no :method", []string{":scheme: https", ":authority: %h", ":path: /x"}, "RST_STREAM PROTOCOL_ERROR", false},
		{"no :scheme", []string{":method: GET", ":authority: %h", ":path: /x"}, "RST_STREAM PROTOCOL_ERROR", false},
		{"no :path", []string{":method: GET", ":scheme: https", ":authority: %h"}, "RST_STREAM PROTOCOL_ERROR", false},
		{"an empty :path", []string{":method: GET", ":scheme: https", ":authority: %h", ":path: "}, "RST_STREAM PROTOCOL_ERROR", false},
		{"two :method", with(":method: POST"), "RST_STREAM PROTOCOL_ERROR", false},
		{"two :path", with(":path: /y"), "RST_STREAM PROTOCOL_ERROR", false},
		{"two :authority", with(":authority: %e"), "RST_STREAM PROTOCOL_ERROR", false},
		{"an unknown pseudo-header", with(":evil: 1"), "RST_STREAM PROTOCOL_ERROR", false},
		{"a pseudo-header of responses", with(":status: 200"), "RST_STREAM PROTOCOL_ERROR", false},
		{"a pseudo-header behind a field", append([]string{"a: b"}, good...), "RST_STREAM PROTOCOL_ERROR", false},
		{"an uppercase name", with("X-Upper: 1"), "RST_STREAM PROTOCOL_ERROR", false},
		{"a name with a blank", with("x y: 1"), "RST_STREAM PROTOCOL_ERROR", false},
		{"an empty name", with(": 1"), "RST_STREAM PROTOCOL_ERROR", false},
		{"a line end in a value", with("x: a\r\nhost: evil.test"), "RST_STREAM PROTOCOL_ERROR", false},
		{"a NUL in a value", with("x: a\x00b"), "RST_STREAM PROTOCOL_ERROR", false},
		{"another scheme", []string{":method: GET", ":scheme: ftp", ":authority: %h", ":path: /x"}, "RST_STREAM PROTOCOL_ERROR", false},
		{"user information", []string{":method: GET", ":scheme: https", ":authority: ok.test@%e", ":path: /x"}, "RST_STREAM PROTOCOL_ERROR 400", false},
		{"a whole URL as :path", []string{":method: GET", ":scheme: https", ":authority: %h", ":path: https://evil.test/x"}, "400", true},
		{"a :path without a slash", []string{":method: GET", ":scheme: https", ":authority: %h", ":path: x"}, "RST_STREAM PROTOCOL_ERROR 400", false},
		{"a :path with a NUL", []string{":method: GET", ":scheme: https", ":authority: %h", ":path: /a\x00b"}, "RST_STREAM PROTOCOL_ERROR", false},
		{"a blank in the method", []string{":method: GET /y HTTP/1.1\r\nx:", ":scheme: https", ":authority: %h", ":path: /x"}, "RST_STREAM PROTOCOL_ERROR 400", false},
		{"another Host", with("host: %e"), "400", true},
		{"another Host, port left out", with("host: ok.test"), "400", true},
		{"two Hosts, one another", with("host: %h", "host: %e"), "400", true},
		{"another host by Host alone", []string{":method: GET", ":scheme: https", ":path: /x", "host: %e"}, "403", true},
		{"another :authority", []string{":method: GET", ":scheme: https", ":authority: %e", ":path: /x"}, "403", true},
		{"Connection", with("connection: keep-alive"), "400", false},
		{"Keep-Alive", with("keep-alive: timeout=5"), "400", false},
		{"Proxy-Connection", with("proxy-connection: keep-alive"), "400", false},
		{"Upgrade", with("upgrade: websocket"), "400", false},
		{"Transfer-Encoding", with("transfer-encoding: chunked"), "400", false},
		{"TE gzip", with("te: gzip"), "400", false},
		{"CONNECT", []string{":method: CONNECT", ":authority: %e"}, "400", true},
		{"CONNECT with a path", []string{":method: CONNECT", ":authority: %e", ":scheme: https", ":path: /x"}, "RST_STREAM PROTOCOL_ERROR", false},
		{"extended CONNECT", []string{":method: CONNECT", ":protocol: websocket", ":scheme: https", ":authority: %h", ":path: /x"}, "RST_STREAM PROTOCOL_ERROR", false},
		{"extended CONNECT, another protocol", []string{":method: CONNECT", ":protocol: connect-udp", ":scheme: https", ":authority: %e", ":path: /x"}, "RST_STREAM PROTOCOL_ERROR", false},
		{"a header of 512 KiB", with("x: " + strings.Repeat("x", 1<<19)), "431 GOAWAY", false},
		{"16,000 fields", with(strings.Split(strings.Repeat("x: y\n", 16_000)+"x: y", "\n")...), "431 GOAWAY", false},
	}
	for _, e := range entrances2 {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowAll, text("reached"))
					f := w.frames()
					fields := make([]string, len(tt.fields))
					for i, field := range tt.fields {
						fields[i] = w.fill(field)
					}
					f.askInPieces(1, fields...)
					outcome, body := f.answer(1)
					first, _, _ := strings.Cut(outcome, " ")
					if !strings.Contains(tt.outcomes, first) || outcome == "200" {
						t.Errorf("%s %q, want %s", outcome, body, tt.outcomes)
					}
					if tt.event {
						w.denied("proxaudit:", "")
						return
					}
					w.untouched()
				})
			}
		})
	}
}

// askInPieces opens a stream whose block may need many frames.
func (f *frames) askInPieces(stream uint32, fields ...string) {
	f.t.Helper()
	block := f.block(fields...)
	first := block[:min(len(block), 16<<10)]
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: true, EndHeaders: len(first) == len(block)})
	for rest := block[len(first):]; len(rest) > 0; {
		piece := rest[:min(len(rest), 16<<10)]
		rest = rest[len(piece):]
		if f.WriteContinuation(stream, len(rest) == 0, piece) != nil {
			return
		}
	}
}

// TestHTTP2Content: the length that was announced binds, and a trailer is no
// second header.
func TestHTTP2Content(t *testing.T) {
	tests := []struct {
		name, length string
		data         []string
		trailer      []string
		outcome      string
	}{
		{"as long as said", "3", []string{"abc"}, nil, "200"},
		{"longer than said", "3", []string{"abcd"}, nil, "RST_STREAM PROTOCOL_ERROR"},
		{"shorter than said", "4", []string{"abc"}, nil, "!200"},
		{"no length", "", []string{"abc", "def"}, nil, "200"},
		{"a pseudo-header in the trailer", "", []string{"abc"}, []string{":path: /y"}, "!200"},
		{"an uppercase trailer", "", []string{"abc"}, []string{"X-Upper: 1"}, "!200"},
	}
	for _, e := range entrances2 {
		t.Run(e.name, func(t *testing.T) {
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowAll, text("reached"))
					f := w.frames()
					fields := []string{":method: POST", ":scheme: https", w.fill(":authority: %h"), ":path: /x"}
					if tt.length != "" {
						fields = append(fields, "content-length: "+tt.length)
					}
					f.ask(1, false, fields...)
					for i, d := range tt.data {
						_ = f.WriteData(1, i == len(tt.data)-1 && tt.trailer == nil, []byte(d))
					}
					if tt.trailer != nil {
						f.ask(1, true, tt.trailer...)
					}
					outcome, body := f.answer(1)
					if wrong, not := strings.CutPrefix(tt.outcome, "!"); not && outcome == wrong || !not && outcome != tt.outcome {
						t.Errorf("%s %q, want %s", outcome, body, tt.outcome)
					}
				})
			}
		})
	}
}

// TestHTTP2Length: a length that can be read in two ways, or that the end of the
// stream belies, is refused before any content comes (RFC 9113 section 8.1.1).
func TestHTTP2Length(t *testing.T) {
	tests := []struct {
		name    string
		lengths []string
		end     bool
	}{
		{"a sign", []string{"+3"}, false},
		{"a negative one", []string{"-3"}, false},
		{"an empty one", []string{""}, false},
		{"a list", []string{"3, 3"}, false},
		{"hexadecimal", []string{"0x3"}, false},
		{"an underscore", []string{"1_0"}, false},
		{"a blank before it", []string{" 3"}, false},
		{"one that overflows", []string{"18446744073709551619"}, false},
		{"two that agree", []string{"3", "3"}, false},
		{"two that differ", []string{"3", "300"}, false},
		{"the stream has ended", []string{"3"}, true},
		{"no number, and the stream has ended", []string{"x"}, true},
	}
	for _, e := range entrances2 {
		t.Run(e.name, func(t *testing.T) {
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowAll, text("reached"))
					f := w.frames()
					fields := []string{":method: POST", ":scheme: https", w.fill(":authority: %h"), ":path: /x"}
					for _, length := range tt.lengths {
						fields = append(fields, "content-length: "+length)
					}
					f.ask(1, tt.end, fields...)
					if outcome, body := f.answer(1); outcome != "400" {
						t.Errorf("%s %q, want 400", outcome, body)
					}
					w.denied(ruleMessage, "Content-Length")
				})
			}
		})
	}
}

// TestHTTP2Abuse: what costs a client little and a server much ends the
// connection, and nothing is dialled for it.
func TestHTTP2Abuse(t *testing.T) {
	settings := func(id http2.SettingID, value uint32) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, uint16(id)), value)
	}
	tests := []struct {
		name  string
		abuse func(f *frames, host string)
	}{
		{"a flood of CONTINUATION", func(f *frames, host string) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block(":method: GET", ":scheme: https", ":authority: "+host, ":path: /x"), EndStream: true})
			piece := f.block("x: " + strings.Repeat("x", 8<<10))
			for range 1000 {
				if f.WriteContinuation(1, false, piece) != nil {
					return
				}
			}
		}},
		{"a flood of empty CONTINUATION", func(f *frames, host string) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block(":method: GET"), EndStream: true})
			f.flood(20_000, []byte{0, 0, 0, 9, 0, 0, 0, 0, 1})
			_ = f.conn.Close()
		}},
		{"a flood of SETTINGS", func(f *frames, host string) {
			f.flood(100_000, []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // one answer may stand for many
		}},
		{"a flood of PING", func(f *frames, host string) {
			if !f.flood(1_000_000, append([]byte{0, 0, 8, 6, 0, 0, 0, 0, 0}, make([]byte, 8)...)) {
				f.t.Error("a million were taken")
			}
		}},
		{"CONTINUATION for nothing", func(f *frames, host string) { _ = f.WriteContinuation(1, true, f.block(":method: GET")) }},
		{"another frame within a header", func(f *frames, host string) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block(":method: GET"), EndStream: true})
			_ = f.WritePing(false, [8]byte{})
		}},
		{"an even stream", func(f *frames, host string) {
			f.ask(2, true, ":method: GET", ":scheme: https", ":authority: "+host, ":path: /x")
		}},
		{"DATA without a stream", func(f *frames, host string) { _ = f.WriteData(1, true, []byte("abc")) }},
		{"DATA on stream 0", func(f *frames, host string) { _ = f.WriteRawFrame(http2.FrameData, 0, 0, []byte("abc")) }},
		{"RST_STREAM on an idle stream", func(f *frames, host string) { _ = f.WriteRSTStream(7, http2.ErrCodeCancel) }},
		{"WINDOW_UPDATE of 0", func(f *frames, host string) { _ = f.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, make([]byte, 4)) }},
		{"a window that overflows", func(f *frames, host string) {
			_ = f.WriteWindowUpdate(0, 1<<31-1)
			_ = f.WriteWindowUpdate(0, 1<<31-1)
		}},
		{"a push", func(f *frames, host string) {
			_ = f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: f.block(":method: GET"), EndHeaders: true})
		}},
		{"SETTINGS of 5 bytes", func(f *frames, host string) { _ = f.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 5)) }},
		{"an initial window over 2^31", func(f *frames, host string) {
			_ = f.WriteRawFrame(http2.FrameSettings, 0, 0, settings(http2.SettingInitialWindowSize, 1<<31))
		}},
		{"a frame over the limit", func(f *frames, host string) {
			_ = f.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, bytes.Repeat([]byte{0x82}, 1<<20))
		}},
		{"a broken block", func(f *frames, host string) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndStream: true, EndHeaders: true})
		}},
		{"HTTP/1 behind the preface", func(f *frames, host string) {
			_, _ = fmt.Fprintf(f.conn, "GET /x HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		}},
	}
	for _, e := range entrances2 {
		t.Run(e.name, func(t *testing.T) {
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					t.Parallel()
					w := newWire(t, e, allowAll, text("reached"))
					f := w.frames()
					done := make(chan struct{})
					go func() { defer close(done); tt.abuse(f, w.fill("%h")) }()
					if strings.HasPrefix(tt.name, "a flood of") { // a client that does not read
						<-done
					} else if outcome, _ := f.answer(1); outcome == "200" {
						t.Error("it was answered")
					}
					w.untouched()
					_ = f.conn.Close()
					<-done
				})
			}
		})
	}
}

// flood writes a frame n times without reading. It reports whether the other
// side ended the connection before the last one.
func (f *frames) flood(n int, frame []byte) (ended bool) {
	const once = 1000
	many := bytes.Repeat(frame, once)
	for range n / once {
		if _, err := f.conn.Write(many); err != nil {
			return true
		}
	}
	return false
}

// TestRapidReset: requests that are cancelled as soon as they are made (CVE-
// 2023-44487) end the connection; each that was decided is an event.
func TestRapidReset(t *testing.T) {
	for _, e := range entrances2 {
		t.Run(e.name, func(t *testing.T) {
			release := make(chan struct{})
			w := newWire(t, e, policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
				if r.Method == "GET" {
					<-release // slower than the client
				}
				return policy.Decision{}, nil
			}), text("reached"))
			f := w.frames()
			gone := make(chan struct{})
			go func() { // as long as it is let
				defer close(gone)
				for id := uint32(1); id < 200_000; id += 2 {
					_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block(":method: GET", ":scheme: https", w.fill(":authority: %h"), ":path: /x"), EndStream: true, EndHeaders: true})
					if f.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
						return
					}
				}
			}()
			outcome, _ := f.answer(0) // no stream's: only the connection's end returns
			if !strings.HasPrefix(outcome, "GOAWAY") && outcome != "closed" {
				t.Errorf("outcome %q", outcome)
			}
			<-gone
			close(release)
			w.end()
			w.untouched()
			evs := w.events.of(enforce.StageRequest)
			if len(evs) == 0 || len(evs) > 2000 {
				t.Errorf("%d events", len(evs))
			}
			for _, ev := range evs {
				if !ev.Blocked {
					t.Errorf("event %+v", ev)
				}
			}
		})
	}
}

// TestZeroWindow: a client that lets nothing be sent makes the server wait, and
// nothing pile up here; when it goes, the server learns.
func TestZeroWindow(t *testing.T) {
	for _, e := range entrances2 {
		t.Run(e.name, func(t *testing.T) {
			var sent atomic.Int64
			gone := make(chan struct{})
			w := newWire(t, e, allowAll, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(gone)
				for {
					n, err := w.Write(make([]byte, 64<<10))
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			}))
			f := w.frames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			f.ask(1, true, ":method: GET", ":scheme: https", w.fill(":authority: %h"), ":path: /x")
			for { // until the header is there: what follows may not come
				frame, err := f.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				if h, ok := frame.(*http2.MetaHeadersFrame); ok && h.StreamID == 1 {
					break
				}
			}
			for before := int64(-1); sent.Load() != before; time.Sleep(50 * time.Millisecond) {
				before = sent.Load() // until the server is held up
			}
			if n := sent.Load(); n > 16<<20 {
				t.Errorf("the server got rid of %d bytes", n)
			}
			_ = f.conn.Close()
			await(t, gone)
		})
	}
}
