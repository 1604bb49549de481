package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// listener is a server that an attacker would like to reach. It keeps what it
// receives, and answers the first of it with answer.
type listener struct {
	port     int
	accepted chan struct{} // a token each
	received chan string   // what each connection sent, once it has ended
}

func newListener(t *testing.T, answer string) *listener {
	t.Helper()
	l := &listener{accepted: make(chan struct{}, 8), received: make(chan string, 8)}
	l.port = rawServer(t, func(c net.Conn) {
		l.accepted <- struct{}{}
		b := make([]byte, 64<<10)
		n, _ := c.Read(b)
		_, _ = io.WriteString(c, answer)
		rest, _ := io.ReadAll(c)
		l.received <- string(b[:n]) + string(rest)
	})
	return l
}

// untouched fails the test unless nobody came.
func (l *listener) untouched(t *testing.T) {
	t.Helper()
	select {
	case <-l.accepted:
		t.Error("the server was reached")
	default:
	}
}

// passing is a policy by which TLS to a host passes: a rule, or what a policy decides
// that has no rules to look at.
func passing(t *testing.T, backend, host string, port int) policy.Policy {
	t.Helper()
	if backend == "yaml" {
		return yaml(t, fmt.Sprintf("allow:\n  - {host: \"%s\", ports: [%d], tls: passthrough, networks: [127.0.0.0/8]}\n", host, port))
	}
	return policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Scheme != "https" || r.Host != host || int(r.Port) != port {
			return policy.Decision{Default: true, Reason: "no rule matches"}, nil
		}
		return policy.Decision{Action: policy.Allow, Rule: "pinned", Passthrough: true, Networks: loopback}, nil
	})
}

// extension is one of a ClientHello (RFC 8446 section 4.2).
func extension(kind uint16, data string) string {
	return string([]byte{byte(kind >> 8), byte(kind), byte(len(data) >> 8), byte(len(data))}) + data
}

// names is the extension server_name (RFC 6066 section 3) with a list of names.
func names(all ...string) string {
	list := ""
	for _, name := range all {
		list += string([]byte{0, byte(len(name) >> 8), byte(len(name))}) + name
	}
	return extension(0, string([]byte{byte(len(list) >> 8), byte(len(list))})+list)
}

// helloOf is a ClientHello message of these extensions.
func helloOf(extensions ...string) string {
	all := strings.Join(extensions, "")
	body := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + "\x00\x02\x13\x01" + "\x01\x00" + string([]byte{byte(len(all) >> 8), byte(len(all))}) + all
	return string([]byte{1, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}) + body
}

// inRecords cuts a message of the handshake into records of at most size bytes.
func inRecords(message string, size int) string {
	var b strings.Builder
	for len(message) > 0 {
		n := min(size, len(message))
		b.WriteString(string([]byte{recordTypeHandshake, 3, 1, byte(n >> 8), byte(n)}) + message[:n])
		message = message[n:]
	}
	return b.String()
}

// record is one of a ClientHello of these extensions.
func record(extensions ...string) string { return inRecords(helloOf(extensions...), maxRecord) }

var ofTLS13 = extension(43, "\x02\x03\x04") // supported_versions

