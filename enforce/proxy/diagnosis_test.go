package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// unknownNames is a resolver that says of every name that there is none (RFC 1035
// section 4.1.1, RCODE 3).
func unknownNames(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, RCode: dnsmessage.RCodeNameError}
			m.Additionals = nil
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestFailuresAreNamed: an event of what failed though it was allowed says so in
// words that are the same for every failure of the kind, and what to do, and the
// client hears the latter too.
func TestFailuresAreNamed(t *testing.T) {
	rude := func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_ = c.Close()
	}
	resets := func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	for _, tt := range []struct {
		name, scheme string
		port         func(*testing.T) int
		change       func(*testing.T, *Config)
		want, hint   string
	}{
		{"refused", "http", freePort, nil, "nothing listens there", "is inside, and is reached without a proxy"},
		{"no such name", "https", freePort, func(t *testing.T, c *Config) { c.Resolver = unknownNames(t) }, "the name was not found", "getent hosts ok.test"},
		{"no answer", "http", func(t *testing.T) int { return rawServer(t, rude) }, nil, "the server closed the connection too early", ""},
		{"reset", "http", func(t *testing.T) int { return rawServer(t, resets) }, nil, "the server cut the connection", ""},
		{"no TLS", "https", func(t *testing.T) int { return newOrigin(t, text("x")).plainPort }, nil, "the server does not speak TLS at this port", "use http://"},
		{"a stranger's certificate", "https", func(t *testing.T) int { return newOrigin(t, text("x")).port }, nil, "the server's certificate is not trusted", "-upstream-ca"},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s h2=%v", tt.name, h2), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, enforce.Enforce, allowLoopback, text("x"), func(c *Config) {
					if tt.change != nil {
						tt.change(t, c)
					}
				})
				status, body := get(t, w.client(h2), fmt.Sprintf("%s://ok.test:%d/", tt.scheme, tt.port(t)))
				ev := w.events.one(t, enforce.StageResponse)
				if status != http.StatusBadGateway || ev.Failure != tt.want || !strings.Contains(ev.Hint, tt.hint) || (ev.Hint == "") != (tt.hint == "") || ev.Error == "" {
					t.Errorf("%d, %q, hint %q, error %q", status, ev.Failure, ev.Hint, ev.Error)
				}
				if step := "\nwhat to do: " + ev.Hint + "\n"; (ev.Hint != "") != strings.Contains(body, step) {
					t.Errorf("the client reads %q", body)
				}
			})
		}
	}
}

// TestDiagnosis is for what cannot be had at will.
func TestDiagnosis(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{dial(&net.DNSError{Err: "server misbehaving", Name: "ok.test"}), "the name could not be looked up"},
		{dial(&net.DNSError{Err: "i/o timeout", Name: "ok.test", IsTimeout: true}), "the name could not be looked up in time"},
		{dial(syscall.ECONNREFUSED), "the connection was refused"},
		{dial(syscall.ENETUNREACH), "there is no way to the server"},
		{dial(syscall.EMFILE), "proxaudit has too many files open"},
		{fmt.Errorf("x: %w", context.Canceled), "the client hung up before the answer came"},
		{fmt.Errorf("x"), "it failed on the way"},
	} {
		if d := diagnose(tt.err, "ok.test"); d.what != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, d.what, tt.want)
		}
	}
}

// TestPassthroughFailureIsNamed: where the client sees a reset alone, the event says
// what failed.
func TestPassthroughFailureIsNamed(t *testing.T) {
	port := freePort(t)
	w := newWorld(t, enforce.Enforce, passing(t, "yaml", "ok.test", port), text("x"))
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if status, _ := roundTripRaw(t, conn, fmt.Sprintf("CONNECT ok.test:%d HTTP/1.1\r\nHost: ok.test\r\n\r\n", port)); status != 200 {
		t.Fatalf("CONNECT: %d", status)
	}
	if err := tls.Client(conn, &tls.Config{ServerName: "ok.test"}).Handshake(); err == nil {
		t.Error("a handshake with nobody")
	}
	w.shutdown()
	ev := w.events.one(t, enforce.StageResponse)
	if ev.Failure != "nothing listens there" || ev.Hint == "" || ev.Host != "ok.test" || int(ev.Port) != port {
		t.Errorf("event %+v", ev)
	}
}

