package proxy

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// askFor asks for a path of a host, spelled as given, and returns the status. An
// HTTP/2 stream that is reset counts as 400.
func (w *wire) askFor(method, host, path string) (status int) {
	w.t.Helper()
	host = w.fill(host)
	if w.h2 {
		f := w.frames()
		f.ask(1, true, ":method: "+method, ":scheme: https", ":authority: "+host, ":path: "+path)
		outcome, _ := f.answer(1)
		status, err := strconv.Atoi(outcome)
		if err != nil {
			return 400
		}
		return status
	}
	target := path
	if w.absolute {
		target = "http://" + host + path
	}
	statuses, _ := w.ask(w.open(), method+" "+target+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n", 1)
	if len(statuses) == 0 {
		w.t.Fatalf("no response to %q", host)
	}
	return statuses[0]
}

// TestNames: a host has one spelling at every entrance; another host, however
// much it looks like the one that is allowed, is never resolved or dialled.
func TestNames(t *testing.T) {
	const (
		mapped  = 0 // another spelling of ok.test to those who take it at all
		foreign = 1 // another host to those who take it at all
	)
	tests := []struct {
		name, host string
		status     int // 403 for another host, 400 for none
	}{
		{"as it is", "ok.test:%p", 200},
		{"capitals", "OK.Test:%p", 200},
		{"the root's dot", "ok.test.:%p", 200},
		{"two dots", "ok.test..:%p", 400},
		{"a dot in front", ".ok.test:%p", 400},
		{"a longer name", "evilok.test:%p", 403},
		{"a name below", "a.ok.test:%p", 403},
		{"as a prefix", "ok.test.evil.test:%p", 403},
		{"brackets", "[ok.test]:%p", 400},
		{"user information", "ok.test@evil.test:%p", 400},
		{"user information that is the host", "evil.test@ok.test:%p", 400},
		{"user and password", "ok.test:%p@evil.test:%p", 400},
		{"two ports", "ok.test:%p:%p", 400},
		{"no digits", "ok.test:", 400},
		{"port 0", "ok.test:0", 400},
		{"a zero in front", "ok.test:0%p", 400},
		{"a sign", "ok.test:+%p", 400},
		{"a port that wraps around", "ok.test:9999999%p", 400},
		{"another port", "ok.test:1", 403},
		{"a list", "ok.test:%p,evil.test", 400},
		{"a list of two", "ok.test,evil.test:%p", 400},
		{"a backslash", `ok.test\.evil.test:%p`, 400},
		{"an escape", "ok%2etest:%p", 400},
		{"an escaped NUL", "ok.test%00.evil.test:%p", 400},
		{"an escaped slash", "ok.test%2f.evil.test:%p", 400},
		{"a wildcard", "*.test:%p", 400},
		{"a semicolon", "ok.test;evil.test:%p", 400},
		{"full width", "ｏｋ.test:%p", mapped},
		{"an ideographic dot", "ok。test:%p", mapped},
		{"a Kelvin sign", "o\u212a.test:%p", mapped},
		{"a soft hyphen", "o\u00adk.test:%p", mapped},
		{"a Cyrillic o", "\u043ek.test:%p", foreign},
		{"the same as an A-label", "xn--k-0tb.test:%p", 403},
		{"an address", "127.0.0.1:%p", 403},
		{"an address as a number", "2130706433:%p", 400},
		{"an address in hexadecimal", "0x7f000001:%p", 400},
		{"an address in octal", "0177.0.0.1:%p", 400},
		{"a short address", "127.1:%p", 400},
		{"an address in IPv6", "[::ffff:127.0.0.1]:%p", 403},
		{"an address with a zone", "[fe80::1%25lo]:%p", 400},
		{"no brackets", "::1:%p", 400},
		{"an empty label", "ok..test:%p", 400},
		{"a label of 64", strings.Repeat("a", 64) + ".test:%p", 400},
		{"a name of 300", strings.Repeat("a.", 150) + "test:%p", 400},
	}
	for _, e := range append(append([]entrance(nil), entrances1...), entrances2...) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowHost("ok.test"), text("reached"))
					status := w.askFor("GET", tt.host, "/x")
					if e.absolute && tt.host == "ok.test:1" {
						if status != 502 { // the host is allowed, and nobody listens there
							t.Errorf("status %d, want 502", status)
						}
						return
					}
					if status != tt.status && (tt.status != mapped || status != 200 && status != 400) && (tt.status != foreign || status/100 != 4) {
						t.Errorf("status %d, want %d", status, tt.status)
					}
					if status == 200 {
						want := "get " + w.fill("ok.test:%p") + " /x"
						if got := w.origin.requests(); len(got) != 1 || strings.ToLower(got[0]) != want {
							t.Errorf("the origin received %q, want %q", got, want)
						}
						return
					}
					w.untouched()
					if !e.h2 {
						w.denied("", "")
					}
				})
			}
		})
	}
}