// beginnings are of connections that a rule with tls: passthrough is asked about.
var beginnings = []struct {
	name, send string
	host       string // "" for ok.test
	stage      enforce.Stage
	reason     string // of the denial; "" for none
	alert      byte   // 0 for none
}{
	{name: "its name", send: record(names("ok.test"), ofTLS13)},
	{name: "its name in capitals", send: record(names("OK.tesT"))},
	{name: "no name", send: record(ofTLS13)},
	{name: "no extensions", send: record()},
	{name: "in two records", send: inRecords(helloOf(names("ok.test")), 60)},
	{name: "in many records", send: inRecords(helloOf(names("ok.test")), 1)},
	{name: "long", send: record(names("ok.test"), extension(21, strings.Repeat("\x00", 15<<10)))},
	{name: "and more behind it", send: record(names("ok.test")) + "\x17\x03\x03\x00\x05early"},
	{name: "an address and no name", host: "127.0.0.1", send: record(ofTLS13)},
	{name: "an address as a name", host: "127.0.0.1", send: record(names("127.0.0.1"))},

	{name: "another name", send: record(names("evil.test")), reason: `the TLS server name is "evil.test"`, alert: alertUnrecognizedName},
	{name: "another name in many records", send: inRecords(helloOf(names("evil.test")), 1), reason: `"evil.test"`, alert: alertUnrecognizedName},
	{name: "a name below", send: record(names("a.ok.test")), reason: `"a.ok.test"`, alert: alertUnrecognizedName},
	{name: "the name above", send: record(names("test")), reason: `"test"`, alert: alertUnrecognizedName},
	{name: "a NUL", send: record(names("ok.test\x00.evil.test")), reason: `\x00`, alert: alertUnrecognizedName},
	{name: "full width", send: record(names("ｏｋ.test")), reason: "the TLS server name", alert: alertUnrecognizedName},
	{name: "a dot behind it", send: record(names("ok.test.")), reason: "no ClientHello that can be read", alert: alertDecodeError},
	{name: "two names", send: record(names("ok.test", "evil.test")), reason: "no ClientHello that can be read", alert: alertDecodeError},
	{name: "two extensions with a name", send: record(names("ok.test"), names("evil.test")), reason: "no ClientHello that can be read", alert: alertDecodeError},
	{name: "an address, another name", host: "127.0.0.1", send: record(names("ok.test")), reason: "leads to 127.0.0.1", alert: alertUnrecognizedName},
	{name: "encrypted_client_hello", send: record(names("ok.test"), ofTLS13, extension(0xfe0d, "\x00\x00\x01\x00\x01\x07\x00\x20"+strings.Repeat("k", 32)+"\x00\x10"+strings.Repeat("p", 16))), reason: "encrypted_client_hello", alert: alertAccessDenied},
	{name: "encrypted_server_name", send: record(ofTLS13, extension(0xffce, "x")), reason: "encrypted_client_hello", alert: alertAccessDenied},
	{name: "a second ClientHello in the record", send: inRecords(helloOf(names("ok.test"))+helloOf(names("evil.test")), maxRecord), reason: "goes on behind it", alert: alertDecodeError},
	{name: "another message", send: inRecords("\x02"+helloOf(names("ok.test"))[1:], maxRecord), reason: "something else", alert: alertDecodeError},
	{name: "an alert between", send: inRecords(helloOf(names("ok.test"))[:9], 9) + "\x15\x03\x01\x00\x02\x01\x00" + inRecords(helloOf(names("ok.test"))[9:], 999), reason: "something else", alert: alertDecodeError},
	{name: "an empty record", send: "\x16\x03\x01\x00\x00" + record(names("ok.test")), reason: "something else", alert: alertDecodeError},
	{name: "another protocol that begins like TLS", send: "\x16 secret of mine\n", reason: "something else", alert: alertDecodeError},
	{name: "too short", send: inRecords("\x01\x00\x00\x01\x00", maxRecord), reason: "no ClientHello that can be read", alert: alertDecodeError},
	{name: "too long", send: inRecords("\x01\x01\x00\x00"+strings.Repeat("x", 1<<16), maxRecord), reason: "longer than 64 KiB", alert: alertDecodeError},
	{name: "too long by its records", send: inRecords(helloOf(names("ok.test"), extension(21, strings.Repeat("\x00", 15<<10))), 1), reason: "longer than 64 KiB", alert: alertDecodeError},

	{name: "another protocol", send: "SSH-2.0-client\r\n", stage: enforce.StageTCP, reason: " "},
	{name: "an old handshake", send: "\x80\x2e\x01\x00\x02", stage: enforce.StageTCP, reason: " "},
	{name: "cleartext", send: "PUT / HTTP/1.1\r\nHost: %h\r\nContent-Length: 6\r\n\r\nsecret", stage: enforce.StageRequest, reason: " "},
}

