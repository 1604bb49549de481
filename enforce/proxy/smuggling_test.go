package proxy

import (
	"slices"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

// TestMalformed: what two programs could cut into requests in two ways is
// refused at every entrance of HTTP/1. Nothing is resolved, nothing dialled, and
// the refusal is an event even where no request came to be.
func TestMalformed(t *testing.T) {
	const smuggled = "0\r\n\r\nGET %t/smuggled HTTP/1.1\r\nHost: %h\r\n\r\n"
	post := func(fields, body string) string {
		return "POST %t/x HTTP/1.1\r\nHost: %h\r\n" + fields + "\r\n" + body
	}
	tests := []struct {
		name, send   string
		status       int
		rule, reason string
	}{
		{"CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", smuggled), 400, ruleMessage, "both Content-Length"},
		{"TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", smuggled), 400, ruleMessage, "both Content-Length"},
		{"two lengths that differ", post("Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef"), 400, ruleMessage, "two Content-Length"},
		{"two lengths that agree", post("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde"), 400, ruleMessage, "two Content-Length"},
		{"a list of lengths", post("Content-Length: 5, 5\r\n", "abcde"), 400, ruleMessage, "Content-Length"},
		{"a length with a sign", post("Content-Length: +5\r\n", "abcde"), 400, ruleMessage, "Content-Length"},
		{"a negative length", post("Content-Length: -5\r\n", "abcde"), 400, ruleMessage, "Content-Length"},
		{"a length with a space in it", post("Content-Length: 1 0\r\n", "abcde"), 400, ruleMessage, "Content-Length"},
		{"a length in hexadecimal", post("Content-Length: 0x5\r\n", "abcde"), 400, ruleMessage, "Content-Length"},
		{"a length that overflows", post("Content-Length: 18446744073709551621\r\n", "abcde"), 400, ruleMessage, "Content-Length"},
		{"an empty length", post("Content-Length:\r\n", "abcde"), 400, ruleMessage, "Content-Length"},
		{"a vertical tab before the length", post("Content-Length: \v5\r\n", "abcde"), 400, ruleMessage, "Content-Length"},
		{"a blank before the colon", post("Content-Length : 5\r\n", "abcde"), 400, ruleMessage, "field name"},
		{"a tab before the colon", post("Transfer-Encoding\t: chunked\r\n", smuggled), 400, ruleMessage, "field name"},
		{"a name in quotes", post("\"X\": 5\r\n", ""), 400, ruleMessage, "field name"},
		{"a line without a colon", post("Transfer-Encoding chunked\r\n", smuggled), 400, ruleMessage, "field name"},
		{"a NUL in a name", post("X\x00: 5\r\n", ""), 400, ruleMessage, "field name"},
		{"a NUL in a value", post("X: a\x00b\r\n", ""), 400, ruleMessage, "control character"},
		{"a folded line", post("X: a\r\n b: c\r\n", ""), 400, ruleMessage, "folded"},
		{"a folded Transfer-Encoding", post("Transfer-Encoding:\r\n chunked\r\n", smuggled), 400, ruleMessage, "Transfer-Encoding"},
		{"a folded first line", "GET %t/x HTTP/1.1\r\n Host: %h\r\n\r\n", 400, ruleMessage, "folded"},
		{"a bare LF behind the request line", "GET %t/x HTTP/1.1\nHost: %h\r\n\r\n", 400, ruleMessage, "line feed alone"},
		{"a bare LF behind a field", "GET %t/x HTTP/1.1\r\nHost: %h\nX: y\r\n\r\n", 400, ruleMessage, "line feed alone"},
		{"a bare LF ends the head", "GET %t/x HTTP/1.1\r\nHost: %h\r\n\n", 400, ruleMessage, "line feed alone"},
		{"a bare CR in a value", post("X: a\rContent-Length: 5\r\n", "abcde"), 400, ruleMessage, "carriage return"},
		{"a bare CR in the request line", "GET %t/x\rHTTP/1.1\r\nHost: %h\r\n\r\n", 400, ruleMessage, "carriage return"},
		{"TE identity", post("Transfer-Encoding: identity\r\n", ""), 400, ruleMessage, "Transfer-Encoding"},
		{"TE chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", smuggled), 400, ruleMessage, "Transfer-Encoding"},
		{"TE gzip and chunked", post("Transfer-Encoding: gzip, chunked\r\n", smuggled), 400, ruleMessage, "Transfer-Encoding"},
		{"TE xchunked", post("Transfer-Encoding: xchunked\r\n", smuggled), 400, ruleMessage, "Transfer-Encoding"},
		{"TE with a vertical tab", post("Transfer-Encoding: \vchunked\r\n", smuggled), 400, ruleMessage, "Transfer-Encoding"},
		{"TE in two fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", smuggled), 400, ruleMessage, "Transfer-Encoding"},
		{"TE in two equal fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", smuggled), 400, ruleMessage, "Transfer-Encoding"},
		{"TE in HTTP/1.0", "POST %t/x HTTP/1.0\r\nHost: %h\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, 400, ruleMessage, "HTTP/1.0"},
		{"two Hosts that agree", "GET %t/x HTTP/1.1\r\nHost: %h\r\nHost: %h\r\n\r\n", 400, ruleMessage, "two Host"},
		{"two Hosts that differ", "GET %t/x HTTP/1.1\r\nHost: %h\r\nHost: %e\r\n\r\n", 400, ruleMessage, "two Host"},
		{"no Host", "GET %t/x HTTP/1.1\r\n\r\n", 400, ruleMessage, "no Host"},
		{"two blanks in the request line", "GET  %t/x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ruleMessage, "request line"},
		{"a tab in the request line", "GET %t/x\tHTTP/1.1\r\nHost: %h\r\n\r\n", 400, ruleMessage, "HTTP version"},
		{"a blank behind the version", "GET %t/x HTTP/1.1 \r\nHost: %h\r\n\r\n", 400, ruleMessage, "HTTP version"},
		{"version 0.9", "GET %t/x\r\n\r\n", 400, ruleMessage, "HTTP version"},
		{"version 1.2", "GET %t/x HTTP/1.2\r\nHost: %h\r\n\r\n", 400, ruleMessage, "HTTP version"},
		{"version 3", "GET %t/x HTTP/3\r\nHost: %h\r\n\r\n", 400, ruleMessage, "HTTP version"},
		{"a lowercase version", "GET %t/x http/1.1\r\nHost: %h\r\n\r\n", 400, ruleMessage, "HTTP version"},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ruleMessage, "HTTP/2 begins without"},
		{"a NUL in the path", "GET %t/a\x00b HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ruleMessage, "net/http"},
		{"an unknown expectation", post("Expect: 200-ok\r\nContent-Length: 1\r\n", "a"), 417, ruleMessage, "417"},
		{"a header of 512 KiB", post("X: "+strings.Repeat("x", 1<<19)+"\r\n", ""), 431, ruleMessage, "431"},
		{"a header of many fields", post(strings.Repeat("X: y\r\n", 100_000), ""), 431, ruleMessage, "431"},
		{"a request line of 512 KiB", "GET %t/" + strings.Repeat("x", 1<<19) + " HTTP/1.1\r\nHost: %h\r\n\r\n", 431, ruleMessage, "431"},
	}
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowHost("ok.test"), text("reached"))
					statuses, body := w.ask(w.open(), tt.send, 2)
					// Where the header goes on and on, the answer may be lost with the connection.
					if len(statuses) != 1 && tt.status != 431 || len(statuses) == 1 && statuses[0] != tt.status {
						t.Errorf("statuses %v %q, want one %d", statuses, body, tt.status)
					}
					if got := w.origin.requests(); len(got) != 0 {
						t.Errorf("the origin received %q", got)
					}
					w.denied(tt.rule, tt.reason)
				})
			}
		})
	}
}

