package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/policy"
)

// jail stands for the confinement: it says what the local address of an accepted
// connection is, as the kernel does for a captured one. A connection that no test
// made is closed: on loopback one can come from another test program, which still
// asks for a server that had the port before.
type jail struct {
	net.Listener
	names map[netip.Addr]string

	mu      sync.Mutex                // held from before a dial until dialled has it
	dialled map[string]netip.AddrPort // what each connection is meant for, by the client's address
	other   netip.AddrPort            // what one is meant for that is not in dialled
}

var jailAddr = netip.MustParseAddr("198.18.0.1")

func (j *jail) Own(a netip.Addr) bool { return a == jailAddr }
func (j *jail) Synthetic(a netip.Addr) bool {
	return netip.MustParsePrefix("198.18.0.0/15").Contains(a)
}
func (j *jail) NameOf(a netip.Addr) (string, bool) {
	name, ok := j.names[a]
	return name, ok
}

func (j *jail) Accept() (net.Conn, error) {
	for {
		c, err := j.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if target := j.target(c.RemoteAddr().String()); target.IsValid() {
			return &jailedConn{Conn: c, local: net.TCPAddrFromAddrPort(target)}, nil
		}
		_ = c.Close()
	}
}

// target is what the connection from a client's address is meant for.
func (j *jail) target(client string) netip.AddrPort {
	j.mu.Lock()
	defer j.mu.Unlock()
	target, ok := j.dialled[client]
	if !ok {
		return j.other
	}
	delete(j.dialled, client)
	return target
}

type jailedConn struct {
	net.Conn
	local net.Addr
}

func (c *jailedConn) LocalAddr() net.Addr { return c.local }

func (c *jailedConn) CloseWrite() error { return closeWrite(c.Conn) }

func (c *jailedConn) SyscallConn() (syscall.RawConn, error) {
	return c.Conn.(*net.TCPConn).SyscallConn()
}

func (c *jailedConn) SetLinger(seconds int) error { return c.Conn.(*net.TCPConn).SetLinger(seconds) }

var (
	okAddr   = netip.MustParseAddr("198.18.1.1")
	evilAddr = netip.MustParseAddr("198.18.1.2")
)

// captureWorld is a world whose connections arrive captured.
func captureWorld(t *testing.T, mode enforce.Mode, p policy.Policy, h http.Handler) (*world, *jail) {
	t.Helper()
	authority, err := ca.New()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := &jail{Listener: l, dialled: map[string]netip.AddrPort{}, names: map[netip.Addr]string{okAddr: "ok.test", evilAddr: "evil.test"}}
	w := &world{t: t, addr: l.Addr().String(), events: &memory{}, names: newNameServer(t), origin: newOrigin(t, h), roots: x509.NewCertPool()}
	w.ca = authority.Certificate()
	w.roots.AddCert(w.ca)
	w.proxy = New(Config{
		Gate: &enforce.Gate{Mode: mode, Policy: p, Recorder: w.events, Propose: (*policy.Request).Line}, Leaf: authority.Leaf, Capture: j,
		Roots: func() *x509.CertPool { return w.origin.roots }, Resolver: w.names.resolver(),
		Attribute: func(_, server net.Addr) *policy.Process { return &policy.Process{PID: 7, Exe: server.String()} },
	})
	w.start(j)
	return w, j
}

