package truststore

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// Certificate reads the first certificate of a PEM text.
func Certificate(text []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errors.New("no certificate in the PEM text")
}

// Bundle returns a PEM bundle with cert at its end.
func Bundle(bundle []byte, cert *x509.Certificate) []byte {
	out := bytes.Clone(bundle)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return append(out, PEM(cert)...)
}

// PEM returns cert as PEM text.
func PEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}
