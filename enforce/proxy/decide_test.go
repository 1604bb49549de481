package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// TestAllowed: what is allowed arrives, and both events say what happened.
func TestAllowed(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(fmt.Sprintf("%s h2=%v", scheme, h2), func(t *testing.T) {
				w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("hello"))
				status, body := get(t, w.client(h2), w.url(scheme, "ok.test", "/a?b=c"))
				if status != 200 || body != "hello" {
					t.Fatalf("got %d %q", status, body)
				}
				w.shutdown()
				req, resp := w.events.one(t, enforce.StageRequest), w.events.one(t, enforce.StageResponse)
				if req.ID != resp.ID || req.Action != policy.Allow || req.Blocked || req.Rule != "test:1" || req.Path != "/a" || req.Host != "ok.test" || req.Scheme != scheme {
					t.Errorf("request event: %+v", req)
				}
				sum := sha256.Sum256([]byte("hello"))
				if resp.Status != 200 || resp.ResponseBytes != 5 || resp.SHA256 != hex.EncodeToString(sum[:]) || !strings.HasPrefix(resp.Address, "127.0.0.1:") {
					t.Errorf("response event: %+v", resp)
				}
			})
		}
	}
}

// TestVersionIsKept: the origin is spoken to in the client's version of HTTP.
func TestVersionIsKept(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	for h2, want := range map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"} {
		if _, got := get(t, w.client(h2), w.url("https", "ok.test", "/")); got != want {
			t.Errorf("h2=%v: the origin saw %s", h2, got)
		}
	}
}

// TestDenied: nothing is resolved, nothing dialled; the client is told what to
// do, and there is one event.
func TestDenied(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(fmt.Sprintf("%s h2=%v", scheme, h2), func(t *testing.T) {
				w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("secret"), func(c *Config) { c.PolicyName = "policy.yaml" })
				u := w.url(scheme, "evil.test", "/steal")
				status, body := get(t, w.client(h2), u)
				w.untouched()
				if status != http.StatusForbidden {
					t.Errorf("status %d, want 403", status)
				}
				for _, want := range []string{"GET " + u, "no rule matches", "policy.yaml", "- GET " + u} {
					if !strings.Contains(body, want) {
						t.Errorf("the body lacks %q:\n%s", want, body)
					}
				}
				ev := w.events.one(t, enforce.StageRequest)
				if ev.Action != policy.Deny || !ev.Blocked || ev.Allow != "- GET "+u {
					t.Errorf("event: %+v", ev)
				}
			})
		}
	}
}

// TestAuditBlocksNothing: the same denial is recorded and let pass.
func TestAuditBlocksNothing(t *testing.T) {
	for _, mode := range []enforce.Mode{enforce.Audit, enforce.Learn} {
		w := newWorld(t, mode, allowHost("ok.test"), text("fine"))
		if status, body := get(t, w.client(false), w.url("https", "other.test", "/")); status != 200 || body != "fine" {
			t.Errorf("%s: got %d %q", mode, status, body)
		}
		if ev := w.events.one(t, enforce.StageRequest); ev.Action != policy.Deny || ev.Blocked {
			t.Errorf("%s: event: %+v", mode, ev)
		}
	}
}

// TestFailClosed: whatever goes wrong with a decision denies.
func TestFailClosed(t *testing.T) {
	full := errors.New("no space left on device")
	tests := []struct {
		name   string
		policy policy.Policy
		record error
	}{
		{"no policy", nil, nil},
		{"the policy fails", policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
			return policy.Decision{Action: policy.Allow}, errors.New("broken")
		}), nil},
		{"the policy panics", policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) { panic("bug") }), nil},
		{"the event cannot be recorded", allowHost("ok.test"), full},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, tt.policy, text("secret"))
			w.events.fail = tt.record
			if status, body := get(t, w.client(false), w.url("https", "ok.test", "/")); status != 403 {
				t.Errorf("got %d %q", status, body)
			}
			w.untouched()
		})
	}
}

