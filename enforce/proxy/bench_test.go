//go:build unix

package proxy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/elazarl/goproxy"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/internal/report"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// The benchmarks compare four ways to the same origin in the same run: direct,
// through plain goproxy MITM with its transport tuned as ours is, and through
// this proxy under enforce with a YAML policy, with the summary alone and with
// -output: every event written to a file, every body hashed.
//
//	go test -run '^$' -bench . -count 10 ./enforce/proxy | tee new.txt
//	benchstat -col /via new.txt

// route is one way to the origin.
type route struct {
	name  string
	proxy func(b *testing.B, o *benchOrigin) (addr string, roots *x509.CertPool)
}

var routes = []route{
	{"direct", nil},
	{"goproxy", plainGoproxy},
	{"enforce", func(b *testing.B, o *benchOrigin) (string, *x509.CertPool) { return underEnforce(b, o, false) }},
	{"output", func(b *testing.B, o *benchOrigin) (string, *x509.CertPool) { return underEnforce(b, o, true) }},
}

// BenchmarkKeepAlive makes small requests on 16 connections that stay open.
func BenchmarkKeepAlive(b *testing.B) {
	for _, size := range []int{1 << 10, 32 << 10} {
		for _, r := range routes {
			b.Run(fmt.Sprintf("size=%dKiB/via=%s", size>>10, r.name), func(b *testing.B) {
				o := newBenchOrigin(b, size)
				c := r.client(b, o, false)
				b.SetBytes(int64(size))
				b.SetParallelism(8) // 16 on two cores
				defer cpuTime(b)()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						fetch(b, c, o.url)
					}
				})
			})
		}
	}
}

// BenchmarkNewConnection opens a connection for each request.
func BenchmarkNewConnection(b *testing.B) {
	for _, r := range routes {
		b.Run("via="+r.name, func(b *testing.B) {
			o := newBenchOrigin(b, 1<<10)
			c := r.client(b, o, false)
			c.Transport.(*http.Transport).DisableKeepAlives = true
			defer cpuTime(b)()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					fetch(b, c, o.url)
				}
			})
		})
	}
}

// BenchmarkBulk streams 64 MiB a time.
func BenchmarkBulk(b *testing.B) {
	const size = 64 << 20
	for _, r := range routes {
		b.Run("via="+r.name, func(b *testing.B) {
			o := newBenchOrigin(b, size)
			c := r.client(b, o, false)
			b.SetBytes(size)
			defer cpuTime(b)()
			for b.Loop() {
				fetch(b, c, o.url)
			}
		})
	}
}

// cpuTime reports the processor time an operation took, client and origin
// included: on a busy machine it is steadier than the clock.
func cpuTime(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

func fetch(b *testing.B, c *http.Client, u string) {
	resp, err := c.Get(u)
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Errorf("status %d, %v", resp.StatusCode, err)
	}
}

// benchOrigin serves one body over TLS.
type benchOrigin struct {
	url   string
	roots *x509.CertPool
}

func newBenchOrigin(b *testing.B, size int) *benchOrigin {
	b.Helper()
	piece := bytes.Repeat([]byte("x"), min(size, 1<<20))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for sent := 0; sent < size; sent += len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	s.Config.ErrorLog = discardLog()
	s.StartTLS()
	b.Cleanup(s.Close)
	o := &benchOrigin{url: s.URL + "/file", roots: x509.NewCertPool()}
	o.roots.AddCert(s.Certificate())
	return o
}

// client returns a client that takes the route, with connections to spare.
func (r route) client(b *testing.B, o *benchOrigin, h2 bool) *http.Client {
	b.Helper()
	tr := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: o.roots}}
	if r.proxy != nil {
		addr, roots := r.proxy(b, o)
		tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: addr})
		tr.TLSClientConfig.RootCAs = roots
	}
	b.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func underEnforce(b *testing.B, o *benchOrigin, output bool) (string, *x509.CertPool) {
	authority := newAuthority(b)
	p, err := allowlist.Parse("policy.yaml", []byte("version: 1\nallow:\n  - host: 127.0.0.1\n    ports: ["+port(o.url)+"]\n    networks: [127.0.0.0/8]\n"))
	if err != nil {
		b.Fatal(err)
	}
	recorder := enforce.Recorder(&report.Summary{})
	if output {
		log, err := enforce.CreateLog(filepath.Join(b.TempDir(), "events.jsonl"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = log.Close() })
		recorder = enforce.Tee(recorder, log)
	}
	proxy := New(Config{Gate: &enforce.Gate{Policy: p, Recorder: recorder}, Evidence: output, Leaf: authority.Leaf, Roots: func() *x509.CertPool { return o.roots }, Isolation: "env"})
	l := listen(b)
	go func() { _ = proxy.Serve(l) }()
	b.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		proxy.Shutdown(ctx)
	})
	return l.Addr().String(), pool(authority)
}

// plainGoproxy is goproxy's own MITM, as its documentation sets it up.
func plainGoproxy(b *testing.B, o *benchOrigin) (string, *x509.CertPool) {
	authority := newAuthority(b)
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
	p.Tr = &http.Transport{MaxIdleConnsPerHost: maxIdlePerHost, DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: o.roots}}
	p.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) { return action, host })
	l := listen(b)
	s := &http.Server{Handler: p, ErrorLog: discardLog()}
	go func() { _ = s.Serve(l) }()
	b.Cleanup(func() { _ = s.Close() })
	return l.Addr().String(), pool(authority)
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

func newAuthority(b *testing.B) *ca.Authority {
	b.Helper()
	a, err := ca.New()
	if err != nil {
		b.Fatal(err)
	}
	leaf, err := a.Leaf("127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	if _, ok := leaf.PrivateKey.(*ecdsa.PrivateKey); !ok {
		b.Fatal("the leaf's key is not ECDSA")
	}
	return a
}

func pool(a *ca.Authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.Certificate())
	return p
}

func listen(b *testing.B) net.Listener {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

func port(u string) string {
	parsed, _ := url.Parse(u)
	return parsed.Port()
}
