package isolate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const javaClient = `
public class Client {
    public static void main(String[] a) throws Exception {
        System.out.print(new String(new java.net.URL("https://ok.test/").openStream().readAllBytes()));
    }
}
`

// TestSystemTrustStore: clients that know of no variable trust the run's
// certificate, resolve names and connect, with nothing set at all.
func TestSystemTrustStore(t *testing.T) {
	ca, key, text := testAuthority(t)
	java := filepath.Join(t.TempDir(), "Client.java")
	if err := os.WriteFile(java, []byte(javaClient), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, argv := range map[string][]string{
		"curl":    {"/usr/bin/curl", "-sS", "https://ok.test/"},
		"wget":    {"/usr/bin/wget", "-qO-", "https://ok.test/"},
		"python":  {"/usr/bin/python3", "-c", "import urllib.request as u; print(u.urlopen('https://ok.test/').read().decode())"},
		"openssl": {"/usr/bin/openssl", "s_client", "-brief", "-verify_return_error", "-connect", "ok.test:443"},
		"hashed":  {"/usr/bin/openssl", "s_client", "-brief", "-verify_return_error", "-no-CAfile", "-CApath", "/etc/ssl/certs", "-connect", "ok.test:443"},
		"git":     {"/usr/bin/git", "ls-remote", "https://ok.test/"},
		"perl":    {"/usr/bin/perl", "-MHTTP::Tiny", "-e", "print HTTP::Tiny->new(verify_SSL=>1)->get('https://ok.test/')->{content}"},
		"java":    {"/usr/bin/java", java},
		"go":      {"/proc/self/exe", attemptArg, "get"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(argv[0]); err != nil {
				t.Skipf("NOT CHECKED: %s is not installed", name)
			}
			if name == "perl" && exec.Command(argv[0], "-MIO::Socket::SSL", "-e", "1").Run() != nil {
				t.Skip("NOT CHECKED: perl has no TLS")
			}
			j := newJail(t, NetnsOptions{CA: given(text)})
			j.proxy(func(c net.Conn) { serveTLS(c, ca, key) })
			out, _ := j.output(t, Command{Argv: argv, Env: []string{"PATH=/usr/bin:/bin", "HOME=/tmp"}})
			if !strings.Contains(out, "proxied") && !strings.Contains(out, "Verification: OK") {
				t.Errorf("got %s", out)
			}
			if got := strings.Join(j.captured(), " "); !strings.Contains(got, "443 ok.test") {
				t.Errorf("captured %q", got)
			}
		})
	}
}

// TestTrustStoreKeepsWhatItHad: the roots of the system stay.
func TestTrustStoreKeepsWhatItHad(t *testing.T) {
	_, _, text := testAuthority(t)
	for _, path := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"} {
		old, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		j := newJail(t, NetnsOptions{CA: given(text)})
		out, _ := j.output(t, Command{Argv: []string{"cat", path}})
		if !strings.HasPrefix(out, strings.TrimSpace(string(old))) || !strings.HasSuffix(out, strings.TrimSpace(string(text))) {
			t.Errorf("%s is not what it was with the certificate behind it", path)
		}
		after, err := os.ReadFile(path)
		if err != nil || string(after) != string(old) {
			t.Errorf("the host's %s changed", path)
		}
	}
}

func serveTLS(c net.Conn, ca *x509.Certificate, caKey *ecdsa.PrivateKey) {
	s := tls.Server(c, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{h.ServerName},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	}})
	if err := s.Handshake(); err != nil {
		return
	}
	buf := make([]byte, 4096)
	n, _ := s.Read(buf)
	body := "proxied\n"
	if strings.Contains(string(buf[:n]), "info/refs") {
		body = strings.Repeat("0", 40) + "\trefs/heads/proxied\n"
	}
	fmt.Fprintf(s, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s", len(body), body)
	_ = s.CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}
