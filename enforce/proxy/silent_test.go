package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// inside reports whether a goroutine is in a function of the proxy's.
func inside(function string) bool {
	buf := make([]byte, 4<<20)
	return strings.Contains(string(buf[:runtime.Stack(buf, true)]), "(*Proxy)."+function+"(")
}

// TestSpareConnection: a connection that a pool opens in advance, where TLS or
// HTTP was spoken before, is no raw TCP however long it is silent, and serves when
// it is used.
func TestSpareConnection(t *testing.T) {
	for _, secure := range []bool{true, false} {
		for _, way := range []string{"captured", "tunnelled"} {
			for _, used := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, TLS %v, used %v", way, secure, used), func(t *testing.T) {
					w, j := captureWorld(t, enforce.Enforce, allowHost("ok.test"), text("reached"))
					w.proxy.speaksAfter = short
					if !used {
						w.proxy.Limits.IdleTimeout = 4 * short
					}
					port := w.origin.plainPort
					if secure {
						port = w.origin.port
					}
					ask := func(conn net.Conn) {
						t.Helper()
						if status, body := roundTripRaw(t, conn, fmt.Sprintf("GET /x HTTP/1.1\r\nHost: ok.test:%d\r\nConnection: close\r\n\r\n", port)); status != 200 || body != "reached" {
							t.Errorf("%d %q", status, body)
						}
					}
					first := openBy(t, w, j, way, port)
					if secure {
						first = tls.Client(first, &tls.Config{RootCAs: w.roots, ServerName: "ok.test"})
					}
					ask(first)
					spare := openBy(t, w, j, way, port)
					happens(t, "it is taken for a spare one", func() bool { return !used || inside("spare") })
					if used {
						if secure {
							spare = tls.Client(spare, &tls.Config{RootCAs: w.roots, ServerName: "ok.test"})
						}
						ask(spare)
					} else {
						ended(t, spare)
					}
					_ = spare.Close()
					w.shutdown()
					for _, ev := range w.events.all() {
						if ev.Action == policy.Deny || ev.Blocked {
							t.Errorf("event %+v", ev)
						}
					}
					if n, want := len(w.origin.requests()), map[bool]int{true: 2, false: 1}[used]; n != want {
						t.Errorf("%d requests", n)
					}
				})
			}
		}
	}
}

// TestSilenceWhereNobodySpoke: a client that waits for its server is denied before
// long, with the line that would let it pass, though another port of the same host
// is one of HTTP.
func TestSilenceWhereNobodySpoke(t *testing.T) {
	w, j := captureWorld(t, enforce.Enforce, allowHost("ok.test"), text("reached"))
	w.proxy.speaksAfter = short
	http := openBy(t, w, j, "captured", w.origin.plainPort)
	roundTripRaw(t, http, fmt.Sprintf("GET /x HTTP/1.1\r\nHost: ok.test:%d\r\nConnection: close\r\n\r\n", w.origin.plainPort))
	l := newListener(t, "SSH-2.0-server\r\n")
	ended(t, openBy(t, w, j, "captured", l.port))
	l.untouched(t)
	if ev := w.events.one(t, enforce.StageTCP); !ev.Blocked || !strings.Contains(ev.Allow, "schemes: [tcp]") || !strings.Contains(ev.Reason, "the client said nothing for 50ms") {
		t.Errorf("event %+v", ev)
	}
}

// TestSilenceByDefault: where the default lets raw TCP pass, to be silent for long
// is no way past the rules about what TLS holds; and a server may still speak first.
func TestSilenceByDefault(t *testing.T) {
	w, j := captureWorld(t, enforce.Enforce, policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Path == "/secret" {
			return policy.Decision{Rule: "test:1"}, nil
		}
		return policy.Decision{Action: policy.Allow, Default: true, Passthrough: r.Scheme == "tcp", Networks: loopback}, nil
	}), text("reached"))
	w.proxy.speaksAfter = short
	w.events.arrived = make(chan struct{})
	conn := openBy(t, w, j, "captured", w.origin.port)
	await(t, w.events.arrived) // its time is over
	secure := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "ok.test"})
	_ = secure.SetDeadline(time.Now().Add(overdue))
	if err := secure.Handshake(); err != nil {
		t.Fatalf("handshake: %v", err) // with the server itself, if the connection passed unread
	}
	if status, _ := roundTripRaw(t, secure, fmt.Sprintf("GET /secret HTTP/1.1\r\nHost: ok.test:%d\r\n\r\n", w.origin.port)); status != 403 {
		t.Errorf("status %d, want 403", status)
	}
	if got := w.origin.requests(); len(got) != 0 {
		t.Errorf("the origin received %q", got)
	}
	if evs := w.events.of(enforce.StageTCP); len(evs) != 0 {
		t.Errorf("taken for raw TCP: %+v", evs)
	}
	port := rawServer(t, say("SSH-2.0-server\r\n"))
	if line, err := bufio.NewReader(openBy(t, w, j, "captured", port)).ReadString('\n'); line != "SSH-2.0-server\r\n" {
		t.Errorf("heard %q, %v", line, err)
	}
}

// TestDestinationsAreBounded: a client that makes up destinations costs no more
// than so many.
func TestDestinationsAreBounded(t *testing.T) {
	var d destinations
	d.add(newTarget("ok.test", 443))
	if d.has(newTarget("ok.test", 443)) {
		t.Error("a port that is known without is remembered")
	}
	for i := range 2 * maxSpoke {
		d.add(newTarget(fmt.Sprintf("h%d.test", i), 8443))
	}
	if len(d.all) != maxSpoke || !d.has(newTarget("h1.test", 8443)) || d.has(newTarget("h1.test", 8444)) {
		t.Errorf("%d are remembered", len(d.all))
	}
}