// TestDistrust: a client that does not trust the run's authority is told apart from
// one that cannot agree on TLS, and its mend is that of the program it is.
func TestDistrust(t *testing.T) {
	const distrusted = "the client does not trust the authority of this run"
	for _, tt := range []struct {
		name, exe  string
		config     *tls.Config
		want, hint string
	}{
		{"1.3", "", &tls.Config{MinVersion: tls.VersionTLS13}, distrusted, "$SSL_CERT_FILE"},
		{"1.2", "", &tls.Config{MaxVersion: tls.VersionTLS12}, distrusted, "$SSL_CERT_FILE"},
		{"curl", "/usr/bin/curl", &tls.Config{}, distrusted, `--cacert "$SSL_CERT_FILE"`},
		{"git", "/usr/lib/git-core/git-remote-http", &tls.Config{}, distrusted, "GIT_SSL_CAINFO"},
		{"python", "/usr/bin/python3.13", &tls.Config{}, distrusted, "certifi"},
		{"another", "/usr/bin/gitea", &tls.Config{}, distrusted, "it goes by authorities of its own"},
		{"an old version", "/usr/bin/curl", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "the TLS handshake with the client failed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, allowHost("ok.test"), text("secret"), func(c *Config) {
				if tt.exe != "" {
					c.Attribute = func(net.Addr, net.Addr) *policy.Process { return &policy.Process{PID: 7, Exe: tt.exe} }
				}
			})
			conn, err := net.Dial("tcp", w.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if status, _ := roundTripRaw(t, conn, "CONNECT ok.test:443 HTTP/1.1\r\nHost: ok.test\r\n\r\n"); status != 200 {
				t.Fatalf("CONNECT: %d", status)
			}
			c := tt.config.Clone()
			c.ServerName = "ok.test"
			if err := tls.Client(conn, c).Handshake(); err == nil {
				t.Error("the client trusts the run's authority")
			}
			_, _ = io.Copy(io.Discard, conn)
			w.shutdown()
			w.untouched()
			ev := w.events.one(t, enforce.StageConnect)
			if ev.Rule != enforce.RuleTLS || !ev.Blocked || ev.Failure != tt.want || !strings.Contains(ev.Hint, tt.hint) || (ev.Hint == "") != (tt.hint == "") {
				t.Errorf("event %+v", ev)
			}
			if tt.hint != "" && !strings.HasSuffix(ev.Hint, `takes a rule {host: "ok.test", tls: passthrough}, which lets it pass undecrypted`) {
				t.Errorf("hint %q", ev.Hint)
			}
			if (tt.exe != "") != (ev.Process != nil && ev.Process.Exe == tt.exe) {
				t.Errorf("process %+v", ev.Process)
			}
		})
	}
}

// TestRefusalsByHand: what no net/http answers says why in the status line too, as a
// denial does, and neither there nor in the body anything that was sent raw.
func TestRefusalsByHand(t *testing.T) {
	raw := policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Rule: "raw", Passthrough: true, Networks: loopback}, nil
	})
	private := policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		return policy.Decision{Action: policy.Allow, Rule: "raw", Passthrough: true}, nil
	})
	for _, tt := range []struct {
		name   string
		policy policy.Policy
		send   string
		status string // a prefix
		body   string
	}{
		{"CONNECT to nobody", raw, "CONNECT ok.test@evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n", `400 Bad Request (proxaudit: CONNECT "ok.test@evil.test:443": `, "proxaudit: refused\nreason: CONNECT \"ok.test@evil.test:443\": "},
		{"a request as if to a server", raw, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request (proxaudit: this is the proxy of a run", "proxaudit: refused\nreason: this is the proxy"},
		{"CONNECT without a port", raw, "CONNECT ok.test HTTP/1.1\r\nHost: x\r\n\r\n", `400 Bad Request (proxaudit: CONNECT "ok.test": no port)`, "proxaudit: refused\nreason: CONNECT \"ok.test\": no port\n"},
		{"malformed", raw, "GET http://ok.test/ HTTP/1.1\r\nHost: ok.test\r\nContent-Length: +5\r\n\r\n", "400 Bad Request (proxaudit: ", "proxaudit: refused\nreason: "},
		{"nobody listens", raw, "CONNECT ok.test:%p HTTP/1.1\r\nHost: x\r\n\r\n", "502 Bad Gateway (proxaudit: dial tcp", "proxaudit: allowed, but failed: CONNECT ok.test:%p\nreason: dial tcp"},
		{"a private address", private, "CONNECT ok.test:%p HTTP/1.1\r\nHost: x\r\n\r\n", "403 Forbidden (proxaudit: ", "proxaudit: denied: CONNECT ok.test:%p\nreason: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, tt.policy, text("x"))
			port := fmt.Sprint(freePort(t))
			conn, err := net.Dial("tcp", w.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, strings.ReplaceAll(tt.send, "%p", port))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || !strings.HasPrefix(resp.Status, tt.status) || !strings.HasPrefix(string(body), strings.ReplaceAll(tt.body, "%p", port)) || !resp.Close {
				t.Errorf("%q %q, %v", resp.Status, body, err)
			}
			if slices.ContainsFunc([]byte(resp.Status+string(body)), func(c byte) bool { return c != '\n' && (c < ' ' || c > '~') }) {
				t.Errorf("raw bytes: %q %q", resp.Status, body)
			}
		})
	}
}
