package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

// BenchmarkWrapTrue is what wrapping costs a command that does nothing: bare, by
// variables, and confined.
//
//	go test -run '^$' -bench WrapTrue -count 10 ./cmd/proxaudit | tee new.txt
//	benchstat -col /how new.txt
func BenchmarkWrapTrue(b *testing.B) {
	binary := release(b)
	for _, how := range []struct {
		name string
		argv []string
	}{
		{"bare", []string{"true"}},
		{"env", []string{binary, "-isolation=env", "--", "true"}},
		{"netns", []string{binary, "-isolation=netns", "--", "true"}},
	} {
		b.Run("how="+how.name, func(b *testing.B) {
			for b.Loop() {
				if out, err := exec.Command(how.argv[0], how.argv[1:]...).CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}

// BenchmarkStream is a download of 1 GiB under enforce. It reports the largest
// resident set that proxaudit had, in MiB.
func BenchmarkStream(b *testing.B) {
	const size = 1 << 30
	binary := release(b)
	authority, err := ca.New()
	if err != nil {
		b.Fatal(err)
	}
	piece := bytes.Repeat([]byte("x"), 1<<20)
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for range size / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	leaf, err := authority.Leaf("127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	origin.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	origin.StartTLS()
	defer origin.Close()
	dir := b.TempDir()
	roots, policy := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "policy.yaml")
	rule := fmt.Sprintf("version: 1\nallow:\n  - {host: 127.0.0.1, ports: [%d], networks: [127.0.0.0/8]}\n", origin.Listener.Addr().(*net.TCPAddr).Port)
	if err := errors.Join(os.WriteFile(roots, authority.CertificatePEM(), 0o600), os.WriteFile(policy, []byte(rule), 0o600)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	var peak int64
	for b.Loop() {
		cmd := exec.Command(binary, "enforce", "-isolation=env", "-policy", policy, "-output", filepath.Join(dir, "events.jsonl"),
			"--", "curl", "-sSf", "-o", "/dev/null", origin.URL)
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+roots)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) // KiB
	}
	b.ReportMetric(float64(peak)/1024, "peak-MiB")
}

// release builds the program as it is released.
func release(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "proxaudit")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}