// TestPassthroughBeginsWithItsName: what a rule with tls: passthrough lets pass is
// TLS to its host, and the server hears of nothing else.
func TestPassthroughBeginsWithItsName(t *testing.T) {
	for _, e := range []entrance{{name: "captured", captured: true}, {name: "tunnelled"}} {
		for i, tt := range beginnings {
			for _, backend := range []string{"yaml", "decided"} {
				if backend == "decided" && i%10 != 0 {
					continue // what it decides about is the same
				}
				t.Run(e.name+" "+backend+" "+tt.name, func(t *testing.T) {
					t.Parallel()
					host := tt.host
					if host == "" {
						host = "ok.test"
					}
					l := newListener(t, "\x15\x03\x03\x00\x02\x02\x28")
					w := newWire(t, e, passing(t, backend, host, l.port), text("x"))
					w.at = l.port
					if tt.host != "" {
						w.jail.names[okAddr] = tt.host
					}
					conn := w.rawTLS(host)
					send := w.fill(tt.send)
					sent := make(chan struct{})
					go func() {
						defer close(sent)
						_, _ = io.WriteString(conn, send)
						_ = conn.(*net.TCPConn).CloseWrite()
					}()
					heard, _ := io.ReadAll(conn)
					<-sent
					if tt.reason == "" {
						if got := await(t, l.received); got != send {
							t.Errorf("the server received %.80q (%d bytes), want %.80q (%d bytes)", got, len(got), send, len(send))
						}
						if ev := w.events.one(t, enforce.StageConnect); ev.Action != policy.Allow || ev.Blocked || ev.Host != host {
							t.Errorf("event %+v", ev)
						}
						return
					}
					if want := string([]byte{recordTypeAlert, 3, 3, 0, 2, 2, tt.alert}); tt.alert != 0 && string(heard) != want {
						t.Errorf("the client heard %q, want %q", heard, want)
					}
					l.untouched(t)
					stage, rule := tt.stage, ""
					if stage == "" {
						stage, rule = enforce.StageConnect, ruleIdentity
					}
					w.denied(rule, tt.reason)
					if ev := w.events.one(t, stage); ev.Host != host || (stage == enforce.StageConnect) != (ev.Allow == "") {
						t.Errorf("event %+v", ev)
					}
				})
			}
		}
	}
}