// dial connects as a command does that dials addr.
func (j *jail) dial(t *testing.T, w *world, addr netip.Addr, port int) net.Conn {
	t.Helper()
	j.mu.Lock()
	conn, err := net.Dial("tcp", w.addr)
	if err == nil {
		j.dialled[conn.LocalAddr().String()] = netip.AddrPortFrom(addr, uint16(port))
	}
	j.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// TestCaptured: a client that knows of no proxy is decided like any other, by
// the name behind the address that it dialled.
func TestCaptured(t *testing.T) {
	tests := []struct {
		name   string
		addr   netip.Addr
		sni    string // "" for plain HTTP
		host   string
		status int
	}{
		{"TLS", okAddr, "ok.test", "ok.test:%p", 200},
		{"plain", okAddr, "", "ok.test:%p", 200},
		{"address by itself", netip.MustParseAddr("127.0.0.1"), "", "127.0.0.1:%p", 403},
		{"denied", evilAddr, "evil.test", "evil.test:%p", 403},
		{"the request names another host", okAddr, "ok.test", "evil.test:%p", 403},
		{"the handshake names another host", okAddr, "evil.test", "ok.test:%p", 403},
		{"another address's name", evilAddr, "ok.test", "ok.test:%p", 403},
		{"plain, another host", evilAddr, "", "ok.test:%p", 403},
		{"another port", okAddr, "ok.test", "ok.test:1", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, j := captureWorld(t, enforce.Enforce, allowHost("ok.test"), text("reached"))
			port := w.origin.plainPort
			if tt.sni != "" {
				port = w.origin.port
			}
			conn := j.dial(t, w, tt.addr, port)
			if tt.sni != "" {
				conn = tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: tt.sni})
			}
			status, body := roundTripRaw(t, conn, "GET /x HTTP/1.1\r\nHost: "+strings.ReplaceAll(tt.host, "%p", fmt.Sprint(port))+"\r\n\r\n")
			if status != tt.status {
				t.Errorf("status %d %q, want %d", status, body, tt.status)
			}
			if tt.status != 200 {
				w.untouched()
			}
			if ev := w.events.one(t, enforce.StageRequest); ev.Process == nil || ev.Process.PID != 7 {
				t.Errorf("event without its process: %+v", ev)
			}
		})
	}
}

// TestCapturedProxyClient: a client set up for some other proxy is served as if
// that were this one, and its CONNECT is decided like any.
func TestCapturedProxyClient(t *testing.T) {
	w, j := captureWorld(t, enforce.Enforce, allowHost("ok.test"), text("reached"))
	authority := fmt.Sprintf("ok.test:%d", w.origin.plainPort)
	conn := j.dial(t, w, evilAddr, 3128)
	if status, _ := roundTripRaw(t, conn, "GET http://"+authority+"/ HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); status != 200 {
		t.Errorf("absolute form: %d", status)
	}
	authority = fmt.Sprintf("ok.test:%d", w.origin.port)
	conn = j.dial(t, w, evilAddr, 3128)
	if status, _ := roundTripRaw(t, conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); status != 200 {
		t.Fatalf("CONNECT: %d", status)
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "ok.test"})
	if status, _ := roundTripRaw(t, secure, "GET / HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); status != 200 {
		t.Errorf("in the tunnel: %d", status)
	}
	// And to the proxy itself, at its own address.
	conn = j.dial(t, w, jailAddr, 1)
	if status, _ := roundTripRaw(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); status != http.StatusBadRequest {
		t.Errorf("origin form at the proxy itself: %d, want 400", status)
	}
}

// TestUnknownAddress: a made-up address that stands for no name leads nowhere.
func TestUnknownAddress(t *testing.T) {
	w, j := captureWorld(t, enforce.Audit, allowHost("ok.test"), text("x"))
	conn := j.dial(t, w, netip.MustParseAddr("198.18.9.9"), w.origin.plainPort)
	if rest, err := io.ReadAll(conn); err != nil || len(rest) != 0 {
		t.Errorf("read %q, %v", rest, err)
	}
	w.untouched()
	if ev := w.events.one(t, enforce.StageTCP); ev.Action != policy.Deny {
		t.Errorf("event %+v", ev)
	}
}

// TestKnock: a connection that says nothing is an event and no more.
func TestKnock(t *testing.T) {
	w, j := captureWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"))
	w.events.arrived = make(chan struct{})
	_ = j.dial(t, w, evilAddr, 2222).Close()
	await(t, w.events.arrived)
	w.untouched()
	if ev := w.events.one(t, enforce.StageTCP); ev.Host != "evil.test" || ev.Port != 2222 || ev.Blocked || ev.Process == nil {
		t.Errorf("event %+v", ev)
	}
}

// TestServerSpeaksFirst: with a rule for raw TCP nothing waits for the client.
func TestServerSpeaksFirst(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.WriteString(c, "SSH-2.0-server\r\n")
			_ = c.Close()
		}
	}()
	p := policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
		if r.Scheme == "tcp" && r.Host == "ok.test" {
			return policy.Decision{Action: policy.Allow, Rule: "test:1", Passthrough: true, Networks: loopback}, nil
		}
		return policy.Decision{Default: true}, nil
	})
	w, j := captureWorld(t, enforce.Enforce, p, text("x"))
	conn := j.dial(t, w, okAddr, l.Addr().(*net.TCPAddr).Port)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "SSH-2.0-server\r\n" {
		t.Errorf("read %q, %v", line, err)
	}
}
