//go:build unix

package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/internal/heap"
	"github.com/juliendoutre/proxaudit/internal/learn"
	"github.com/juliendoutre/proxaudit/internal/report"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// benchVia names the route that this program is the proxy of.
const benchVia = "PROXAUDIT_BENCH_VIA"

// benchProxy is a proxy under measurement, in a process of its own, so that its
// processor time, memory and garbage collector are its own.
type benchProxy struct {
	addr  string
	roots *x509.CertPool
	in    io.Writer
	out   *bufio.Reader
}

// benchHello is what the two processes tell each other at the start.
type benchHello struct {
	Port string // of the origin
	CA   []byte // of the origin; then of the proxy
	Dir  string // for its files
	Addr string // of the proxy
}

func startBenchProxy(b *testing.B, via string, o *benchOrigin) *benchProxy {
	b.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), benchVia+"="+via)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close() // its sign to end
		_ = cmd.Wait()
	})
	hello := benchHello{Port: port(o.url), CA: o.certificate, Dir: b.TempDir()}
	if err := json.NewEncoder(in).Encode(hello); err != nil {
		b.Fatal(err)
	}
	p := &benchProxy{in: in, out: bufio.NewReader(out), roots: x509.NewCertPool()}
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &hello)
	}
	if err != nil {
		b.Fatalf("the proxy did not start: %v", err)
	}
	p.addr = hello.Addr
	p.roots.AddCert(parse(b, hello.CA))
	return p
}

// used returns the processor time that the proxy has used, in nanoseconds.
func (p *benchProxy) used(b *testing.B) (nanoseconds int64) {
	if _, err := fmt.Fprintln(p.in, "?"); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Fscanln(p.out, &nanoseconds); err != nil {
		b.Fatal(err)
	}
	return nanoseconds
}

// serveBench is the process of a benchProxy.
func serveBench(via string) {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	var hello benchHello
	if err == nil {
		err = json.Unmarshal(line, &hello)
	}
	if err != nil {
		log.Fatal(err)
	}
	origin, err := x509.ParseCertificate(hello.CA)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(origin)
	authority, err := ca.New()
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	serve := underEnforce
	if strings.HasPrefix(via, "goproxy") {
		serve = plainGoproxy
	}
	go serve(via, l, authority, roots, hello)
	hello.Addr, hello.CA = l.Addr().String(), authority.Certificate().Raw
	_ = json.NewEncoder(os.Stdout).Encode(hello)
	for {
		if _, err := in.ReadBytes('\n'); err != nil {
			return
		}
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		fmt.Println(u.Utime.Nano() + u.Stime.Nano())
	}
}

func underEnforce(via string, l net.Listener, authority *ca.Authority, roots *x509.CertPool, hello benchHello) {
	p, err := allowlist.Parse("policy.yaml", []byte("version: 1\nallow:\n  - host: 127.0.0.1\n    ports: ["+hello.Port+"]\n    networks: [127.0.0.0/8]\n"))
	if err != nil {
		log.Fatal(err)
	}
	heap.Bound() // as the program does
	recorder := enforce.Recorder(&report.Summary{})
	if via == "learn" {
		recorder = enforce.Tee(recorder, learn.New(learn.Options{}))
	}
	output := via == "output"
	if output {
		events, err := enforce.CreateLog(filepath.Join(hello.Dir, "events.jsonl"))
		if err != nil {
			log.Fatal(err)
		}
		recorder = enforce.Tee(recorder, events)
	}
	log.Fatal(New(Config{
		Gate: &enforce.Gate{Policy: p, Recorder: recorder}, Evidence: output, Leaf: authority.Leaf,
		Roots: func() *x509.CertPool { return roots }, Isolation: "env",
	}).Serve(l))
}

// plainGoproxy is goproxy's own MITM, as its documentation sets it up, its
// transport tuned as ours is.
func plainGoproxy(via string, l net.Listener, authority *ca.Authority, roots *x509.CertPool, _ benchHello) {
	leaves := &leafStore{}
	action := &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: func(host string, _ *goproxy.ProxyCtx) (*tls.Config, error) {
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			return nil, err
		}
		leaf, err := leaves.get(authority, name)
		if err != nil {
			return nil, err
		}
		return &tls.Config{Certificates: []tls.Certificate{*leaf}}, nil
	}}
	p := goproxy.NewProxyHttpServer()
	p.Logger = discardLog()
	p.KeepAcceptEncoding = true
	p.AllowHTTP2 = via == "goproxy-h2"
	p.Tr = &http.Transport{
		MaxIdleConnsPerHost: maxIdlePerHost, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: p.AllowHTTP2,
	}
	p.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) { return action, host })
	log.Fatal((&http.Server{Handler: p, ErrorLog: discardLog()}).Serve(l))
}

// leafStore keeps plain goproxy's leaves, so that minting is not compared.
type leafStore struct{ leaves sync.Map }

func (s *leafStore) get(a *ca.Authority, name string) (*tls.Certificate, error) {
	if leaf, ok := s.leaves.Load(name); ok {
		return leaf.(*tls.Certificate), nil
	}
	leaf, err := a.Leaf(name)
	if err == nil {
		s.leaves.Store(name, leaf)
	}
	return leaf, err
}

// mitmproxy is another program altogether: https://mitmproxy.org, from PyPI.
func mitmproxy(b *testing.B, o *benchOrigin) *benchProxy {
	program, err := exec.LookPath("mitmdump")
	if err != nil {
		b.Skip("mitmproxy is not installed")
	}
	dir := b.TempDir()
	roots := filepath.Join(dir, "origin.pem")
	if err := os.WriteFile(roots, pemOf(o.certificate), 0o600); err != nil {
		b.Fatal(err)
	}
	l := listen(b)
	addr := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	cmd := exec.Command(program, "--quiet", "--listen-host", "127.0.0.1", "--listen-port", fmt.Sprint(addr.Port),
		"--set", "confdir="+dir, "--set", "ssl_verify_upstream_trusted_ca="+roots, "--set", "stream_large_bodies=1m")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &benchProxy{addr: addr.String(), roots: x509.NewCertPool()}
	for range 300 {
		var d net.Dialer
		c, err := d.DialContext(context.Background(), "tcp", p.addr)
		if err == nil {
			_ = c.Close()
			text, err := os.ReadFile(filepath.Join(dir, "mitmproxy-ca-cert.pem"))
			if err == nil && p.roots.AppendCertsFromPEM(text) {
				return p
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatal("mitmproxy does not listen")
	return nil
}