// TestIdentity: who is connected to, who is named in the handshake and who is
// named in the request must be the same; the origin never hears of it.
func TestIdentity(t *testing.T) {
	tests := []struct {
		name         string
		connect, sni string
		host         string // %p stands for the origin's port
		want         int
	}{
		{"all the same", "ok.test", "ok.test", "ok.test:%p", 200},
		{"no server name", "ok.test", "", "ok.test:%p", 200},
		{"case and trailing dot", "OK.test", "ok.test", "Ok.Test.:%p", 200},
		{"inner host differs", "ok.test", "ok.test", "evil.test:%p", 403},
		{"tunnel differs", "evil.test", "ok.test", "ok.test:%p", 403},
		{"server name differs", "ok.test", "evil.test", "ok.test:%p", 403},
		{"port differs", "ok.test", "ok.test", "ok.test:1", 403},
		{"port left out", "ok.test", "ok.test", "ok.test", 403},
		{"user information", "ok.test", "ok.test", "ok.test@evil.test:%p", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("reached"))
			port := fmt.Sprint(w.origin.port)
			conn := w.connect(tt.connect+":"+port, tt.sni)
			host := strings.ReplaceAll(tt.host, "%p", port)
			status, _ := roundTripRaw(t, conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			if status != tt.want {
				t.Errorf("status %d, want %d", status, tt.want)
			}
			if tt.want != 200 {
				w.untouched()
			}
		})
	}
}

// TestIdentityPerRequest: the second request on a connection is held to the
// same rule as the first.
func TestIdentityPerRequest(t *testing.T) {
	w := newWorld(t, enforce.Enforce, policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Rule: "all", Networks: loopback}, nil
	}), text("reached"))
	authority := fmt.Sprintf("ok.test:%d", w.origin.port)
	conn := w.connect(authority, "ok.test")
	if status, _ := roundTripRaw(t, conn, "GET /1 HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); status != 200 {
		t.Fatalf("first: %d", status)
	}
	if status, _ := roundTripRaw(t, conn, "GET /2 HTTP/1.1\r\nHost: "+strings.Replace(authority, "ok", "evil", 1)+"\r\n\r\n"); status != 403 {
		t.Errorf("second: %d, want 403", status)
	}
	if status, _ := roundTripRaw(t, conn, "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n"); status != 400 && status != 403 {
		t.Errorf("CONNECT inside the tunnel: %d, want a refusal", status)
	}
	if got := w.origin.requests(); len(got) != 1 {
		t.Errorf("the origin received %q, want the first only", got)
	}
}

// TestPaths: a path is judged in one spelling and forwarded as sent; a path
// with two readings is refused before anything is dialled.
func TestPaths(t *testing.T) {
	tests := []struct {
		sent, judged string
		want         int
	}{
		{"/@scope%2fname", "/@scope%2Fname", 200},
		{"/%61dmin", "/admin", 200},
		{"/a//b", "/a//b", 200},
		{"/a/../admin", "", 403},
		{"/a/%2e%2e/admin", "", 403},
		{"/a/..%2fadmin", "", 403},
		{"/a/..;/admin", "", 403},
		{"/a/..%5cadmin", "", 403},
		{"/a/%252e%252e/admin", "", 403},
		{"/a%00", "", 403},
	}
	for _, tt := range tests {
		t.Run(tt.sent, func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("reached"))
			authority := fmt.Sprintf("ok.test:%d", w.origin.port)
			conn := w.connect(authority, "ok.test")
			status, _ := roundTripRaw(t, conn, "GET "+tt.sent+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
			if status != tt.want {
				t.Fatalf("status %d, want %d", status, tt.want)
			}
			if tt.want != 200 {
				w.untouched()
				return
			}
			if got := w.origin.requests(); len(got) != 1 || !strings.HasSuffix(got[0], " "+tt.sent) {
				t.Errorf("the origin received %q, want the path as sent", got)
			}
			if ev := w.events.one(t, enforce.StageRequest); ev.Path != tt.judged {
				t.Errorf("judged %q, want %q", ev.Path, tt.judged)
			}
		})
	}
}

// TestPrivateAddress: an allowed name that leads inside is refused at the dial
// unless the rule names the network; the listener hears nothing.
func TestPrivateAddress(t *testing.T) {
	open := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Rule: "test:1"}, nil
	})
	for _, host := range []string{"ok.test", "127.0.0.1"} {
		w := newWorld(t, enforce.Enforce, open, text("inside"))
		status, body := get(t, w.client(false), w.url("https", host, "/"))
		if status != 403 || !strings.Contains(body, "127.0.0.1/32") {
			t.Errorf("%s: got %d %q", host, status, body)
		}
		if n := w.origin.accepted.Load(); n != 0 {
			t.Errorf("%s: the origin accepted %d connections", host, n)
		}
		if ev := w.events.one(t, enforce.StageConnect); !ev.Blocked || ev.Rule != ruleAddress {
			t.Errorf("%s: event %+v", host, ev)
		}
	}
}

