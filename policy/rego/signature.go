package rego

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"
)

// Key verifies the signatures of bundles. See
// https://www.openpolicyagent.org/docs/management-bundles#signing.
type Key struct{ config *bundle.VerificationConfig }

// NewKey returns the key in pemText, a public key or a certificate in PEM. The
// algorithm is one of OPA's (`opa sign --signing-alg`); where it is empty, RSA
// keys mean RS256, as in OPA, and elliptic ones the ES algorithm of their curve.
// For HS256, HS384 and HS512 pemText is the shared secret itself, byte for byte.
// The scope is what the signature's scope must be: empty for none.
//
// Which key signed is not a bundle's to say: its key id is not looked at, as
// `opa --verification-key` does not either.
func NewKey(pemText []byte, algorithm, scope string) (*Key, error) {
	if algorithm != "" && !keys.IsSupportedAlgorithm(algorithm) {
		return nil, fmt.Errorf("%q is no signing algorithm: want RS, PS, ES or HS with 256, 384 or 512, such as RS256", algorithm)
	}
	implied, err := algorithmOf(pemText)
	switch {
	case strings.HasPrefix(algorithm, "HS"):
		// A public key must never be taken for a secret: everyone has it.
		if block, _ := pem.Decode(pemText); block != nil || len(pemText) == 0 {
			return nil, fmt.Errorf("%s takes a secret, and this is none", algorithm)
		}
	case err != nil:
		return nil, err
	case algorithm == "":
		algorithm = implied
	case implied[:2] == "ES" && algorithm != implied, implied == "RS256" && algorithm[:2] == "ES":
		return nil, fmt.Errorf("the key is one for %s, not for %s", implied, algorithm)
	}
	const id = "bundle"
	one := &keys.Config{Key: string(pemText), Algorithm: algorithm, Scope: scope}
	return &Key{bundle.NewVerificationConfig(map[string]*keys.Config{id: one}, id, scope, nil)}, nil
}

// algorithmOf returns the algorithm that a public key is used with by default.
func algorithmOf(pemText []byte) (string, error) {
	block, _ := pem.Decode(pemText)
	if block == nil {
		return "", errors.New("no PEM block in it: want a public key or a certificate")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return "", fmt.Errorf("it holds a PEM block %q: want a public key or a certificate; a private one has no business here", block.Type)
	}
	if err != nil {
		return "", err
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case *ecdsa.PublicKey:
		if name, ok := map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Params().BitSize]; ok {
			return name, nil
		}
	}
	return "", errors.New("bundles are signed with RSA keys or those of the curves P-256, P-384 and P-521")
}

// verify checks that the bundle's signature is the key's, and that it covers
// every file that is there and no other. Documents are compared as they were
// parsed here, not as OPA parses them: what two parsers read in two ways would
// otherwise be verified in one way and used in the other.
func (k *Key) verify(b *archive) error {
	if b.signatures == nil {
		return fault(b.path, nil, "the bundle is not signed", "sign it with `opa sign`")
	}
	signed, err := k.signed(b.signatures)
	if err != nil {
		return fault(b.path, nil, "the signature does not hold: "+err.Error(), "use the public half of the key that signed")
	}
	for _, f := range b.all {
		err := checkDigest(f, signed[f.name])
		if list, ok := errors.AsType[Errors](err); ok {
			return list // it does not parse
		}
		if err != nil {
			return fault(f.path, nil, err.Error(), "sign the bundle anew, as it is to be used")
		}
		delete(signed, f.name)
	}
	if len(signed) > 0 {
		missing := slices.Sorted(maps.Keys(signed))
		return fault(b.path, nil, "the signature covers files that are not there: "+strings.Join(missing, ", "), "use the bundle as it was signed")
	}
	return nil
}

// signed returns the files that the signature covers, by name.
func (k *Key) signed(text []byte) (map[string]bundle.FileInfo, error) {
	var signatures bundle.SignaturesConfig
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&signatures); err != nil {
		return nil, err
	}
	// The plugin is the bundle's own word for how it wants to be verified.
	files, err := (&bundle.DefaultVerifier{}).VerifyBundleSignature(signatures, k.config)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]bundle.FileInfo, len(files))
	for name, info := range files {
		name = inArchive(name)
		if _, twice := byName[name]; twice {
			return nil, fmt.Errorf("it names %s twice", name)
		}
		byName[name] = info
	}
	return byName, nil
}

func checkDigest(f file, want bundle.FileInfo) error {
	switch want.Algorithm {
	case "":
		return errors.New("the signature does not cover this file")
	case "MD5", "SHA-1":
		return fmt.Errorf("the signature's digest is %s, of which two files can be made that share one", want.Algorithm)
	}
	hasher, err := bundle.NewSignatureHasher(bundle.HashingAlgorithm(want.Algorithm))
	if err != nil {
		return err
	}
	var content any = f.data
	if bundle.IsStructuredDoc(f.name) {
		if path.Ext(f.name) == ".yaml" || path.Ext(f.name) == ".yml" {
			content, err = parseYAML(f.path, f.data)
		} else {
			content, err = parseJSON(f.path, f.data)
		}
		if err != nil {
			return err
		}
	}
	got, err := hasher.HashFile(content)
	if err != nil {
		return err
	}
	digest, err := hex.DecodeString(want.Hash)
	if err != nil || !bytes.Equal(got, digest) {
		return errors.New("the file is not the one that was signed")
	}
	return nil
}
