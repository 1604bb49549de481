package proxy

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// allowAll lets every request pass, to loopback, but nothing unread.
var allowAll = policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
	return policy.Decision{Action: policy.Allow, Rule: "all", Networks: loopback}, nil
})

// yaml is a policy as a user writes one, opened to loopback.
func yaml(t *testing.T, rules string) policy.Policy {
	t.Helper()
	p, err := allowlist.Parse("policy.yaml", []byte("version: 1\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOneHost: what a connection leads to is what every request on it must name,
// whatever the policy would say about the other one.
func TestOneHost(t *testing.T) {
	tests := []struct {
		name, send string // behind a request that is well
		status     int
		rule       string
	}{
		{"another Host", "GET %t/2 HTTP/1.1\r\nHost: %e\r\n\r\n", 403, ruleIdentity},
		{"another port", "GET %t/2 HTTP/1.1\r\nHost: ok.test:1\r\n\r\n", 403, ruleIdentity},
		{"no port", "GET %t/2 HTTP/1.1\r\nHost: ok.test\r\n\r\n", 403, ruleIdentity},
		{"a CONNECT", "CONNECT %e HTTP/1.1\r\nHost: %e\r\n\r\n", 400, ruleIdentity},
		{"a CONNECT to where it leads", "CONNECT %h HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ruleIdentity},
		{"a CONNECT to no port", "CONNECT evil.test HTTP/1.1\r\nHost: evil.test\r\n\r\n", 400, ruleIdentity},
		{"a CONNECT with content", "CONNECT %e HTTP/1.1\r\nHost: %e\r\nContent-Length: 3\r\n\r\nabc", 400, ruleMessage},
		{"a CONNECT with a NUL", "CONNECT ok.test\x00.evil.test:%p HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ruleMessage},
		{"absolute form, another host", "GET http://%e/2 HTTP/1.1\r\nHost: %h\r\n\r\n", 403, ruleIdentity},
		{"absolute form, TLS", "GET https://%e/2 HTTP/1.1\r\nHost: %h\r\n\r\n", 403, ruleIdentity},
		{"absolute form, another scheme", "GET ftp://%h/2 HTTP/1.1\r\nHost: %h\r\n\r\n", 403, ruleIdentity},
		{"absolute form, user information", "GET http://ok.test@%e/2 HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ruleIdentity},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: %h\r\n\r\n", 403, rulePath},
		{"authority form", "GET ok.test HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ruleMessage},
	}
	for _, e := range entrances1 {
		if e.absolute {
			continue // such a connection leads nowhere: TestAbsoluteForm
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				// A captured client may speak to a proxy of its own: TestCapturedProxyClient.
				if e.captured && (strings.Contains(tt.name, "absolute form") || strings.HasPrefix(tt.name, "a CONNECT to")) {
					continue
				}
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowAll, text("reached"))
					conn := w.open()
					if statuses, _ := w.ask(conn, "GET %t/1 HTTP/1.1\r\nHost: %h\r\n\r\n", 1); len(statuses) != 1 || statuses[0] != 200 {
						t.Fatalf("first: %v", statuses)
					}
					statuses, body := w.ask(conn, tt.send, 1)
					if e.captured && tt.name == "a CONNECT" {
						if len(statuses) != 1 || statuses[0] != 200 {
							t.Errorf("statuses %v %q", statuses, body)
						}
						w.end()
						return
					}
					status := tt.status
					if e.secure && strings.Contains(tt.name, "absolute form, TLS") {
						status = 403
					}
					if len(statuses) != 1 || statuses[0] != status {
						t.Errorf("statuses %v %q, want %d", statuses, body, status)
					}
					w.end()
					if got := w.origin.requests(); len(got) != 1 {
						t.Errorf("the origin received %q", got)
					}
					if n := w.names.asked.Load(); n > 2 { // A and AAAA of the first
						t.Errorf("the name server was asked %d times", n)
					}
					evs := append(w.events.of(enforce.StageRequest), w.events.of(enforce.StageConnect)...)
					if len(evs) != 2 || evs[1].Rule != tt.rule || !evs[1].Blocked {
						t.Errorf("events %+v", evs)
					}
				})
			}
		})
	}
}

// TestAbsoluteForm: the URL counts and the Host field does not (RFC 9112 section
// 3.2.2); the origin receives what was decided.
func TestAbsoluteForm(t *testing.T) {
	tests := []struct {
		name, send string
		status     int
		received   string // "METHOD host URI"
	}{
		{"another Host", "GET http://%h/x HTTP/1.1\r\nHost: %e\r\n\r\n", 200, "GET %h /x"},
		{"no path", "GET http://%h HTTP/1.1\r\nHost: %h\r\n\r\n", 200, "GET %h /"},
		{"no path but a query", "GET http://%h?a HTTP/1.1\r\nHost: %h\r\n\r\n", 200, "GET %h /?a"},
		{"a scheme in capitals", "GET HTTP://%h/x HTTP/1.1\r\nHost: %h\r\n\r\n", 200, "GET %h /x"},
		{"another URL", "GET http://%e/x HTTP/1.1\r\nHost: %h\r\n\r\n", 403, ""},
		{"user information", "GET http://ok.test@%e/x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"its own password", "GET http://u:p@%h/x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"another scheme", "GET ftp://%h/x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"a file", "GET file:///etc/passwd HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"no authority", "GET http:///x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"no slashes", "GET http:%h/x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"one slash", "GET http:/%h/x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"origin form", "GET /x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"a fragment", "GET http://%e#@%h/x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"CONNECT without a port", "CONNECT ok.test HTTP/1.1\r\nHost: ok.test\r\n\r\n", 400, ""},
		{"CONNECT to a path", "CONNECT /x HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"CONNECT with user information", "CONNECT ok.test@%e HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"CONNECT to a list", "CONNECT %h,%e HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"CONNECT to nobody", "CONNECT :443 HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
		{"CONNECT with a NUL", "CONNECT ok.test\x00.evil.test:%p HTTP/1.1\r\nHost: %h\r\n\r\n", 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(t, entrances1[0], allowHost("ok.test"), text("reached"))
			statuses, body := w.ask(w.open(), tt.send, 1)
			if len(statuses) != 1 || statuses[0] != tt.status {
				t.Errorf("statuses %v %q, want %d", statuses, body, tt.status)
			}
			if tt.status != 200 {
				w.denied("", "")
				return
			}
			if got := fmt.Sprint(w.origin.requests()); got != "["+w.fill(tt.received)+"]" {
				t.Errorf("the origin received %s", got)
			}
		})
	}
}

// TestServerName: a handshake names the host that the connection leads to, or
// nobody. A name that no host can have ends it.
func TestServerName(t *testing.T) {
	tests := []struct {
		name, to, sni string
		status        int // 0: no handshake
	}{
		{"the same", "ok.test", "ok.test", 200},
		{"nobody", "ok.test", "", 200},
		{"capitals", "ok.test", "OK.test", 200},
		{"another one", "ok.test", "evil.test", 403},
		{"the other way around", "evil.test", "ok.test", 403},
		{"a name below", "ok.test", "a.ok.test", 403},
		{"a NUL", "ok.test", "ok.test\x00.evil.test", 0},
		{"a blank", "ok.test", "ok.test evil.test", 0},
		{"a number", "ok.test", "2130706433", 0},
		{"two dots", "ok.test", "ok..test", 0},
	}
	for _, e := range append(append([]entrance(nil), entrances1...), entrances2...) {
		if !e.secure {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowAll, text("reached"))
					if tt.status == 0 {
						conn := w.rawTLS(tt.to)
						if err := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: tt.sni}).Handshake(); err == nil {
							t.Error("the handshake succeeded")
						}
						w.opened = append(w.opened, conn)
						w.denied(ruleIdentity, "server name")
						return
					}
					conn := w.openAs(tt.to, tt.sni)
					var status int
					if e.h2 {
						f := framesOn(t, conn)
						f.ask(1, true, ":method: GET", ":scheme: https", w.fill(":authority: %h"), ":path: /")
						outcome, _ := f.answer(1)
						_, _ = fmt.Sscan(outcome, &status)
					} else if statuses, _ := w.ask(conn, "GET / HTTP/1.1\r\nHost: %h\r\n\r\n", 1); len(statuses) == 1 {
						status = statuses[0]
					}
					if status != tt.status {
						t.Errorf("status %d, want %d", status, tt.status)
					}
					if status != 200 {
						w.denied(ruleIdentity, "")
					}
				})
			}
		})
	}
}

