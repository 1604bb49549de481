package examples

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

// attackersNet is a network in which the attacker owns every name: a proxy behind
// proxaudit that leads whoever comes to a listener, which keeps what arrives. It
// lets a build reach the real registries until the attack begins, and nothing but
// itself from then on, so that no attack is ever sent to a server of others.
type attackersNet struct {
	authority *ca.Authority
	pem       string // the authority's certificate, a file
	address   string
	// led are the hosts that lead to the listener before the attack too.
	led []string

	serving   sync.WaitGroup // connections
	mu        sync.Mutex
	attacking bool
	passed    map[net.Conn]bool
	targets   []string // what a tunnel was asked for
	arrivals  []arrival
}

// arrival is what came to the listener in one piece.
type arrival struct {
	target               string // host:port that a tunnel, or a request, was for
	method, path, agent  string // of a request
	raw                  string // what is no request
	connectedUnencrypted bool
}

func (a arrival) String() string {
	if a.raw != "" {
		return fmt.Sprintf("%s: %.100q", a.target, a.raw)
	}
	return fmt.Sprintf("%s: %s %s by %s", a.target, a.method, a.path, a.agent)
}

func newAttackersNet(t *testing.T, led ...string) *attackersNet {
	t.Helper()
	authority, err := ca.New()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &attackersNet{
		authority: authority, pem: filepath.Join(t.TempDir(), "ca.pem"), address: l.Addr().String(), led: led, passed: map[net.Conn]bool{},
	}
	write(t, n.pem, string(authority.CertificatePEM()))
	s := &http.Server{Handler: http.HandlerFunc(n.serve)}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); n.attack() })
	return n
}

// environ and words have proxaudit go through n and trust it.
func (n *attackersNet) environ() []string {
	proxy := "http://" + n.address
	return []string{
		"HTTPS_PROXY=" + proxy, "https_proxy=" + proxy, "HTTP_PROXY=" + proxy, "http_proxy=" + proxy,
		"ALL_PROXY=", "all_proxy=", "NO_PROXY=", "no_proxy=",
	}
}

func (n *attackersNet) words() []string { return []string{"-upstream-ca", n.pem} }

// attack leads everything to the listener from now on, and ends what was passed.
func (n *attackersNet) attack() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.attacking = true
	for c := range n.passed {
		_ = c.Close()
	}
}

// take returns what came since the last time, and lets builds pass again. The last
// build has ended, and so have its connections: what came is noted when they are.
func (n *attackersNet) take() (targets []string, arrivals []arrival) {
	n.serving.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	targets, arrivals = n.targets, n.arrivals
	n.targets, n.arrivals, n.attacking = nil, nil, false
	return targets, arrivals
}

func (n *attackersNet) note(a arrival) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arrivals = append(n.arrivals, a)
}

// serve takes a tunnel, or a request for a URL of plain http.
func (n *attackersNet) serve(w http.ResponseWriter, r *http.Request) {
	n.serving.Add(1)
	defer n.serving.Done()
	if r.Method != http.MethodConnect {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		n.note(arrival{target: r.URL.Host, method: r.Method, path: r.URL.RequestURI(), agent: r.UserAgent() + string(body), connectedUnencrypted: true})
		_, _ = io.WriteString(w, "taken\n")
		return
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		return
	}
	n.mu.Lock()
	pass := !n.attacking && !slices.Contains(n.led, host)
	if !pass {
		n.targets = append(n.targets, r.Host)
	}
	n.mu.Unlock()
	if pass {
		n.pass(c, r.Host)
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	n.listen(c, host, r.Host)
}

// pass leads a tunnel to where it wants to go.
func (n *attackersNet) pass(c net.Conn, target string) {
	up, err := net.Dial("tcp", target)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer up.Close()
	n.mu.Lock()
	if n.attacking {
		n.mu.Unlock()
		return
	}
	n.passed[c], n.passed[up] = true, true
	n.mu.Unlock()
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(up, c)
		_ = up.Close()
	}()
	_, _ = io.Copy(c, up)
	n.mu.Lock()
	delete(n.passed, c)
	delete(n.passed, up)
	n.mu.Unlock()
}

// listen keeps what comes through a tunnel, and answers each request.
func (n *attackersNet) listen(c net.Conn, host, target string) {
	br := bufio.NewReader(c)
	first, err := br.Peek(1)
	if err != nil {
		return
	}
	var conn net.Conn = &peeked{c, br}
	if first[0] == 0x16 { // a TLS handshake, RFC 8446 section 5.1
		secure := tls.Server(conn, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return n.authority.Leaf(cmp.Or(hello.ServerName, host))
		}})
		if secure.Handshake() != nil {
			return
		}
		conn = secure
	}
	n.requests(conn, target)
}

// requests reads one request after another, and what is none as it is.
func (n *attackersNet) requests(conn net.Conn, target string) {
	var read bytes.Buffer
	br := bufio.NewReader(io.TeeReader(conn, &read))
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			if read.Len() > 0 {
				n.note(arrival{target: target, raw: read.String()})
			}
			return
		}
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		n.note(arrival{target: target, method: r.Method, path: r.RequestURI, agent: r.UserAgent() + string(body)})
		read.Reset()
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntaken\n"); err != nil || strings.EqualFold(r.Header.Get("Connection"), "close") {
			return
		}
	}
}

// peeked is a connection of which something was read ahead.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
