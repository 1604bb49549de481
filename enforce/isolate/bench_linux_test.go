package isolate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/isolate/truststore"
)

// testAuthority makes a certificate authority for a run.
func testAuthority(t testing.TB) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "proxaudit test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, truststore.PEM(cert)
}

// given returns a certificate that is there already.
func given(pem []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return pem, nil }
}

// BenchmarkTrue is what confinement adds to a command that does nothing.
func BenchmarkTrue(b *testing.B) {
	_, _, ca := testAuthority(b)
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("confined", func(b *testing.B) {
		for b.Loop() {
			n, err := NewNetns(context.Background(), NetnsOptions{CA: given(ca)})
			if err != nil {
				b.Fatal(err)
			}
			code, err := n.Run(context.Background(), Command{Argv: []string{"true"}, Env: os.Environ()})
			if code != 0 || err != nil {
				b.Fatal(code, err)
			}
			n.Close()
		}
	})
}

// BenchmarkConnect is a new connection to another process, captured, against one
// over the host's loopback.
func BenchmarkConnect(b *testing.B) {
	b.Run("loopback", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					answer(c)
				}()
			}
		}()
		cmd := exec.Command("/proc/self/exe", attemptArg, "dial often")
		cmd.Env = append(os.Environ(), "TIMES=5000", "TARGET="+l.Addr().String())
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		reportInside(b, string(out))
	})
	b.Run("captured", func(b *testing.B) {
		j := newJail(b, NetnsOptions{})
		j.proxy(answer)
		out, _ := j.output(b, inside("dial often", "TIMES=5000", "TARGET=192.0.2.7:443"))
		reportInside(b, out)
	})
}

func reportInside(b *testing.B, out string) {
	b.Helper()
	per, err := time.ParseDuration(strings.TrimSpace(out))
	if err != nil {
		b.Fatal(out)
	}
	b.ReportMetric(float64(per.Nanoseconds()), "ns/connection")
}

func fetch(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.ReadAll(c)
	return err
}