// TestMalformedContent: a body that cannot be read in one way breaks off. The
// request was decided before, and its event says how it ended.
func TestMalformedContent(t *testing.T) {
	tests := []struct{ name, body, reason string }{
		{"size overflows", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", "chunk size"},
		{"size with a sign", "+3\r\nabc\r\n0\r\n\r\n", "chunk size"},
		{"size with 0x", "0x3\r\nabc\r\n0\r\n\r\n", "chunk size"},
		{"size with a blank", "3 \r\nabc\r\n0\r\n\r\n", "chunk size"},
		{"no size", "\r\nabc\r\n0\r\n\r\n", "chunk size"},
		{"a bare LF behind the size", "3\nabc\r\n0\r\n\r\n", "line feed alone"},
		{"a bare LF in an extension", "3;a\nabc\r\n0\r\n\r\n", "line feed alone"},
		{"a bare CR in an extension", "3;a\rb\r\nabc\r\n0\r\n\r\n", "carriage return"},
		{"a NUL in an extension", "3;a\x00b\r\nabc\r\n0\r\n\r\n", "control character"},
		{"longer than its size", "3\r\nabcd\r\n0\r\n\r\n", "longer than its size"},
		{"a bare LF behind the chunk", "3\r\nabc\n0\r\n\r\n", "line feed alone"},
		{"a length in the trailer", "3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n", "in a trailer"},
		{"a host in the trailer", "3\r\nabc\r\n0\r\nHost: %e\r\n\r\n", "in a trailer"},
		{"a folded trailer", "3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n", "folded"},
	}
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowHost("ok.test"), text("reached"))
					send := "POST %t/x HTTP/1.1\r\nHost: %h\r\nTransfer-Encoding: chunked\r\n\r\n" + tt.body + "GET %t/smuggled HTTP/1.1\r\nHost: %h\r\n\r\n"
					statuses, _ := w.ask(w.open(), send, 2)
					if len(statuses) > 1 || len(statuses) == 1 && statuses[0]/100 == 2 {
						t.Errorf("statuses %v: a request was taken for whole", statuses)
					}
					for _, r := range w.origin.requests() {
						if strings.Contains(r, "smuggled") {
							t.Errorf("the origin received %q", r)
						}
					}
					w.end()
					w.events.one(t, enforce.StageRequest)
					if ev := w.events.one(t, enforce.StageResponse); !strings.Contains(ev.Error, tt.reason) {
						t.Errorf("event %+v, want an error with %q", ev, tt.reason)
					}
				})
			}
		})
	}
}