// TestPassthroughInSegments: a ClientHello that comes byte by byte is waited for.
func TestPassthroughInSegments(t *testing.T) {
	l := newListener(t, "\x15\x03\x03\x00\x02\x02\x28")
	w := newWire(t, entrance{captured: true}, passing(t, "yaml", "ok.test", l.port), text("x"))
	w.at = l.port
	conn := w.rawTLS("ok.test")
	hello := record(names("ok.test"))
	for i := range hello {
		if i == len(hello)-1 {
			l.untouched(t)
		}
		_, _ = io.WriteString(conn, hello[i:i+1])
		time.Sleep(time.Millisecond)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	if got := await(t, l.received); got != hello {
		t.Errorf("the server received %q", got)
	}
}

// TestPassthroughWaitsNotForEver: half a ClientHello is given up, and nothing is
// dialled for it; of a client that left it was no more than a knock.
func TestPassthroughWaitsNotForEver(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		limits := Limits{HandshakeTimeout: short}
		if leaves {
			limits.HandshakeTimeout = patience
		}
		l := newListener(t, "")
		w := newWorld(t, enforce.Enforce, passing(t, "yaml", "ok.test", l.port), text("x"), limit(limits))
		conn := w.dial()
		authority := fmt.Sprintf("ok.test:%d", l.port)
		_, _ = io.WriteString(conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"+record(names("ok.test"))[:50])
		if leaves {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
		ended(t, conn)
		w.shutdown()
		l.untouched(t)
		w.untouched()
		if leaves {
			if evs := w.events.all(); len(evs) != 0 {
				t.Errorf("events %+v", evs)
			}
			continue
		}
		if ev := w.events.one(t, enforce.StageConnect); ev.Rule != ruleIdentity || !ev.Blocked || !strings.Contains(ev.Reason, "in time") {
			t.Errorf("event %+v", ev)
		}
	}
}

// TestPassthroughAudited: nothing is blocked while auditing; that it would be is
// recorded, and every byte passes.
func TestPassthroughAudited(t *testing.T) {
	for _, send := range []string{record(names("evil.test")), "\x16 no TLS at all"} {
		l := newListener(t, "answer")
		w, j := captureWorld(t, enforce.Audit, passing(t, "yaml", "ok.test", l.port), text("x"))
		conn := j.dial(t, w, okAddr, l.port)
		_, _ = io.WriteString(conn, send)
		_ = conn.(*net.TCPConn).CloseWrite()
		if heard, err := io.ReadAll(conn); string(heard) != "answer" {
			t.Errorf("heard %q, %v", heard, err)
		}
		if got := await(t, l.received); got != send {
			t.Errorf("the server received %q", got)
		}
		if ev := w.events.one(t, enforce.StageConnect); ev.Rule != ruleIdentity || ev.Action != policy.Deny || ev.Blocked {
			t.Errorf("event %+v", ev)
		}
	}
}

// TestPassthroughBesideTCP: a rule for raw TCP to the same host and port stays one
// for bytes of any kind.
func TestPassthroughBesideTCP(t *testing.T) {
	for _, send := range []string{record(names("evil.test")), "SSH-2.0-client\r\n", record(names("ok.test"))} {
		l := newListener(t, "answer")
		p := yaml(t, fmt.Sprintf("allow:\n  - {host: ok.test, ports: [%d], schemes: [tcp], networks: [127.0.0.0/8]}\n  - {host: ok.test, ports: [%[1]d], tls: passthrough, networks: [127.0.0.0/8]}\n", l.port))
		w := newWire(t, entrance{captured: true}, p, text("x"))
		w.at = l.port
		conn := w.rawTLS("ok.test")
		_, _ = io.WriteString(conn, send)
		_ = conn.(*net.TCPConn).CloseWrite()
		if got := await(t, l.received); got != send {
			t.Errorf("the server received %q, want %q", got, send)
		}
		if ev := w.events.one(t, enforce.StageTCP); ev.Blocked || ev.Rule != "policy.yaml:3" {
			t.Errorf("event %+v", ev)
		}
	}
}

// TestPassthroughOfNoServer: a client that was told that it is connected sees a
// reset where there is no server, and the event says why.
func TestPassthroughOfNoServer(t *testing.T) {
	for name, tt := range map[string]struct {
		networks, rule, why string
		stage               enforce.Stage
	}{
		"nobody listens":          {", networks: [127.0.0.0/8]", "policy.yaml:3", "connection refused", enforce.StageResponse},
		"not where it may be led": {"", ruleAddress, "loopback", enforce.StageConnect},
	} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			w := newWorld(t, enforce.Enforce, yaml(t, fmt.Sprintf("allow:\n  - {host: ok.test, ports: [%d], tls: passthrough%s}\n", port, tt.networks)), text("x"))
			conn := w.dial()
			authority := fmt.Sprintf("ok.test:%d", port)
			if status, _ := roundTripRaw(t, conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); status != 200 {
				t.Fatalf("CONNECT: %d", status)
			}
			_, _ = io.WriteString(conn, record(names("ok.test")))
			wantReset(t, conn)
			w.shutdown()
			evs := w.events.of(tt.stage)
			if ev := evs[len(evs)-1]; ev.Rule != tt.rule || !strings.Contains(ev.Error+ev.Reason, tt.why) || ev.ID != w.events.all()[0].ID {
				t.Errorf("events %+v", w.events.all())
			}
		})
	}
}

