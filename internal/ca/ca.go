// Package ca is the certificate authority that lets the proxy read TLS: a fresh
// one for each run, or one that the user already trusts, and the certificates it
// signs for the hosts that are asked for.
//
// It must never write a private key anywhere, nor hand one out other than inside
// the tls.Certificate of a leaf, and it must never sign another authority.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const (
	// lifetime is how long the authority of a run and every leaf are valid. The
	// key is gone when the run ends; a short life bounds what a certificate
	// left behind in somebody's trust store is worth.
	lifetime = 24 * time.Hour
	// backdate tolerates clients whose clock is late, as in a paused container.
	backdate = time.Hour
	// cacheSize bounds the leaves kept, about 2 KiB each.
	cacheSize = 4096
)

// Authority signs leaf certificates. It is safe for concurrent use; New and Load
// make one, the zero value is of no use.
type Authority struct {
	cert   *x509.Certificate
	signer crypto.Signer
	// leafKey is shared by all leaves of a run. Whoever holds it holds the
	// signer too, as both live in this process only, so a key for each host
	// would protect nothing and cost a key generation at each first request.
	leafKey   *ecdsa.PrivateKey
	leafKeyID []byte

	cache   *lru.Cache[string, *tls.Certificate]
	minting singleflight.Group
}

// New makes an authority for one run: an ECDSA P-256 key that exists in memory
// only, valid for 24 hours, and from an hour ago. It may sign leaves and nothing else
// (a path length of zero, RFC 5280 section 4.2.1.9).
func New() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the CA key: %w", err)
	}
	keyID, err := subjectKeyID(key.Public())
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject: pkix.Name{
			Organization: []string{"proxaudit"},
			CommonName:   "proxaudit " + rand.Text()[:10],
		},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          keyID,
		// Not required of a self-signed certificate, but some strict verifiers
		// want it everywhere.
		AuthorityKeyId: keyID,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse the CA certificate: %w", err)
	}
	return newAuthority(cert, key)
}

func newAuthority(cert *x509.Certificate, signer crypto.Signer) (*Authority, error) {
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the leaf key: %w", err)
	}
	leafKeyID, err := subjectKeyID(leafKey.Public())
	if err != nil {
		return nil, err
	}
	cache, err := lru.New[string, *tls.Certificate](cacheSize)
	if err != nil {
		return nil, fmt.Errorf("make the leaf cache: %w", err)
	}
	return &Authority{cert: cert, signer: signer, leafKey: leafKey, leafKeyID: leafKeyID, cache: cache}, nil
}

// Certificate returns the authority's certificate. Do not change it.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// CertificatePEM returns the authority's certificate as one PEM block, to be
// added to what a client trusts.
func (a *Authority) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: slices.Clone(a.cert.Raw)})
}

// String names the authority. Without it a stray %v would print the key.
func (a *Authority) String() string { return "CA " + a.cert.Subject.String() }

// GoString is String, for a stray %#v.
func (a *Authority) GoString() string { return a.String() }

// subjectKeyID is the truncated SHA-256 of the public key, method 1 of RFC 7093
// section 2.
func subjectKeyID(public crypto.PublicKey) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("identify the key: %w", err)
	}
	sum := sha256.Sum256(spki)
	return sum[:20], nil
}