// TestWellFormed: the neighbours of what is refused arrive, and each as one
// request that the origin reads as it was meant.
func TestWellFormed(t *testing.T) {
	tests := []struct {
		name, send string
		statuses   []int
		received   []string // "METHOD URI"
	}{
		{"an empty line first", "\r\nGET %t/x HTTP/1.1\r\nHost: %h\r\n\r\n", []int{400}, nil},
		{"an empty line behind a POST", "POST %t/x HTTP/1.1\r\nHost: %h\r\nContent-Length: 1\r\n\r\na\r\nGET %t/y HTTP/1.1\r\nHost: %h\r\n\r\n", []int{200, 200}, []string{"POST /x", "GET /y"}},
		{"pipelined", "GET %t/x HTTP/1.1\r\nHost: %h\r\n\r\nGET %t/y HTTP/1.1\r\nHost: %h\r\n\r\n", []int{200, 200}, []string{"GET /x", "GET /y"}},
		{"a chunk extension", "POST %t/x HTTP/1.1\r\nHost: %h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0;z\r\n\r\n", []int{200}, []string{"POST /x"}},
		{"capitals", "POST %t/x HTTP/1.1\r\nHOST: %h\r\nTRANSFER-ENCODING: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", []int{200}, []string{"POST /x"}},
		{"blanks around a length", "POST %t/x HTTP/1.1\r\nHost: %h\r\nContent-Length: \t1 \r\n\r\na", []int{200}, []string{"POST /x"}},
		{"length 0", "POST %t/x HTTP/1.1\r\nHost: %h\r\nContent-Length: 0\r\n\r\n", []int{200}, []string{"POST /x"}},
		{"a GET with a body", "GET %t/x HTTP/1.1\r\nHost: %h\r\nContent-Length: 3\r\n\r\nabcGET %t/y HTTP/1.1\r\nHost: %h\r\n\r\n", []int{200, 200}, []string{"GET /x", "GET /y"}},
		{"a request in a body", "POST %t/x HTTP/1.1\r\nHost: %h\r\nContent-Length: 34\r\n\r\nGET /y HTTP/1.1\r\nHost: ok.test\r\n\r\n", []int{200}, []string{"POST /x"}},
		{"HTTP/1.0", "GET %t/x HTTP/1.0\r\nHost: %h\r\n\r\n", []int{200}, []string{"GET /x"}},
		{"HTTP/1.0, kept alive", "GET %t/x HTTP/1.0\r\nHost: %h\r\nConnection: keep-alive\r\n\r\nGET %t/y HTTP/1.0\r\nHost: %h\r\n\r\n", []int{200, 200}, []string{"GET /x", "GET /y"}},
	}
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				if tt.name == "an empty line first" && !e.absolute && !e.secure {
					continue // the first bytes do not look like HTTP there: TestNotHTTP
				}
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowHost("ok.test"), text("reached"))
					statuses, _ := w.ask(w.open(), tt.send, len(tt.statuses))
					if len(statuses) != len(tt.statuses) || statuses[0] != tt.statuses[0] {
						t.Errorf("statuses %v, want %v", statuses, tt.statuses)
					}
					var want []string
					for _, r := range tt.received {
						method, uri, _ := strings.Cut(r, " ")
						want = append(want, method+" "+w.fill("%h")+" "+uri)
					}
					if got := w.origin.requests(); strings.Join(got, "\n") != strings.Join(want, "\n") {
						t.Errorf("the origin received %q, want %q", got, want)
					}
				})
			}
		})
	}
}