// TestEncryptedClientHello: what a client hides in its handshake is not read; the
// name outside counts, and the client learns that the inner one was not.
func TestEncryptedClientHello(t *testing.T) {
	for _, e := range []entrance{entrances1[2], entrances1[4]} {
		t.Run(e.name, func(t *testing.T) {
			w := newWire(t, e, allowAll, text("reached"))
			conn := w.rawTLS("ok.test")
			secure := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "evil.test", EncryptedClientHelloConfigList: echConfig(t, "ok.test")})
			err := secure.Handshake()
			var rejected *tls.ECHRejectionError
			if !errors.As(err, &rejected) {
				t.Errorf("handshake: %v, want a rejection", err)
			}
			w.untouched()
		})
	}
}

// echConfig is an ECHConfigList (draft-ietf-tls-esni section 4) of a key that
// nobody holds.
func echConfig(t *testing.T, public string) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pair := func(b []byte, v []byte) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...) }
	contents := []byte{7, 0, 0x20} // config id, DHKEM(X25519, HKDF-SHA256)
	contents = pair(contents, key.PublicKey().Bytes())
	contents = pair(contents, []byte{0, 1, 0, 1}) // HKDF-SHA256, AES-128-GCM
	contents = append(contents, 32, byte(len(public)))
	contents = append(contents, public...)
	contents = pair(contents, nil)
	return pair(nil, pair([]byte{0xfe, 0x0d}, contents))
}

