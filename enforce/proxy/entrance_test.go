package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// entrance is a way in which a client's bytes come to the proxy. What holds at
// one must hold at all of them.
type entrance struct {
	name     string
	captured bool // the client knows of no proxy
	absolute bool // it knows of one, and names whole URLs to it
	secure   bool
	h2       bool
}

// entrances1 are those of HTTP/1.
var entrances1 = []entrance{
	{name: "explicit, absolute form", absolute: true},
	{name: "explicit, cleartext tunnel"},
	{name: "explicit, TLS tunnel", secure: true},
	{name: "captured, plain", captured: true},
	{name: "captured, TLS", captured: true, secure: true},
}

// entrances2 are those of HTTP/2.
var entrances2 = []entrance{
	{name: "explicit, h2 tunnel", secure: true, h2: true},
	{name: "captured, h2", captured: true, secure: true, h2: true},
}

// wire is a world behind one entrance.
type wire struct {
	*world
	entrance
	jail   *jail
	opened []net.Conn
	at     int // the port to ask for, 0 for the origin's
}

// end closes what was opened, so that nothing is waited for, and waits until
// every event is recorded.
func (w *wire) end() {
	for _, conn := range w.opened {
		_ = conn.Close()
	}
	w.shutdown()
}

func newWire(t *testing.T, e entrance, p policy.Policy, h http.Handler) *wire {
	t.Helper()
	w, j := captureWorld(t, enforce.Enforce, p, h)
	return &wire{world: w, entrance: e, jail: j}
}

func (w *wire) port() int {
	switch {
	case w.at != 0:
		return w.at
	case w.secure:
		return w.origin.port
	}
	return w.origin.plainPort
}

// fill replaces what a case cannot know: %h and %e are ok.test and evil.test with
// the origin's port, %p the port, %t stands before the path.
func (w *wire) fill(s string) string {
	before := ""
	if w.absolute {
		before = "http://%h"
	}
	s = strings.ReplaceAll(s, "%t", before)
	port := fmt.Sprint(w.port())
	return strings.NewReplacer("%h", "ok.test:"+port, "%e", "evil.test:"+port, "%p", port).Replace(s)
}

// open connects as a client that wants ok.test.
func (w *wire) open() net.Conn {
	w.t.Helper()
	return w.openAs("ok.test", "ok.test")
}

// openAs connects to host and names sni in the handshake.
func (w *wire) openAs(host, sni string) net.Conn {
	w.t.Helper()
	conn := w.rawTLS(host)
	if !w.secure {
		return conn
	}
	c := &tls.Config{RootCAs: w.roots, ServerName: sni, InsecureSkipVerify: sni == ""}
	if w.h2 {
		c.NextProtos = []string{"h2"}
	}
	secure := tls.Client(conn, c)
	if err := secure.Handshake(); err != nil {
		w.t.Fatalf("handshake: %v", err)
	}
	return secure
}

// rawTLS is openAs before the handshake.
func (w *wire) rawTLS(host string) net.Conn {
	w.t.Helper()
	var conn net.Conn
	switch {
	case w.captured && host == "evil.test":
		conn = w.jail.dial(w.t, w.world, evilAddr, w.port())
	case w.captured:
		conn = w.jail.dial(w.t, w.world, okAddr, w.port())
	default:
		conn = w.jail.dial(w.t, w.world, jailAddr, 1)
	}
	w.opened = append(w.opened, conn)
	if !w.captured && !w.absolute {
		authority := fmt.Sprintf("%s:%d", host, w.port())
		if status, _ := roundTripRaw(w.t, conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); status != 200 {
			w.t.Fatalf("CONNECT: %d", status)
		}
	}
	return conn
}

// headerRecorder tells which fields of an upgrade it received, "" for none.
func headerRecorder(got chan<- string) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		said := ""
		for _, name := range []string{"Connection", "Upgrade", "Http2-Settings"} {
			if v := r.Header[name]; len(v) > 0 {
				said += fmt.Sprintf("%s %q ", name, v)
			}
		}
		got <- said
	})
}

// ask sends bytes and reads all responses until the connection ends or is
// silent after one. It returns their statuses and the first body.
func (w *wire) ask(conn net.Conn, send string, responses int) (statuses []int, body string) {
	w.t.Helper()
	sent := make(chan struct{})
	go func() { // a refusal may come before the end of what is sent
		defer close(sent)
		_, _ = io.WriteString(conn, w.fill(send))
	}()
	defer func() { <-sent }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	br := bufio.NewReader(conn)
	method, _, _ := strings.Cut(strings.TrimLeft(send, "\r\n"), " ")
	for len(statuses) < responses {
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				w.t.Errorf("no answer")
			}
			_ = conn.Close()
			return statuses, body
		}
		statuses = append(statuses, resp.StatusCode)
		if method == http.MethodConnect && resp.StatusCode == 200 {
			return statuses, ""
		}
		if len(statuses) == 1 {
			b, _ := io.ReadAll(resp.Body)
			body = string(b)
		} else {
			_, _ = io.Copy(io.Discard, resp.Body)
		}
	}
	return statuses, body
}

// denied fails the test unless nothing was touched and there is one event, a
// denial whose rule and reason hold these words.
func (w *wire) denied(rule, reason string) {
	w.t.Helper()
	w.untouched()
	w.end()
	if n := len(w.events.of(enforce.StageResponse)); n != 0 {
		w.t.Errorf("%d response events", n)
	}
	var all []enforce.Event
	for _, stage := range []enforce.Stage{enforce.StageConnect, enforce.StageRequest, enforce.StageTCP} {
		all = append(all, w.events.of(stage)...)
	}
	if len(all) != 1 {
		w.t.Errorf("%d events, want 1: %+v", len(all), all)
		return
	}
	if ev := all[0]; ev.Action != policy.Deny || !ev.Blocked || !strings.Contains(ev.Rule, rule) || !strings.Contains(ev.Reason, reason) {
		w.t.Errorf("event %+v, want rule %q, reason %q", ev, rule, reason)
	}
}

// proxyURL names the proxy to a client of its own.
func (w *wire) proxyURL() *url.URL { return &url.URL{Scheme: "http", Host: w.addr} }

// await receives what a test waits for, and gives up before the test program does,
// with a word of what everybody else waited for.
func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		buf := make([]byte, 1<<20)
		t.Fatalf("waited in vain; the goroutines:\n%s", buf[:runtime.Stack(buf, true)])
	}
	return v
}
