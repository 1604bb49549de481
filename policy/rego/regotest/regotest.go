// Package regotest makes bundles as `opa build` and `opa sign` make them, with
// OPA's own code, for tests of this module's packages. It must not be imported
// by anything else.
package regotest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
)

// Signer is a key that signs bundles, both halves in PEM.
type Signer struct {
	Algorithm       string
	Private, Public []byte
	// Claims is a JSON object of further claims, such as the scope.
	Claims string
}

// NewSigner makes a key for ES256, or an RSA key for any algorithm that takes one.
func NewSigner(algorithm string) (*Signer, error) {
	var private crypto.Signer
	var err error
	if strings.HasPrefix(algorithm, "ES") {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return nil, err
	}
	one, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	other, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	return &Signer{
		Algorithm: algorithm,
		Private:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: one}),
		Public:    pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: other}),
	}, nil
}

// Bundle builds a bundle of what files holds, signed by s unless that is nil.
func Bundle(files fs.FS, s *Signer) ([]byte, error) {
	var out bytes.Buffer
	c := compile.New().
		WithRegoVersion(ast.RegoV1).
		WithAsBundle(true).
		WithFS(files).
		WithPaths(".").
		WithOutput(&out)
	if s != nil {
		claims, err := s.claims()
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.Remove(claims) }()
		c = c.WithBundleSigningConfig(bundle.NewSigningConfig(string(s.Private), s.Algorithm, claims))
	}
	if err := c.Build(context.Background()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// claims writes the claims to a file, which is how OPA takes them, and returns
// its name: "" for none.
func (s *Signer) claims() (string, error) {
	if s.Claims == "" {
		return "", nil
	}
	f, err := os.CreateTemp("", "claims")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(s.Claims)
	return f.Name(), errors.Join(err, f.Close())
}
