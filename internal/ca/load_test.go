package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rootTemplate is what mkcert makes, less its names.
func rootTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{Organization: []string{"mkcert development CA"}, CommonName: "mkcert test"},
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
}

func selfSign(t *testing.T, template *x509.Certificate, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestLoadReadsEveryKeyEncoding(t *testing.T) {
	// mkcert's own keys have 3072 bits; 2048 keep the test fast.
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec := ecKey(t)
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key   crypto.Signer
		label string
		der   []byte
	}{
		"mkcert: RSA in PKCS 8": {rsaKey, "PRIVATE KEY", pkcs8(t, rsaKey)},
		"RSA in PKCS 1":         {rsaKey, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)},
		"ECDSA in SEC 1":        {ec, "EC PRIVATE KEY", sec1},
		"ECDSA in PKCS 8":       {ec, "PRIVATE KEY", pkcs8(t, ec)},
		"Ed25519":               {edKey, "PRIVATE KEY", pkcs8(t, edKey)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			certFile := writePEM(t, dir, "rootCA.pem", "CERTIFICATE", selfSign(t, rootTemplate(), tt.key))
			keyFile := writePEM(t, dir, "rootCA-key.pem", tt.label, tt.der)
			a, err := Load(certFile, keyFile)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := a.Leaf("ok.test")
			if err != nil {
				t.Fatal(err)
			}
			if err := verify(t, a, leaf, "ok.test"); err != nil {
				t.Error(err)
			}
			if len(leaf.Certificate) != 1 {
				t.Errorf("%d certificates sent, want the leaf alone under a root", len(leaf.Certificate))
			}
		})
	}
}

func TestLoadSkipsWhatStandsBeforeTheKey(t *testing.T) {
	dir, key := t.TempDir(), ecKey(t)
	certFile := writePEM(t, dir, "ca.pem", "CERTIFICATE", selfSign(t, rootTemplate(), key))
	keyFile := filepath.Join(dir, "key.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8(t, key)})...)
	if err := os.WriteFile(keyFile, both, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(certFile, keyFile); err != nil {
		t.Error(err)
	}
}

func TestLoadedIntermediateIsSentAlong(t *testing.T) {
	root, rootKey, key := rootTemplate(), ecKey(t), ecKey(t)
	root.MaxPathLenZero, root.SubjectKeyId = false, []byte("root")
	rootDER := selfSign(t, root, rootKey)
	inter := rootTemplate()
	inter.Subject.CommonName = "intermediate"
	der, err := x509.CreateCertificate(rand.Reader, inter, root, key.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a, err := Load(writePEM(t, dir, "c", "CERTIFICATE", der), writePEM(t, dir, "k", "PRIVATE KEY", pkcs8(t, key)))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.Leaf("ok.test")
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	rootCert, err := x509.ParseCertificate(rootDER)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(rootCert)
	for _, der := range leaf.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(c)
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: "ok.test", Roots: roots, Intermediates: between}); err != nil {
		t.Errorf("a client that trusts the root alone: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir, key := t.TempDir(), ecKey(t)
	cert := func(name string, change func(*x509.Certificate)) string {
		template := rootTemplate()
		change(template)
		return writePEM(t, dir, name, "CERTIFICATE", selfSign(t, template, key))
	}
	good := cert("good.pem", func(*x509.Certificate) {})
	goodKey := writePEM(t, dir, "good.key", "PRIVATE KEY", pkcs8(t, key))
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ cert, key, want string }{
		"no certificate file": {filepath.Join(dir, "none.pem"), goodKey, "mkcert -install"},
		"no key file":         {good, filepath.Join(dir, "none.key"), "none.key"},
		"another key":         {good, writePEM(t, dir, "other.key", "PRIVATE KEY", pkcs8(t, ecKey(t))), "is not the key of"},
		"swapped":             {goodKey, good, "swapped"},
		"not PEM":             {text, goodKey, "nothing in PEM form"},
		"broken certificate":  {writePEM(t, dir, "broken.pem", "CERTIFICATE", []byte{1, 2}), goodKey, "broken.pem"},
		"broken key":          {good, writePEM(t, dir, "broken.key", "PRIVATE KEY", []byte{1, 2}), "broken.key"},
		"encrypted key":       {good, writePEM(t, dir, "enc.key", "ENCRYPTED PRIVATE KEY", []byte{1, 2}), "openssl pkey"},
		"unknown key":         {good, writePEM(t, dir, "odd.key", "OPENSSH PRIVATE KEY", []byte{1, 2}), "OPENSSH"},
		"expired": {cert("old.pem", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
			goodKey, "expired on"},
		"not yet valid": {cert("new.pem", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }),
			goodKey, "not valid before"},
		"not a CA": {cert("leaf.pem", func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero = false, false }),
			goodKey, "not a CA certificate"},
		"may not sign": {cert("usage.pem", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }),
			goodKey, "does not let it sign"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(tt.cert, tt.key)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestMkcertRoot(t *testing.T) {
	for name, tt := range map[string]struct {
		goos string
		env  map[string]string
		want string
	}{
		"CAROOT wins":    {"linux", map[string]string{"CAROOT": "/ca", "HOME": "/home/u", "XDG_DATA_HOME": "/data"}, "/ca"},
		"XDG":            {"linux", map[string]string{"HOME": "/home/u", "XDG_DATA_HOME": "/data"}, "/data/mkcert"},
		"Linux":          {"linux", map[string]string{"HOME": "/home/u"}, "/home/u/.local/share/mkcert"},
		"macOS":          {"darwin", map[string]string{"HOME": "/Users/u"}, "/Users/u/Library/Application Support/mkcert"},
		"macOS with XDG": {"darwin", map[string]string{"HOME": "/Users/u", "XDG_DATA_HOME": "/data"}, "/data/mkcert"},
		"Windows":        {"windows", map[string]string{"LocalAppData": "/local", "XDG_DATA_HOME": "/data"}, "/local/mkcert"},
		"no home":        {"linux", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mkcertRoot(tt.goos, func(name string) string { return tt.env[name] })
			if filepath.ToSlash(got) != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestMkcertFiles(t *testing.T) {
	t.Setenv("CAROOT", "/ca")
	cert, key, err := MkcertFiles()
	if err != nil || filepath.ToSlash(cert) != "/ca/rootCA.pem" || filepath.ToSlash(key) != "/ca/rootCA-key.pem" {
		t.Errorf("got %q, %q, %v", cert, key, err)
	}
}
