//go:build unix

package clientenv

import (
	"crypto/x509"
	"os"
	"runtime"
)

const listSeparator = os.PathListSeparator

// systemBundles are the places of the system's roots, the first that holds any
// counts: those of crypto/x509 (root_linux.go, root_bsd.go).
func systemBundles() []string {
	return []string{
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/usr/local/etc/ssl/cert.pem",
		"/etc/ssl/cert.pem",
	}
}

// systemCertDir is the directory that OpenSSL searches by default on most
// systems.
func systemCertDir() string {
	for _, dir := range []string{"/etc/ssl/certs", "/etc/pki/tls/certs"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

func systemStore() [][]byte { return nil }

// systemPool returns the pool to start from and the certificates still to add.
// macOS verifies with a store of its own, of which the file is only a copy.
func systemPool(certs [][]byte, system int) (*x509.CertPool, [][]byte) {
	if runtime.GOOS == "darwin" {
		if pool, err := x509.SystemCertPool(); err == nil {
			return pool, certs[system:]
		}
	}
	return x509.NewCertPool(), certs
}
