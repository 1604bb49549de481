package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// upstreamRoots returns what verifies servers: what this machine trusts, and
// what the files hold that -upstream-ca names. It extends and never replaces.
func upstreamRoots(machine func() *x509.CertPool, files []string) (func() *x509.CertPool, error) {
	var added []*x509.Certificate
	for _, file := range files {
		certs, err := readCertificates(file)
		if err != nil {
			return nil, fail("-upstream-ca takes a PEM file with the certificates of authorities, or a server's own", err)
		}
		added = append(added, certs...)
	}
	if len(added) == 0 {
		return machine, nil
	}
	return func() *x509.CertPool {
		pool := machine()
		for _, c := range added {
			pool.AddCert(c)
		}
		return pool
	}, nil
}

// readCertificates returns every certificate in a PEM file. Anything else in it
// is an error: a file that was taken for another one must not pass unnoticed.
func readCertificates(file string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s: holds a %s, not only certificates", file, block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", file, len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("%s: no PEM certificate in it", file)
	}
	return certs, nil
}

// clientCertificates reads what the -client-cert flags name, by host:port.
func clientCertificates(flags []string) (map[string]*tls.Certificate, error) {
	certs := map[string]*tls.Certificate{}
	for _, f := range flags {
		server, files, _ := strings.Cut(f, "=")
		certFile, keyFile, ok := strings.Cut(files, ",")
		if !ok || certFile == "" || keyFile == "" {
			return nil, fail("write -client-cert HOST=CERT.pem,KEY.pem, or HOST:PORT=… where the port is not 443", fmt.Errorf("-client-cert %s: not a host and two files", f))
		}
		host, port, err := hostname.ParseAuthority(server)
		if err != nil {
			return nil, fail("name the one host, or host:port, that may see the certificate", fmt.Errorf("-client-cert: %w", err))
		}
		if port == 0 {
			port = policy.DefaultPort("https")
		}
		addr := net.JoinHostPort(host, strconv.Itoa(int(port)))
		if certs[addr] != nil {
			return nil, fail("a server is shown one certificate: drop the others", fmt.Errorf("-client-cert names %s twice", addr))
		}
		if certs[addr], err = readKeyPair(certFile, keyFile); err != nil {
			return nil, fail("a client certificate is a PEM file with the certificate first, and one with its key, PKCS #8, PKCS #1 or SEC 1, unencrypted", err)
		}
	}
	return certs, nil
}

func readKeyPair(certFile, keyFile string) (*tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(key); block != nil && (strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "") {
		return nil, fmt.Errorf("%s: the key is encrypted: decrypt it with openssl pkey -in %s", keyFile, keyFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certFile, keyFile, errors.New(strings.TrimPrefix(err.Error(), "tls: ")))
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) || now.Before(pair.Leaf.NotBefore) {
		return nil, fmt.Errorf("%s: valid from %s to %s, which is not now", certFile, pair.Leaf.NotBefore.UTC().Format(time.DateTime), pair.Leaf.NotAfter.UTC().Format(time.DateTime))
	}
	return &pair, nil
}
