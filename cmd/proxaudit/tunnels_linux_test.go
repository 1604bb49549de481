package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

// BenchmarkTunnels is what idle tunnels cost the proxy in memory: 10,000 of them,
// open at once, in which nothing was asked or one request was answered; and what
// is left of 10,000 that were opened and closed in turn. The clients are in
// another process than the proxy.
//
//	go test -run '^$' -bench Tunnels -benchtime 1x ./cmd/proxaudit
//
// It reports the resident set of the proxy before the first tunnel (idle-MiB),
// what it grew by for each (KB/tunnel: 1000 bytes), and, of tunnels in turn,
// what it grew by between the first thousand and the last (grown-MiB) and the
// descriptors that are left (fds-left).
func BenchmarkTunnels(b *testing.B) {
	const tunnels = 10_000
	binary := release(b)
	for _, kind := range []string{"silent", "http/1.1", "h2"} {
		b.Run("in="+strings.ReplaceAll(kind, "/", ""), func(b *testing.B) {
			for b.Loop() {
				p := serveForTunnels(b, binary)
				idle := p.resident(b)
				held := make([]net.Conn, tunnels)
				p.each(b, tunnels, func(i int) (err error) {
					held[i], err = p.open(kind)
					return err
				})
				b.ReportMetric(float64(idle)/(1<<20), "idle-MiB")
				b.ReportMetric(float64(p.resident(b)-idle)/1000/tunnels, "KB/tunnel")
				for _, c := range held {
					_ = c.Close()
				}
				p.stop(b)
			}
		})
	}
	b.Run("in=turn", func(b *testing.B) {
		for b.Loop() {
			p := serveForTunnels(b, binary)
			before := p.descriptors(b)
			turn := func(int) error {
				c, err := p.open("http/1.1")
				if err == nil {
					err = c.Close()
				}
				return err
			}
			p.each(b, tunnels/10, turn)
			warm := p.resident(b)
			p.each(b, tunnels-tunnels/10, turn)
			b.ReportMetric(float64(p.resident(b)-warm)/(1<<20), "grown-MiB")
			left := 0
			for range 500 { // one idle connection to the origin stays, for the next request
				if left = p.descriptors(b) - before; left <= parallelClients {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			b.ReportMetric(float64(left), "fds-left")
			p.stop(b)
		}
	})
}

// parallelClients is how many connections are being opened at a time.
const parallelClients = 4

// served is a proxy that runs by itself, and an origin behind it.
type served struct {
	cmd    *exec.Cmd
	stderr io.Reader
	proxy  string // host:port
	origin string // host:port
	roots  *x509.CertPool
}

func serveForTunnels(b *testing.B, binary string) *served {
	b.Helper()
	authority, err := ca.New()
	if err != nil {
		b.Fatal(err)
	}
	leaf, err := authority.Leaf("127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	origin.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	origin.EnableHTTP2 = true
	origin.StartTLS()
	b.Cleanup(origin.Close)
	p := &served{origin: origin.Listener.Addr().String(), roots: x509.NewCertPool()}
	dir := b.TempDir()
	roots, policy := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "policy.yaml")
	rule := fmt.Sprintf("version: 1\nallow:\n  - {host: 127.0.0.1, ports: [%d], networks: [127.0.0.0/8]}\n", origin.Listener.Addr().(*net.TCPAddr).Port)
	if err := errors.Join(os.WriteFile(roots, authority.CertificatePEM(), 0o600), os.WriteFile(policy, []byte(rule), 0o600)); err != nil {
		b.Fatal(err)
	}
	p.cmd = exec.Command(binary, "enforce", "-isolation=env", "-server", "-port", "0", "-policy", policy, "-output", filepath.Join(dir, "events.jsonl"))
	p.cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+roots)
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for p.proxy == "" && lines.Scan() {
		kind, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "proxaudit: "), ": ")
		switch kind {
		case "listening":
			p.proxy = strings.TrimPrefix(value, "http://")
		case "error":
			b.Fatal(lines.Text())
		}
	}
	for lines.Scan() {
		if path, ok := strings.CutPrefix(lines.Text(), "proxaudit: trust: "); ok {
			pem, err := os.ReadFile(path)
			if err != nil || !p.roots.AppendCertsFromPEM(pem) {
				b.Fatalf("the run's authority: %v", err)
			}
			break
		}
	}
	p.stderr = stderr
	return p
}

func (p *served) stop(b *testing.B) {
	b.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, p.stderr)
	if err := p.cmd.Wait(); err != nil {
		b.Error(err)
	}
}

// each calls f with 0 to n-1.
func (p *served) each(b *testing.B, n int, f func(int) error) {
	b.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	for range parallelClients {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					b.Errorf("tunnel %d: %v", i, err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// open opens a tunnel and, unless it is to be silent, makes one request in it.
func (p *served) open(kind string) (net.Conn, error) {
	raw, err := net.Dial("tcp", p.proxy)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(raw, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", p.origin, p.origin); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(raw, 16), &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("CONNECT: %v %w", resp, err)
	}
	c := &tls.Config{RootCAs: p.roots, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}}
	if kind == "h2" {
		c.NextProtos = []string{"h2"}
	}
	conn := tls.Client(raw, c)
	if err := conn.Handshake(); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	request, _ := http.NewRequest(http.MethodGet, "https://"+p.origin+"/", nil)
	switch kind {
	case "silent":
		return conn, nil
	case "h2":
		h2 := &http.Transport{
			Protocols:      new(http.Protocols),
			DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		}
		h2.Protocols.SetHTTP2(true)
		resp, err := h2.RoundTrip(request)
		return conn, read(resp, err)
	default:
		if err := request.Write(conn); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), request)
		return conn, read(resp, err)
	}
}

func read(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
		return fmt.Errorf("%s: %q, %w", resp.Status, body, err)
	}
	return nil
}

// resident returns the proxy's resident set in bytes.
func (p *served) resident(b *testing.B) int {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

func (p *served) descriptors(b *testing.B) int {
	b.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	return len(entries)
}
