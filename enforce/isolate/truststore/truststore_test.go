package truststore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

func authority(t testing.TB, subject pkix.Name) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: subject, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// tool skips a test, loudly, where the client whose format is checked is not
// installed.
func tool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("NOT CHECKED: %s is not installed", name)
	}
}

func TestSubjectHashIsOpenSSLs(t *testing.T) {
	tool(t, "openssl")
	for name, subject := range map[string]pkix.Name{
		"plain":       {CommonName: "proxaudit"},
		"many":        {CommonName: "Run CA 7", Organization: []string{"Example  Ltd"}, Country: []string{"DE"}},
		"white space": {CommonName: "  A \t B  "},
		"not ASCII":   {CommonName: "Prüfung ÄÖ"},
		"empty":       {},
	} {
		t.Run(name, func(t *testing.T) {
			cert := authority(t, subject)
			cmd := exec.Command("openssl", "x509", "-noout", "-subject_hash")
			cmd.Stdin = bytes.NewReader(PEM(cert))
			want, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := SubjectHash(cert)
			if err != nil || got != strings.TrimSpace(string(want)) {
				t.Errorf("SubjectHash = %s, %v; openssl says %s", got, err, want)
			}
		})
	}
}

func TestJavaStoresKeepWhatTheyHad(t *testing.T) {
	tool(t, "keytool")
	old, added := authority(t, pkix.Name{CommonName: "old"}), authority(t, pkix.Name{CommonName: "added"})
	p12, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{old}, Password)
	if err != nil {
		t.Fatal(err)
	}
	open, err := pkcs12.Passwordless.EncodeTrustStore([]*x509.Certificate{old}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, store := range map[string][]byte{"JKS": jks(nil, 0, "old", old), "PKCS #12": p12, "PKCS #12 without password": open} {
		t.Run(name, func(t *testing.T) {
			got, err := Java(store, "added", added)
			if err != nil {
				t.Fatal(err)
			}
			list := keytool(t, got)
			for _, cn := range []string{"CN=old", "CN=added"} {
				if !strings.Contains(list, cn) {
					t.Errorf("%s is not in the store:\n%s", cn, list)
				}
			}
		})
	}
}

func keytool(t *testing.T, store []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cacerts")
	if err := os.WriteFile(path, store, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("keytool", "-list", "-v", "-keystore", path, "-storepass", Password).CombinedOutput()
	if err != nil {
		t.Fatalf("keytool: %v\n%s", err, out)
	}
	return string(out)
}

func TestJavaRefusesWhatItCannotKeep(t *testing.T) {
	cert := authority(t, pkix.Name{CommonName: "x"})
	good := jks(nil, 0, "old", cert)
	damaged := bytes.Clone(good)
	damaged[20] ^= 1
	for name, store := range map[string][]byte{
		"damaged": damaged, "cut off": good[:20], "no store": []byte("-----BEGIN CERTIFICATE-----"),
	} {
		if _, err := Java(store, "added", cert); err == nil {
			t.Errorf("%s: a store was written, and what was in it is lost", name)
		}
	}
}

func TestBundleAppends(t *testing.T) {
	cert := authority(t, pkix.Name{CommonName: "x"})
	got := Bundle([]byte("old without a line end"), cert)
	if !bytes.HasPrefix(got, []byte("old without a line end\n-----BEGIN")) {
		t.Errorf("bundle is %q", got)
	}
	back, err := Certificate(got)
	if err != nil || !back.Equal(cert) {
		t.Errorf("the certificate does not come back: %v", err)
	}
}

func FuzzJava(f *testing.F) {
	cert := authority(f, pkix.Name{CommonName: "x"})
	f.Add(jks(nil, 0, "old", cert))
	f.Fuzz(func(t *testing.T, store []byte) {
		got, err := Java(store, "added", cert)
		if err == nil && len(got) < len(cert.Raw) {
			t.Error("the certificate is not in the store")
		}
	})
}