// TestPathsAtEveryEntrance: what is judged is what is forwarded, byte for byte
// as far as a byte may stand in a path; what can be read in two ways is refused.
func TestPathsAtEveryEntrance(t *testing.T) {
	tests := []struct {
		sent, judged, received string // judged "" is refused; received "" is as sent
	}{
		{"/", "/", ""},
		{"/a/b", "/a/b", ""},
		{"/a/", "/a/", ""},
		{"//a", "//a", ""},
		{"/a//b", "/a//b", ""},
		{"/a;x=1/b", "/a;x=1/b", ""},
		{"/%61dmin", "/admin", ""},
		{"/@s%2fn", "/@s%2Fn", ""},
		{"/@s%2Fn", "/@s%2Fn", ""},
		{"/a%20b", "/a%20b", ""},
		{"/a+b", "/a+b", ""},
		{"/~u/-_.!$&'()*+,;=:@", "/~u/-_.!$&'()%2A+,;=:@", ""},
		{"/a%2Fb|c", "/a%2Fb%7Cc", "/a%2Fb%7Cc"},
		{"/%2f\"<x>`{y}^", "/%2F%22%3Cx%3E%60%7By%7D%5E", "/%2f%22%3Cx%3E%60%7By%7D%5E"},
		{"/[x]", "/%5Bx%5D", ""},
		{"/\u00e9%2f", "/%C3%A9%2F", "/%C3%A9%2f"},
		{"/a?b=%2e%2e/../c&d=\"e\"|", "/a", ""},
		{"/a?", "/a", ""},
		{"/a??", "/a", ""},
		{"/http://evil.test/", "/http://evil.test/", ""},
		{"//evil.test/x", "//evil.test/x", ""},
		{"/a%3fb", "/a%3Fb", ""},
		{"/a%23b", "/a%23b", ""},
		{"/...", "/...", ""},
		{"/..", "", ""},
		{"/a/../b", "", ""},
		{"/a/./b", "", ""},
		{"/flat/./Packages.gz", "/flat/Packages.gz", "/flat/Packages.gz"},
		{"/./InRelease?x=/./", "/InRelease", "/InRelease?x=/./"},
		{"/flat/./sub/a_1%2b1_all.deb", "/flat/sub/a_1%2B1_all.deb", "/flat/sub/a_1%2b1_all.deb"},
		{"/flat/././Packages.gz", "", ""},
		{"/flat/./sub/./Packages.gz", "", ""},
		{"/flat/%2e/Packages.gz", "", ""},
		{"/flat/./../Packages.gz", "", ""},
		{"/flat/./%2e%2e/Packages.gz", "", ""},
		{"/flat/.;x/Packages.gz", "", ""},
		{"/flat/.%2fPackages.gz", "", ""},
		{"/flat/./Packages.json", "", ""},
		{"/flat/./", "", ""},
		{"/a/..", "", ""},
		{"/a/%2e%2e/b", "", ""},
		{"/a/%2E./b", "", ""},
		{"/a/..%2fb", "", ""},
		{"/a/..%5cb", "", ""},
		{"/a%5cb", "", ""},
		{`/a/..\b`, "", ""},
		{`/a\..\b`, "", ""},
		{"/a/%252e%252e/b", "", ""},
		{"/a/..;x/b", "", ""},
		{"/a/..;/b", "", ""},
		{"/a/%c0%ae%c0%ae/b", "", ""},
		{"/a%00b", "", ""},
		{"/a%0d%0ab", "", ""},
		{"/a%09b", "", ""},
		{"/a%7fb", "", ""},
		{"/a%255cb", "", ""},
	}
	for _, e := range append(append([]entrance(nil), entrances1...), entrances2...) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.sent, func(t *testing.T) {
					var judged, query string
					w := newWire(t, e, policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
						if r.Method == "GET" {
							judged, query = r.Path, r.Query
						}
						return allowHost("ok.test").Decide(ctx, r)
					}), text("reached"))
					status := w.askFor("GET", "ok.test:%p", tt.sent)
					if tt.judged == "" {
						if status != 403 && status != 400 {
							t.Errorf("status %d", status)
						}
						w.denied(rulePath, "ambiguous path")
						return
					}
					if judged != tt.judged || status != 200 {
						t.Errorf("judged %q, want %q; status %d", judged, tt.judged, status)
					}
					if _, want, _ := strings.Cut(tt.sent, "?"); query != want {
						t.Errorf("judged query %q, want %q", query, want)
					}
					received := tt.received
					if received == "" {
						received = tt.sent
					}
					if got, want := fmt.Sprint(w.origin.requests()), "["+w.fill("GET %h ")+received+"]"; got != want {
						t.Errorf("the origin received %s, want %s", got, want)
					}
				})
			}
		})
	}
}