// TestPortConfusion: TLS and cleartext are judged as what they are, on whatever
// port; a rule for https is one for 443 and TLS.
func TestPortConfusion(t *testing.T) {
	tests := []struct {
		name   string
		port   int
		secure bool
		host   string
		status int
	}{
		{"cleartext on 443", 443, false, "ok.test", 403},
		{"cleartext on 443, said so", 443, false, "ok.test:443", 403},
		{"cleartext on 80", 80, false, "ok.test", 403},
		{"TLS on 80", 80, true, "ok.test", 403},
		{"TLS on 80, said so", 80, true, "ok.test:80", 403},
		{"TLS on 8443", 8443, true, "ok.test:8443", 403},
		{"TLS on 8443 for 443", 8443, true, "ok.test", 403},
	}
	for _, captured := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s captured=%v", tt.name, captured), func(t *testing.T) {
				w := newWire(t, entrance{secure: tt.secure, captured: captured}, yaml(t, "allow:\n  - {host: ok.test, networks: [127.0.0.0/8]}\n"), text("reached"))
				w.at = tt.port
				statuses, _ := w.ask(w.open(), "GET / HTTP/1.1\r\nHost: "+tt.host+"\r\n\r\n", 1)
				if len(statuses) != 1 || statuses[0] != tt.status {
					t.Errorf("statuses %v", statuses)
				}
				w.denied("", "")
			})
		}
	}
}

