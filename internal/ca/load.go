package ca

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Load uses an authority that exists already, such as mkcert's: a certificate
// and its key as PEM files, the key in PKCS #8, PKCS #1 or SEC 1. Further blocks
// are ignored. It is an error, which names the file and the mend, when the
// certificate is not valid now or may not sign, or when the key is not its own.
func Load(certFile, keyFile string) (*Authority, error) {
	cert, err := loadCertificate(certFile)
	if err != nil {
		return nil, err
	}
	signer, err := loadKey(keyFile)
	if err != nil {
		return nil, err
	}
	public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(signer.Public()) {
		return nil, fmt.Errorf("%s is not the key of %s: name a certificate and a key that belong together", keyFile, certFile)
	}
	return newAuthority(cert, signer)
}

func loadCertificate(file string) (*x509.Certificate, error) {
	block, err := readBlock(file, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: not a certificate that can be read: %w", file, err)
	}
	now := time.Now()
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return nil, fmt.Errorf("%s: not a CA certificate: name the certificate that signs, such as mkcert's rootCA.pem", file)
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, fmt.Errorf("%s: its key usage does not let it sign certificates: name another CA", file)
	case now.Before(cert.NotBefore):
		return nil, fmt.Errorf("%s: not valid before %s: set the clock or name another CA", file, cert.NotBefore.UTC().Format(time.DateTime))
	case now.After(cert.NotAfter):
		return nil, fmt.Errorf("%s: expired on %s: make a new CA, with mkcert by removing this one and running mkcert -install",
			file, cert.NotAfter.UTC().Format(time.DateTime))
	}
	return cert, nil
}

func loadKey(file string) (crypto.Signer, error) {
	block, err := readBlock(file, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	if strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "" {
		return nil, fmt.Errorf("%s: the key is encrypted: decrypt it with openssl pkey -in %s", file, file)
	}
	key, err := parseKey(block)
	if err != nil {
		return nil, fmt.Errorf("%s: not a private key that can be read: %w", file, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a %T cannot sign: name an RSA, ECDSA or Ed25519 key", file, key)
	}
	return signer, nil
}

// parseKey reads the three encodings by the block's label (RFC 7468 section 10,
// RFC 5915 section 4).
func parseKey(block *pem.Block) (any, error) {
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("unknown PEM block %q", block.Type)
	}
}

// readBlock returns the first PEM block of file whose label ends in suffix. It
// skips what may stand before it, such as the parameters that openssl writes
// before an EC key.
func readBlock(file, suffix string) (*pem.Block, error) {
	rest, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("load the CA: %w: run mkcert -install to make one, or leave out -ca-cert and -ca-key", err)
	}
	if err != nil {
		return nil, fmt.Errorf("load the CA: %w", err)
	}
	found := "nothing in PEM form"
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, fmt.Errorf("%s: holds %s, want a %s: are the certificate and the key swapped?", file, found, suffix)
		}
		if strings.HasSuffix(block.Type, suffix) {
			return block, nil
		}
		found = "a " + block.Type
	}
}
