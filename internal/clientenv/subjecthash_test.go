package clientenv

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rehash lets the real thing link certs, file names to DER, in a directory, and
// returns the hash that each file is linked under.
func rehash(t *testing.T, certs map[string][]byte) map[string]string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("under CI this must run: " + "openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	for name, der := range certs {
		if err := os.WriteFile(filepath.Join(dir, name), bundle([][]byte{der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("openssl", "rehash", dir).CombinedOutput(); err != nil {
		t.Fatalf("openssl rehash: %v\n%s", err, out)
	}
	links, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{}
	for _, l := range links {
		if target, err := os.Readlink(filepath.Join(dir, l.Name())); err == nil {
			hashes[target], _, _ = strings.Cut(l.Name(), ".")
		}
	}
	return hashes
}

func TestSubjectHashIsOpenSSLs(t *testing.T) {
	certs := map[string][]byte{}
	add := func(der []byte) { certs[fmt.Sprintf("%03d.pem", len(certs))] = der }
	for _, der := range ReadRoots(nil).certs {
		add(der)
	}
	for _, name := range []pkix.Name{
		{CommonName: "  Two   Spaces\tand CAPITALS ÄÖ "},
		{Organization: []string{"mkcert development CA"}, OrganizationalUnit: []string{"user@host (User Name)"}, CommonName: "mkcert user@host (User Name)"},
		{Organization: []string{"B", "A", "a b"}},
		{CommonName: "x@y.test_*&"},
	} {
		add(newAuthorityNamed(t, name).cert.Raw)
	}
	// One relative name of two values, whose order changes with their case.
	add(newAuthorityNamed(t, pkix.Name{}, multiValued...).cert.Raw)
	hashes := rehash(t, certs)
	for file, der := range certs {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := SubjectHash(c.RawSubject); err != nil || got != hashes[file] {
			t.Errorf("%s: %s, %v; want %s", c.Subject, got, err, hashes[file])
		}
	}
}

// multiValued is the name O=x, CN=B+CN=a, with the spellings of three types.
var multiValued = slices.Concat([]byte{0x30, 0x23},
	[]byte{0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x0a, 0x13, 0x01, 'X'},
	[]byte{0x31, 0x15},
	[]byte{0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x14, 0x01, 'B'},
	[]byte{0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x1e, 0x02, 0, 'a'})

func FuzzSubjectHash(f *testing.F) {
	f.Add([]byte{0x30, 0x00})
	f.Add([]byte{0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x02, 'O', 'K'})
	f.Fuzz(func(t *testing.T, subject []byte) {
		if h, err := SubjectHash(subject); err == nil && len(h) != 8 {
			t.Errorf("hash %q", h)
		}
	})
}
