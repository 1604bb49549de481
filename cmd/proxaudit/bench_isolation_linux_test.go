package main

import (
	"crypto/tls"
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
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

// benchClient holds the address that this program fetches as the command of
// BenchmarkIsolation.
const benchClient = "PROXAUDIT_BENCH_CLIENT"

// BenchmarkIsolation compares what a command notices of confinement with what it
// notices of -isolation=env: connections made anew for each request, to https and
// http, and a body of 256 MiB. The policy lets everything pass that it asks.
//
//	go test -run '^$' -bench Isolation -count 10 ./cmd/proxaudit | tee new.txt
//	benchstat -col /how new.txt
func BenchmarkIsolation(b *testing.B) {
	const large = 256 << 20
	w := newIsolationBench(b)
	for _, what := range []struct {
		name, url string
		times     int
		bytes     int64
	}{
		{"new=https", "https://" + w.secure + "/1024", 300, 0},
		{"new=http", "http://" + w.plain + "/1024", 300, 0},
		{"bulk=https", "https://" + w.secure + "/" + strconv.Itoa(large), 1, large},
		{"bulk=http", "http://" + w.plain + "/" + strconv.Itoa(large), 1, large},
	} {
		for _, how := range []string{"env", "netns"} {
			b.Run(what.name+"/how="+how, func(b *testing.B) {
				b.SetBytes(what.bytes)
				var took time.Duration
				for b.Loop() {
					took += w.fetch(b, how, what.url, what.times)
				}
				b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*what.times), "ns/fetch")
			})
		}
	}
}

type isolationBench struct {
	binary, roots, policy string
	secure, plain         string // host:port
}

// newIsolationBench serves at an address of the host's that is not the loopback,
// which a jail has one of its own of.
func newIsolationBench(b *testing.B) *isolationBench {
	b.Helper()
	host := hostAddress(b)
	authority, err := ca.New()
	if err != nil {
		b.Fatal(err)
	}
	leaf, err := authority.Leaf(host)
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 1<<20)
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Path[1:])
		w.Header().Set("Content-Length", strconv.Itoa(n))
		for ; n > 0; n -= len(body) {
			if _, err := w.Write(body[:min(n, len(body))]); err != nil {
				return
			}
		}
	})
	at := func() *httptest.Server {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			b.Fatal(err)
		}
		s := httptest.NewUnstartedServer(serve)
		_ = s.Listener.Close()
		s.Listener = l
		b.Cleanup(s.Close)
		return s
	}
	secure, plain := at(), at()
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	secure.StartTLS()
	plain.Start()
	dir := b.TempDir()
	w := &isolationBench{
		binary: release(b), roots: filepath.Join(dir, "roots.pem"), policy: filepath.Join(dir, "policy.yaml"),
		secure: secure.Listener.Addr().String(), plain: plain.Listener.Addr().String(),
	}
	_, port, _ := net.SplitHostPort(w.secure)
	_, other, _ := net.SplitHostPort(w.plain)
	rule := fmt.Sprintf("version: 1\nallow:\n  - {host: %q, ports: [%s, %s], schemes: [http, https], networks: [%s/32]}\n", host, port, other, host)
	if err := errors.Join(os.WriteFile(w.roots, authority.CertificatePEM(), 0o600), os.WriteFile(w.policy, []byte(rule), 0o600)); err != nil {
		b.Fatal(err)
	}
	return w
}

// fetch has this program fetch url under proxaudit and returns how long that took
// it, without its start.
func (w *isolationBench) fetch(b *testing.B, how, url string, times int) time.Duration {
	b.Helper()
	cmd := exec.Command(w.binary, "enforce", "-isolation="+how, "-policy", w.policy, "--", os.Args[0])
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+w.roots, benchClient+"="+url, "TIMES="+strconv.Itoa(times))
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	took, err := time.ParseDuration(strings.TrimSpace(string(out)))
	if err != nil {
		b.Fatal(err)
	}
	return took
}

// fetchOften is the command of BenchmarkIsolation.
func fetchOften(url string) int {
	times, err := strconv.Atoi(os.Getenv("TIMES"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	c := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	begun := time.Now()
	for range times {
		resp, err := c.Get(url)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = errors.New(resp.Status)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println(time.Since(begun))
	return 0
}

// hostAddress returns an IPv4 address of this host that is not the loopback.
func hostAddress(b *testing.B) string {
	b.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	b.Skip("this host has no address but the loopback")
	return ""
}