// TestPassthroughByOuterProxy: an outer proxy is asked for nothing before the name
// was compared.
func TestPassthroughByOuterProxy(t *testing.T) {
	socks := make(chan string, 8)
	for _, kind := range []string{"http", "socks5h"} {
		outer := newOuterProxy(t, nil)
		proxy := outer.as(outerUser, outerPassword)
		if kind == "socks5h" {
			proxy = fmt.Sprintf("socks5h://user:pw@proxy.test:%d", rawServer(t, func(c net.Conn) { serveSOCKS(c, socks) }))
		}
		for _, name := range []string{"ok.test", "evil.test"} {
			l := newListener(t, "answer")
			w := newWorld(t, enforce.Enforce, passing(t, "yaml", "ok.test", l.port), text("x"), environment("HTTPS_PROXY="+proxy))
			conn := w.dial()
			authority := fmt.Sprintf("ok.test:%d", l.port)
			roundTripRaw(t, conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
			_, _ = io.WriteString(conn, record(names(name)))
			_ = conn.(*net.TCPConn).CloseWrite()
			heard, err := io.ReadAll(conn)
			if name == "ok.test" {
				if got := await(t, l.received); got != record(names(name)) || string(heard) != "answer" {
					t.Errorf("%s: the server received %q, the client %q, %v", kind, got, heard, err)
				}
				continue
			}
			w.shutdown()
			l.untouched(t)
			if n := len(socks); kind == "socks5h" && n != 1 {
				t.Errorf("the proxy was asked %d times", n)
			}
			if ev := w.events.one(t, enforce.StageConnect); ev.Rule != ruleIdentity || !ev.Blocked {
				t.Errorf("event %+v", ev)
			}
		}
		if n := len(outer.seen()); kind == "http" && n != 1 {
			t.Errorf("the outer proxy was asked %d times", n)
		}
	}
}

// TestPassthroughOfPrograms: curl and openssl reach an openssl of their own name,
// and no other.
func TestPassthroughOfPrograms(t *testing.T) {
	t.Parallel()
	path := program(t, "openssl")
	pinned := policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Host == "ok.test" && r.Method == http.MethodConnect {
			return policy.Decision{Action: policy.Allow, Rule: "test:1", Passthrough: true, Networks: loopback}, nil
		}
		return policy.Decision{Default: true, Reason: "no rule matches"}, nil
	})
	for _, e := range entrancesOfPeers {
		t.Run(e.name, func(t *testing.T) {
			p := peersBy(t, e, pinned)
			p.write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.origin.authority.Certificate().Raw})) // not the run's
			p.serve(func(port string) *exec.Cmd {
				return exec.Command(path, "s_server", "-accept", "127.0.0.1:"+port, "-WWW", "-quiet", "-cert", "../cert.pem", "-key", "../key.pem")
			})
			if said, body := p.curl(nil, "/file", "--http1.1"); said != "200 1" || body != string(p.file) {
				t.Errorf("curl: %q, %d bytes", said, len(body))
			}
			way := []string{"s_client", "-connect", p.addr}
			if !e.captured {
				way = []string{"s_client", "-proxy", p.addr, "-connect", p.fill("%h")}
			}
			for name, want := range map[string]string{"ok.test": "Verification: OK", "evil.test": "unrecognized name"} {
				cmd := exec.Command(path, append(way, "-servername", name, "-CAfile", "ca.pem")...)
				cmd.Dir = p.dir
				if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), want) {
					t.Errorf("openssl -servername %s: %s", name, out)
				}
			}
			cmd := exec.Command(program(t, "curl"), "-sS", "--cacert", "ca.pem", "-x", "http://"+p.addr, "--connect-to", p.fill("::%h"), p.fill("https://%e/file"))
			if e.captured {
				cmd = exec.Command(program(t, "curl"), "-sS", "--cacert", "ca.pem", "--connect-to", "::"+p.addr, p.fill("https://%e/file"))
			}
			cmd.Dir = p.dir
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "unrecognized name") {
				t.Errorf("curl to another name: %v %s", err, out)
			}
			p.end()
			refused := 0
			for _, ev := range p.events.of(enforce.StageConnect) {
				if ev.Blocked {
					refused++
				}
			}
			if refused != 2 {
				t.Errorf("events %+v", p.events.all())
			}
		})
	}
}

