package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newTest(t testing.TB) *Authority {
	t.Helper()
	a, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestNewIsAnAuthorityForLeavesOnly(t *testing.T) {
	a := newTest(t)
	c := a.Certificate()
	if !c.IsCA || !c.BasicConstraintsValid || c.MaxPathLen != 0 || !c.MaxPathLenZero {
		t.Errorf("basic constraints: CA %v, path length %d", c.IsCA, c.MaxPathLen)
	}
	if want := x509.KeyUsageCertSign | x509.KeyUsageCRLSign; c.KeyUsage != want {
		t.Errorf("key usage %v, want %v", c.KeyUsage, want)
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key %T, want ECDSA P-256", c.PublicKey)
	}
	if len(c.SubjectKeyId) == 0 {
		t.Error("no subject key identifier")
	}
	if !strings.HasPrefix(c.Subject.CommonName, "proxaudit ") {
		t.Errorf("common name %q", c.Subject.CommonName)
	}
	if life := c.NotAfter.Sub(c.NotBefore); life != lifetime+backdate {
		t.Errorf("valid for %v, want %v", life, lifetime+backdate)
	}
	if since := time.Since(c.NotBefore); since < backdate {
		t.Errorf("starts %v ago, want at least %v", since, backdate)
	}
}

func TestNewIsFreshEachTime(t *testing.T) {
	a, b := newTest(t), newTest(t)
	if a.cert.Subject.CommonName == b.cert.Subject.CommonName {
		t.Error("two runs share a name")
	}
	if a.cert.PublicKey.(*ecdsa.PublicKey).Equal(b.cert.PublicKey) {
		t.Error("two runs share a key")
	}
}

func TestCertificatePEM(t *testing.T) {
	a := newTest(t)
	block, rest := pem.Decode(a.CertificatePEM())
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Fatalf("want exactly one CERTIFICATE block, got %q", a.CertificatePEM())
	}
	if c, err := x509.ParseCertificate(block.Bytes); err != nil || !c.Equal(a.Certificate()) {
		t.Errorf("not the authority's certificate: %v", err)
	}
}

// The key must not leave by any way that formats or encodes a value.
func TestKeyIsNotPrinted(t *testing.T) {
	a := newTest(t)
	d, err := a.signer.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(a) //nolint:staticcheck // that nothing is exported is what is tested
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		fmt.Sprintf("%v %+v %s", a, a, a), fmt.Sprintf("%#v", a), string(asJSON), string(a.CertificatePEM()),
	} {
		decimal := new(big.Int).SetBytes(d).String()
		for _, secret := range []string{string(d), fmt.Sprintf("%x", d), decimal} {
			if strings.Contains(out, secret) {
				t.Errorf("the key is in %q", out)
			}
		}
	}
}

// What is never encoded cannot be written: no code here may marshal a key.
func TestKeyIsNotMarshalled(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{"MarshalPKCS8PrivateKey", "MarshalPKCS1PrivateKey", "MarshalECPrivateKey", ".Bytes()", "WriteFile", "os.Create"} {
			if strings.Contains(string(src), call) {
				t.Errorf("%s calls %s", file, call)
			}
		}
	}
}

func TestOpenSSLVerifiesStrictly(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("under CI this must run: " + "no openssl here")
		}
		t.Skip("no openssl here")
	}
	a := newTest(t)
	dir := t.TempDir()
	caFile := writePEM(t, dir, "ca.pem", "CERTIFICATE", a.cert.Raw)
	for host, check := range map[string]string{
		"ok.test":                            "-verify_hostname",
		"192.0.2.7":                          "-verify_ip",
		"2001:db8::7":                        "-verify_ip",
		strings.Repeat("a.", 40) + "ok.test": "-verify_hostname",
	} {
		leaf, err := a.Leaf(host)
		if err != nil {
			t.Fatal(err)
		}
		leafFile := writePEM(t, dir, "leaf.pem", "CERTIFICATE", leaf.Certificate[0])
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver",
			"-CAfile", caFile, check, host, leafFile).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", host, err, out)
		}
	}
}

func writePEM(t *testing.T, dir, name, label string, der []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
