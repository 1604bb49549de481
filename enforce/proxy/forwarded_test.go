package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestQueryEnds: what some servers end a query at is not in one. Nothing of such a
// request arrives.
func TestQueryEnds(t *testing.T) {
	const rules = "default: allow\nallow:\n  - {host: ok.test, paths: [/known], query: {a: '*'}, schemes: [https, http], ports: [%p], networks: [127.0.0.0/8]}\n" +
		"deny:\n  - {host: ok.test, query: {admin: '1'}}\n"
	tests := []struct {
		target       string
		status       int
		rule, reason string
	}{
		{"/known?a=1", 200, "", ""},
		{"/known?a=%23%20", 200, "", ""},
		{"/known?admin=1#x", 403, rulePath, "number sign"},
		{"/known?a=1#&admin=2", 403, rulePath, "number sign"},
		{"/known?#", 403, rulePath, "number sign"},
		{"/known?a=1 HTTP/1.1", 400, ruleMessage, "blank"},
		{"/known?a=1 x", 400, ruleMessage, "blank"},
		{"/known? ", 400, ruleMessage, "blank"},
	}
	for _, e := range slices.Concat(entrances1, entrances2) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				if strings.Contains(tt.target, " ") && !e.h2 {
					continue // TestMalformed
				}
				t.Run(tt.target, func(t *testing.T) {
					var rule policy.Policy
					w := newWire(t, e, policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
						return rule.Decide(ctx, r)
					}), text("reached"))
					rule = yaml(t, w.fill(rules))
					if status := w.askFor("GET", "ok.test:%p", tt.target); status != tt.status {
						t.Errorf("status %d, want %d", status, tt.status)
					}
					if tt.status == 200 {
						if got := fmt.Sprint(w.origin.requests()); got != "["+w.fill("GET %h "+tt.target)+"]" {
							t.Errorf("the origin received %s", got)
						}
						return
					}
					w.denied(tt.rule, tt.reason)
				})
			}
		})
	}
}

// serve puts a server that speaks one version of HTTP in the place of the origin's.
func (w *wire) serve(t *testing.T, protocol string, h http.HandlerFunc) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = protocol == "h2"
	s.TLS = &tls.Config{NextProtos: []string{protocol}, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return w.origin.authority.Leaf(hello.ServerName)
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	w.at = s.Listener.Addr().(*net.TCPAddr).Port
}

// TestBlanksAroundValues: HTTP/2 can carry blanks around a value, which a server
// takes off. They are gone before the policy looks.
func TestBlanksAroundValues(t *testing.T) {
	const rules = "default: log\nallow:\n  - {host: ok.test, paths: [/x], headers: {X-Mode: read}, ports: [%p], networks: [127.0.0.0/8]}\n" +
		"deny:\n  - {host: ok.test, headers: {X-Mode: write}}\n"
	for _, e := range entrances2 {
		for _, version := range []string{"h2", "http/1.1"} { // of the server
			t.Run(e.name+", "+version, func(t *testing.T) {
				got := make(chan string, 1)
				var rule policy.Policy
				w := newWire(t, e, policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
					return rule.Decide(ctx, r)
				}), text("reached"))
				w.serve(t, version, func(_ http.ResponseWriter, r *http.Request) { got <- fmt.Sprintf("%q", r.Header["X-Mode"]) })
				rule = yaml(t, w.fill(rules))
				ask := func(value string) string {
					f := w.frames()
					f.ask(1, true, ":method: GET", ":scheme: https", w.fill(":authority: %h"), ":path: /x", "x-mode: "+value)
					outcome, _ := f.answer(1)
					return outcome
				}
				for _, value := range []string{"write", " write", "write ", "\twrite\t", "  write"} {
					if outcome := ask(value); outcome != "403" {
						t.Errorf("%q: %s", value, outcome)
					}
				}
				w.untouched()
				if len(got) > 0 {
					t.Errorf("arrived: %s", <-got)
				}
				for _, value := range []string{"read", " read", "read\t "} {
					if outcome := ask(value); outcome != "200" {
						t.Errorf("%q: %s", value, outcome)
					} else if arrived := await(t, got); arrived != `["read"]` {
						t.Errorf("%q arrived as %s", value, arrived)
					}
				}
			})
		}
	}
}

// TestForwardedHost: a server that takes its own name from the request redirects
// to wherever the client likes. That opens nothing.
func TestForwardedHost(t *testing.T) {
	for _, e := range []entrance{entrances1[0], entrances1[2], entrances2[0]} {
		t.Run(e.name, func(t *testing.T) {
			for _, field := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "x-forwarded-proto", "X_Forwarded_Host", "Forwarded", "X-Host", "X-HTTP-Host-Override", "X-Original-Host", "X-Forwarded-Prefix", "X-Forwarded-Port"} {
				t.Run(field, func(t *testing.T) {
					w := newRedirectWorld(t, e, redirectPolicy)
					w.with = http.Header{field: {w.fill("%e")}}
					w.want(302, "GET", "ok.test", "/to/302", "Location=%s://%e/file")
					w.want(403, "GET", "evil.test", "/file")
					if got := w.reached(); got != nil {
						t.Errorf("the server of evil.test received %q", got)
					}
					w.with = nil
					w.want(302, "GET", "ok.test", "/to/302", "Location=%s://%e/file")
					w.want(200, "GET", "evil.test", "/file")
				})
			}
		})
	}
}