// TestRequestRulesDoNotBlind: a policy that allows a host without a thought for
// tunnels lets nothing pass unread.
func TestRequestRulesDoNotBlind(t *testing.T) {
	all := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Rule: "all", Networks: loopback}, nil
	})
	w := newWorld(t, enforce.Enforce, all, text("x"))
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	authority := fmt.Sprintf("ok.test:%d", w.origin.port)
	roundTripRaw(t, conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	_, _ = io.WriteString(conn, "SSH-2.0-client\r\n")
	_, _ = io.Copy(io.Discard, conn)
	w.untouched()
	if status, _ := get(t, w.client(false), w.url("https", "ok.test", "/seen")); status != 200 {
		t.Errorf("status %d", status)
	}
	if ev := w.events.one(t, enforce.StageRequest); ev.Path != "/seen" {
		t.Errorf("the request was not read: %+v", ev)
	}
}

// TestPoolsAreApart: a connection that one rule opened to a private address
// does not serve a request whose rule does not.
func TestPoolsAreApart(t *testing.T) {
	w := newWorld(t, enforce.Enforce, policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		d := policy.Decision{Action: policy.Allow, Rule: "test:1"}
		if r.Path == "/open" {
			d.Networks = loopback
		}
		return d, nil
	}), text("inside"))
	c := w.client(false)
	if status, _ := get(t, c, w.url("https", "ok.test", "/open")); status != 200 {
		t.Fatalf("open: %d", status)
	}
	if status, _ := get(t, c, w.url("https", "ok.test", "/closed")); status != 403 {
		t.Errorf("closed: %d, want 403", status)
	}
	if got := w.origin.requests(); len(got) != 1 {
		t.Errorf("the origin received %q", got)
	}
}

// TestUntrustedOrigin: a certificate that does not verify ends the request with
// words, and the origin never sees it.
func TestUntrustedOrigin(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"), func(c *Config) { c.Roots = nil })
	status, body := get(t, w.client(false), w.url("https", "ok.test", "/"))
	if status != http.StatusBadGateway || !strings.Contains(body, "certificate") {
		t.Errorf("got %d %q", status, body)
	}
	if got := w.origin.requests(); len(got) != 0 {
		t.Errorf("the origin received %q", got)
	}
}

// TestDeniedUploadIsCut: a denied upload is answered without being read whole.
func TestDeniedUploadIsCut(t *testing.T) {
	w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"))
	endless := &endlessBody{stop: make(chan struct{})}
	defer close(endless.stop)
	req, err := http.NewRequest("POST", w.url("https", "evil.test", "/upload"), endless)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.client(false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("status %d", resp.StatusCode)
	}
	w.untouched()
}

// endlessBody gives one piece and then waits for ever.
type endlessBody struct {
	gave bool
	stop chan struct{}
}

func (b *endlessBody) Read(p []byte) (int, error) {
	if !b.gave {
		b.gave = true
		return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
	}
	<-b.stop
	return 0, io.EOF
}

// connect opens a tunnel and shakes hands in it, as a client that may lie.
func (w *world) connect(authority, sni string) net.Conn {
	w.t.Helper()
	return w.tunnelOn(w.dial(), authority, sni)
}

// tunnelOn is connect on a connection to the proxy.
func (w *world) tunnelOn(conn net.Conn, authority, sni string) net.Conn {
	w.t.Helper()
	if status, _ := roundTripRaw(w.t, conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); status != 200 {
		w.t.Fatalf("CONNECT %s: %d", authority, status)
	}
	c := &tls.Config{RootCAs: w.roots, ServerName: sni}
	if sni == "" {
		c.InsecureSkipVerify = true // a client that names nobody verifies nobody
	}
	secure := tls.Client(conn, c)
	if err := secure.Handshake(); err != nil {
		w.t.Fatalf("handshake: %v", err)
	}
	return secure
}

// roundTripRaw writes a request as it is and reads one response.
func roundTripRaw(t *testing.T, conn net.Conn, request string) (int, string) {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	if method == http.MethodConnect && resp.StatusCode == 200 {
		return 200, ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}