// TestMalformedSecond: a connection is watched to its end. What comes behind a
// good request may cost that one its answer; it is never forwarded.
func TestMalformedSecond(t *testing.T) {
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			w := newWire(t, e, allowHost("ok.test"), text("reached"))
			conn := w.open()
			if statuses, _ := w.ask(conn, "GET %t/x HTTP/1.1\r\nHost: %h\r\n\r\n", 1); len(statuses) != 1 || statuses[0] != 200 {
				t.Fatalf("first: %v", statuses)
			}
			statuses, _ := w.ask(conn, "POST %t/y HTTP/1.1\r\nHost: %h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 2)
			if len(statuses) != 1 || statuses[0] != 400 {
				t.Errorf("second: %v", statuses)
			}
			if got := w.origin.requests(); len(got) != 1 {
				t.Errorf("the origin received %q", got)
			}
			w = newWire(t, e, allowHost("ok.test"), text("reached"))
			w.ask(w.open(), "GET %t/x HTTP/1.1\r\nHost: %h\r\n\r\nGET %t/y HTTP/1.1\nHost: %h\r\n\r\nGET %t/z HTTP/1.1\r\nHost: %h\r\n\r\n", 3)
			if got := strings.Join(w.origin.requests(), "\n"); strings.Contains(got, "/y") || strings.Contains(got, "/z") {
				t.Errorf("the origin received %q", got)
			}
			w.end()
			if evs := w.events.of(enforce.StageRequest); !slices.ContainsFunc(evs, func(ev enforce.Event) bool { return ev.Rule == ruleMessage }) {
				t.Errorf("events %+v", evs)
			}
		})
	}
}

// TestMalformedBehindUpgrade: where a request mentions a WebSocket, what follows is
// not read as HTTP by who watches the connection; so nothing may follow an answer
// that is none.
func TestMalformedBehindUpgrade(t *testing.T) {
	for _, e := range entrances1 {
		for name, send := range map[string]string{
			"as to a server":       "GET /x HTTP/1.1\r\nHost: %h\r\nUpgrade: websocket\r\n\r\n",
			"no Connection":        "GET %t/x HTTP/1.1\r\nHost: %h\r\nUpgrade: websocket\r\n\r\n",
			"in a second field":    "GET %t/x HTTP/1.1\r\nHost: %h\r\nUpgrade: foo\r\nupgrade: xwebsocket\r\n\r\n",
			"by POST":              "POST %t/x HTTP/1.1\r\nHost: %h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
			"a CONNECT":            "CONNECT evil.test HTTP/1.1\r\nHost: evil.test\r\n\r\n",
			"a WebSocket, refused": "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		} {
			t.Run(e.name+", "+name, func(t *testing.T) {
				w := newWire(t, e, allowHost("ok.test"), text("reached"))
				conn := w.open()
				if statuses, _ := w.ask(conn, send, 1); len(statuses) != 1 {
					t.Fatalf("statuses %v", statuses)
				}
				if statuses, body := w.ask(conn, "GET %t/smuggled HTTP/1.1\nHost: %h\n\n", 1); len(statuses) != 0 {
					t.Errorf("what follows was answered %v %q", statuses, body)
				}
				if got := strings.Join(w.origin.requests(), "\n"); strings.Contains(got, "smuggled") {
					t.Errorf("the origin received %q", got)
				}
			})
		}
	}
}
