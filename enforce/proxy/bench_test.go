//go:build unix

package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// The benchmarks compare ways to the same origin in the same run: direct; through
// plain goproxy MITM with its transport tuned as ours is; through this proxy under
// enforce with a YAML policy, with the summary alone and with -output (every event
// written to a file, every body hashed); and through mitmproxy where it is
// installed. Each proxy is a process of its own; its processor time stands in
// proxy-ns/op, which is steadier than the clock.
//
//	go test -run '^$' -bench . -count 10 ./enforce/proxy | tee new.txt
//	benchstat -col /via new.txt

// route is one way to the origin.
type route struct {
	name  string
	proxy func(b *testing.B, o *benchOrigin) *benchProxy // nil: none
}

var routes = []route{direct, via("goproxy"), via("enforce"), via("output"), {"mitmproxy", mitmproxy}}

var direct = route{name: "direct"}

func via(name string) route {
	return route{name, func(b *testing.B, o *benchOrigin) *benchProxy { return startBenchProxy(b, name, o) }}
}

// BenchmarkKeepAlive makes requests on 16 connections that stay open.
func BenchmarkKeepAlive(b *testing.B) {
	for _, size := range []int{1 << 10, 32 << 10} {
		for _, r := range routes {
			b.Run(fmt.Sprintf("size=%dKiB/via=%s", size>>10, r.name), func(b *testing.B) {
				r.run(b, newBenchOrigin(b, size, false), size, true)
			})
		}
	}
}

// BenchmarkLearning is what learning adds to a request.
func BenchmarkLearning(b *testing.B) {
	const size = 1 << 10
	for _, r := range []route{via("enforce"), via("learn")} {
		b.Run("via="+r.name, func(b *testing.B) {
			r.run(b, newBenchOrigin(b, size, false), size, true)
		})
	}
}

// BenchmarkHTTP2 makes small requests on 16 connections of HTTP/2.
func BenchmarkHTTP2(b *testing.B) {
	const size = 1 << 10
	for _, r := range []route{direct, via("goproxy-h2"), via("enforce"), via("output")} {
		b.Run("via="+r.name, func(b *testing.B) {
			r.run(b, newBenchOrigin(b, size, true), size, true)
		})
	}
}

// BenchmarkNewConnection opens a connection for each request.
func BenchmarkNewConnection(b *testing.B) {
	const size = 1 << 10
	for _, r := range routes {
		b.Run("via="+r.name, func(b *testing.B) {
			r.run(b, newBenchOrigin(b, size, false), size, false)
		})
	}
}

// BenchmarkBulk streams 64 MiB a time, on one connection.
func BenchmarkBulk(b *testing.B) {
	const size = 64 << 20
	for _, r := range routes {
		b.Run("via="+r.name, func(b *testing.B) {
			o := newBenchOrigin(b, size, false)
			c, p := r.client(b, o)
			fetch(b, c, o.url) // what the first request costs is not asked here
			b.SetBytes(size)
			defer proxyTime(b, p)()
			for b.Loop() {
				fetch(b, c, o.url)
			}
		})
	}
}

// run makes requests from 16 goroutines, each with a client of its own.
func (r route) run(b *testing.B, o *benchOrigin, size int, keepAlive bool) {
	c, p := r.client(b, o)
	transport := c.Transport.(*http.Transport)
	transport.DisableKeepAlives = !keepAlive
	var mu sync.Mutex
	var all []time.Duration
	b.SetBytes(int64(size))
	b.SetParallelism(8) // 16 on two cores
	defer proxyTime(b, p)()
	b.RunParallel(func(pb *testing.PB) {
		t := transport.Clone()
		defer t.CloseIdleConnections()
		own := &http.Client{Transport: t}
		var took []time.Duration
		for pb.Next() {
			begun := time.Now()
			fetch(b, own, o.url)
			took = append(took, time.Since(begun))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took...)
	})
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// proxyTime reports the processor time that the proxy used for an operation.
func proxyTime(b *testing.B, p *benchProxy) func() {
	if p == nil || p.in == nil { // direct, or another program
		b.ResetTimer()
		return func() {}
	}
	before := p.used(b)
	b.ResetTimer()
	return func() {
		b.StopTimer()
		b.ReportMetric(float64(p.used(b)-before)/float64(b.N), "proxy-ns/op")
	}
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

// client returns a client that takes the route, with connections to spare.
func (r route) client(b *testing.B, o *benchOrigin) (*http.Client, *benchProxy) {
	b.Helper()
	tr := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, ForceAttemptHTTP2: o.http2, TLSClientConfig: &tls.Config{RootCAs: o.roots}}
	var p *benchProxy
	if r.proxy != nil {
		p = r.proxy(b, o)
		tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: p.addr})
		tr.TLSClientConfig.RootCAs = p.roots
	}
	b.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}, p
}

// benchOrigin serves one body over TLS.
type benchOrigin struct {
	url         string
	http2       bool
	certificate []byte
	roots       *x509.CertPool
}

func newBenchOrigin(b *testing.B, size int, http2 bool) *benchOrigin {
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
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = discardLog()
	s.StartTLS()
	b.Cleanup(s.Close)
	o := &benchOrigin{url: s.URL + "/file", http2: http2, certificate: s.Certificate().Raw, roots: x509.NewCertPool()}
	o.roots.AddCert(s.Certificate())
	return o
}

func parse(b *testing.B, certificate []byte) *x509.Certificate {
	b.Helper()
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func pemOf(certificate []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
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