// retrying is a client's connection that changes what it writes from the second
// ClientHello on.
type retrying struct {
	net.Conn
	hellos   int
	old, new string
}

func (c *retrying) Write(b []byte) (int, error) {
	if i := bytes.Index(b, []byte(c.old)); i >= 0 {
		if c.hellos++; c.hellos == 2 {
			b = bytes.Replace(b, []byte(c.old), []byte(c.new), 1)
		}
	}
	return c.Conn.Write(b)
}

// recorded keeps what is read of a connection.
type recorded struct {
	net.Conn
	mu   sync.Mutex
	read []byte
}

func (c *recorded) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, b[:n]...)
	return n, err
}

// TestSecondClientHello: one that the server asks for must name the host as well.
func TestSecondClientHello(t *testing.T) {
	for _, tt := range []struct{ name, second string }{{"the same name", "ok.test"}, {"another name", "no.test"}} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, early data %v", tt.name, early), func(t *testing.T) {
				t.Parallel()
				origin := newOrigin(t, text("unused"))
				served := make(chan *recorded, 1)
				port := rawServer(t, func(c net.Conn) {
					r := &recorded{Conn: c}
					s := tls.Server(r, &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP521}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
						return origin.authority.Leaf("ok.test")
					}})
					_, _ = io.Copy(s, s)
					_, _ = io.Copy(io.Discard, r)
					served <- r
				})
				w := newWire(t, entrance{captured: true}, passing(t, "yaml", "ok.test", port), text("x"))
				w.at = port
				conn := &retrying{Conn: w.rawTLS("ok.test"), old: "ok.test", new: tt.second}
				if early {
					conn.Conn = &afterFirst{Conn: conn.Conn, then: "\x14\x03\x03\x00\x01\x01"}
				}
				c := tls.Client(conn, &tls.Config{RootCAs: origin.roots, ServerName: "ok.test", CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP521}})
				_, err := io.WriteString(c, "PING")
				if err == nil {
					_, err = io.ReadFull(c, make([]byte, 4))
				}
				_ = conn.Close()
				got := string((await(t, served)).read)
				if conn.hellos != 2 || strings.Count(got, "ok.test") == 0 {
					t.Fatalf("%d ClientHellos, the server received %q", conn.hellos, got)
				}
				w.end()
				evs := w.events.of(enforce.StageConnect)
				if tt.second == "ok.test" {
					if err != nil || strings.Count(got, "ok.test") != 2 || len(evs) != 1 {
						t.Errorf("%v, events %+v", err, evs)
					}
					return
				}
				if err == nil || strings.Contains(got, tt.second) {
					t.Errorf("%v; the server received %q", err, got)
				}
				if len(evs) != 2 || evs[1].Rule != ruleIdentity || !evs[1].Blocked || evs[1].ID != evs[0].ID || !strings.Contains(evs[1].Reason, tt.second) {
					t.Errorf("events %+v", evs)
				}
			})
		}
	}
}

// afterFirst sends more behind the first write.
type afterFirst struct {
	net.Conn
	then string
}

func (c *afterFirst) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(append(bytes.Clone(b), c.then...))
	c.then = ""
	return min(n, len(b)), err
}

// TestSecondClientHelloInAdvance: a client that knows that the server will ask for
// another ClientHello and sends it at once is not ahead of the proxy.
func TestSecondClientHelloInAdvance(t *testing.T) {
	retry := "\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03" + string(helloRetryRandom[:]) + "\x00\x13\x01\x00\x00\x00"
	first, second := record(names("ok.test"), ofTLS13), record(names("evil.test"), ofTLS13)
	l := newListener(t, retry)
	w := newWire(t, entrance{captured: true}, passing(t, "decided", "ok.test", l.port), text("x"))
	w.at = l.port
	conn := w.rawTLS("ok.test")
	_, _ = io.WriteString(conn, first+second)
	ended(t, conn)
	if got := await(t, l.received); got != first {
		t.Errorf("the server received %q, want %q", got, first)
	}
}
