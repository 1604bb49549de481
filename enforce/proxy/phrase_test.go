package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestReasonPhrase: in HTTP/1 the status line of a denial, and of a failure, says
// why, that of the next answer on the connection what the server said.
func TestReasonPhrase(t *testing.T) {
	reasons := map[string]string{
		"/denied":  "no rule matches",
		"/split":   "a\r\nX-Evil: 1\tü\x7f",
		"/long":    strings.Repeat("x", 300),
		"/nothing": "",
	}
	want := map[string]string{
		"/denied":  "403 Forbidden (proxaudit: no rule matches)",
		"/split":   `403 Forbidden (proxaudit: a\r\nX-Evil: 1\t?\x7f)`,
		"/long":    "403 Forbidden (proxaudit: " + strings.Repeat("x", maxPhrase) + "...)",
		"/nothing": "403 Forbidden (proxaudit: )",
		"/ok":      "403 Forbidden",
	}
	rules := policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		if reason, denied := reasons[r.Path]; denied {
			return policy.Decision{Reason: reason}, nil
		}
		return allowHost("ok.test").Decide(t.Context(), r)
	})
	for _, e := range entrances1 {
		for _, version := range []string{"1.1", "1.0"} {
			t.Run(e.name+", "+version, func(t *testing.T) {
				w := newWire(t, e, rules, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
				conn := w.open()
				br := bufio.NewReader(conn)
				for _, path := range []string{"/denied", "/ok", "/split", "/long", "/nothing", "/ok"} {
					_, _ = fmt.Fprintf(conn, w.fill("GET %t%s HTTP/%s\r\nHost: %h\r\nConnection: keep-alive\r\n\r\n"), path, version)
					resp, err := http.ReadResponse(br, nil)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(resp.Body)
					if err != nil || resp.Status != want[path] || resp.Header.Get("X-Evil") != "" || (path == "/ok") == strings.HasPrefix(string(body), "proxaudit: denied") {
						t.Errorf("%s: %q %q, %v, want %q", path, resp.Status, body, err, want[path])
					}
				}
			})
		}
		w := newWire(t, e, allowHost("ok.test"), text("x"))
		w.at = freePort(t)
		resp, err := w.httpClient().Get(w.urlOf("/x"))
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); !strings.HasPrefix(resp.Status, "502 Bad Gateway (proxaudit: dial tcp") || !strings.HasSuffix(resp.Status, "connection refused)") {
			t.Errorf("%s: %q", e.name, resp.Status)
		}
	}
}

// TestPhraseIsForItsAnswer: what is written to the client is what net/http wrote,
// but for the line that the phrase was meant for.
func TestPhraseIsForItsAnswer(t *testing.T) {
	for _, tt := range []struct{ writes, want string }{
		{"HTTP/1.1 403 Forbidden\r\nA: b\r\n\r\nx", "HTTP/1.1 403 Forbidden (y)\r\nA: b\r\n\r\nx"},
		{"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"},
		{"HTTP/1.1 403", "HTTP/1.1 403"},
		{"x\r\n", "x\r\n"},
	} {
		client, server := net.Pipe()
		g := &guard{Conn: server}
		g.serving.Store(true)
		phrase := "403 Forbidden (y)"
		g.phrase.Store(&phrase)
		go func() {
			for range 2 {
				if n, err := g.Write([]byte(tt.writes)); n != len(tt.writes) || err != nil {
					t.Errorf("%q: %d, %v", tt.writes, n, err)
				}
			}
			_ = server.Close()
		}()
		if got, _ := io.ReadAll(client); string(got) != tt.want+tt.writes {
			t.Errorf("%q: %q", tt.writes, got)
		}
	}
}