// TestMethods: a method is judged and forwarded as it was sent.
func TestMethods(t *testing.T) {
	for _, e := range append(append([]entrance(nil), entrances1...), entrances2...) {
		t.Run(e.name, func(t *testing.T) {
			var judged string
			for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND", "TRACE", "Get", "M-SEARCH", "GETX"} {
				if method == "Get" && !e.secure && !e.absolute {
					continue // the first bytes do not look like HTTP: TestNotHTTP
				}
				w := newWire(t, e, policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
					if r.Scheme != "tcp" && r.Method != "CONNECT" {
						judged = r.Method
					}
					return allowHost("ok.test").Decide(ctx, r)
				}), text("reached"))
				status := w.askFor(method, "ok.test:%p", "/x")
				if got, want := fmt.Sprint(w.origin.requests()), "["+method+w.fill(" %h /x]"); status != 200 || judged != method || got != want {
					t.Errorf("%s: status %d, judged %q, the origin received %s", method, status, judged, got)
				}
			}
			if !e.secure && !e.absolute {
				return
			}
			w := newWire(t, e, allowHost("ok.test"), text("reached"))
			if status := w.askFor("G@T", "ok.test:%p", "/x"); status != 400 {
				t.Errorf("G@T: status %d", status)
			}
			w.denied(ruleMessage, "")
		})
	}
}

// TestNotHTTP: bytes in a tunnel that are neither TLS nor HTTP are raw TCP, which
// takes a rule of its own.
func TestNotHTTP(t *testing.T) {
	for _, e := range []entrance{entrances1[1], entrances1[3]} {
		for _, send := range []string{"get / HTTP/1.1\r\nHost: %h\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: %h\r\n\r\n", " GET / HTTP/1.1\r\n\r\n", "\x00\r\n", "\x16", "\x80\x2e\x01\x00\x02"} {
			t.Run(fmt.Sprintf("%s %.8q", e.name, send), func(t *testing.T) {
				t.Parallel()
				w := newWire(t, e, allowHost("ok.test"), text("reached"))
				conn := w.open()
				if send == "\x16" { // the beginning of a handshake that never goes on
					_, _ = conn.Write([]byte(send))
					_ = conn.Close()
					w.end()
					w.untouched()
					return
				}
				if statuses, _ := w.ask(conn, send, 1); len(statuses) != 0 {
					t.Errorf("statuses %v", statuses)
				}
				w.untouched()
				if ev := w.events.one(t, enforce.StageTCP); !ev.Blocked {
					t.Errorf("event %+v", ev)
				}
			})
		}
	}
}