// TestUpgrades: nothing changes the protocol but a WebSocket; an offer of HTTP/2
// is not taken up and reaches nobody.
func TestUpgrades(t *testing.T) {
	tests := []struct {
		name, send string
		status     int
	}{
		{"h2c", "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 200},
		{"h2c, settings not nominated", "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 200},
		{"an upgrade that Connection does not name", "GET %t/x HTTP/1.1\r\nHost: %h\r\nUpgrade: foo\r\n\r\n", 200},
		{"in HTTP/1.0", "GET %t/x HTTP/1.0\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n", 200},
		{"a WebSocket in HTTP/1.0", "GET %t/x HTTP/1.0\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200},
		{"foo", "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n", 403},
		{"tcp", "POST %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n", 403},
		{"TLS", "OPTIONS %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n", 403},
		{"a list", "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: h2c, foo\r\n\r\n", 403},
		{"a WebSocket by POST", "POST %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", 403},
		{"a WebSocket with content", "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc", 403},
		{"a WebSocket that no rule allows", "GET %t/x HTTP/1.1\r\nHost: %h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET %t/y HTTP/1.1\r\nHost: %h\r\n\r\n", 403},
	}
	onlyHTTP := policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Scheme == "ws" || r.Scheme == "wss" {
			return policy.Decision{}, nil
		}
		return allowAll.Decide(ctx, r)
	})
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					got := make(chan string, 1)
					w := newWire(t, e, onlyHTTP, headerRecorder(got))
					statuses, _ := w.ask(w.open(), tt.send, 1)
					if len(statuses) == 0 || statuses[0] != tt.status {
						t.Fatalf("statuses %v, want %d", statuses, tt.status)
					}
					if tt.status != 200 {
						w.denied("", "")
						return
					}
					if h := await(t, got); h != "" {
						t.Errorf("the origin received %s", h)
					}
				})
			}
		})
	}
}

// TestOverrides: a rule that names a method or a path allows nothing that a
// header would turn into another one, nor hides it from a rule that denies.
func TestOverrides(t *testing.T) {
	p := "allow:\n  - {host: ok.test, methods: [GET, POST], schemes: [http, https], ports: [%p], networks: [127.0.0.0/8]}\n"
	for _, e := range append(append([]entrance(nil), entrances1...), entrances2...) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, field := range []string{
				"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "x-http-method-override: delete",
				"X_HTTP_Method_Override: DELETE", "X-Original-URL: /admin", "X-Rewrite-URL: /admin", "x-original-url: /admin",
			} {
				t.Run(field, func(t *testing.T) {
					var rules policy.Policy
					w := newWire(t, e, policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) { return rules.Decide(ctx, r) }), text("reached"))
					rules = yaml(t, w.fill(p))
					if got := w.status("GET", ""); got != 200 {
						t.Fatalf("without: %d", got)
					}
					before := w.origin.accepted.Load()
					if got := w.status("GET", field); got != 403 {
						t.Errorf("status %d", got)
					}
					if got := w.origin.requests(); len(got) != 1 || w.origin.accepted.Load() != before {
						t.Errorf("the origin received %q", got)
					}
				})
			}
		})
	}
}

// status sends a request for /x with one more field.
func (w *wire) status(method, field string) int {
	w.t.Helper()
	var status int
	if w.h2 {
		f := w.frames()
		fields := []string{":method: " + method, ":scheme: https", w.fill(":authority: %h"), ":path: /x"}
		if name, value, ok := strings.Cut(field, ": "); ok {
			fields = append(fields, strings.ToLower(name)+": "+value)
		}
		f.ask(1, true, fields...)
		outcome, _ := f.answer(1)
		_, _ = fmt.Sscan(outcome, &status)
		return status
	}
	if field != "" {
		field += "\r\n"
	}
	statuses, _ := w.ask(w.open(), method+" %t/x HTTP/1.1\r\nHost: %h\r\n"+field+"\r\n", 1)
	if len(statuses) == 1 {
		return statuses[0]
	}
	return 0
}

// TestSyntheticAddress: an address that stands for no name is no host, in a
// request no more than on a connection.
func TestSyntheticAddress(t *testing.T) {
	w := newWire(t, entrances1[0], yaml(t, "default: deny\nallow:\n  - {host: ok.test, networks: [127.0.0.0/8]}\n"), text("x"))
	statuses, _ := w.ask(w.open(), "GET http://"+netip.MustParseAddr("198.18.1.1").String()+"/ HTTP/1.1\r\nHost: x\r\n\r\n", 1)
	if len(statuses) != 1 || statuses[0] != 403 {
		t.Errorf("statuses %v", statuses)
	}
	w.denied("", "")
}
