package ca

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// renewBefore is how long before its end a cached leaf is replaced.
const renewBefore = time.Hour

// maxCommonName is ub-common-name of RFC 5280 appendix A.1, in characters.
const maxCommonName = 64

// Leaf returns a certificate for a host in canonical form: lowercase A-labels
// without a trailing dot, or an IP address without brackets. Anything else,
// a wildcard included, is an error. The certificate is valid for that host only.
//
// Leaves are cached, and minted once however many callers ask at once; other
// hosts do not wait for that. The certificate is shared: do not change it.
func (a *Authority) Leaf(host string) (*tls.Certificate, error) {
	if leaf := a.cached(host); leaf != nil {
		return leaf, nil
	}
	v, err, _ := a.minting.Do(host, func() (any, error) {
		// Another call may have finished since the cache was asked.
		if leaf := a.cached(host); leaf != nil {
			return leaf, nil
		}
		leaf, err := a.mint(host)
		if err != nil {
			return nil, err
		}
		a.cache.Add(host, leaf)
		return leaf, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*tls.Certificate), nil
}

// cached returns the leaf for host unless there is none or it is about to end
// and a new one would last longer.
func (a *Authority) cached(host string) *tls.Certificate {
	leaf, ok := a.cache.Get(host)
	if !ok {
		return nil
	}
	end := leaf.Leaf.NotAfter
	if now := time.Now(); now.After(end) || now.Add(renewBefore).After(end) && end.Before(a.cert.NotAfter) {
		return nil
	}
	return leaf
}

func (a *Authority) mint(host string) (*tls.Certificate, error) {
	template, err := a.template(host, time.Now())
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.leafKey.Public(), a.signer)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for %q: %w", host, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse the certificate for %q: %w", host, err)
	}
	chain := [][]byte{der}
	if string(a.cert.RawIssuer) != string(a.cert.RawSubject) {
		// The user's authority is an intermediate; the client may trust only
		// what stands above it.
		chain = append(chain, a.cert.Raw)
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: a.leafKey, Leaf: leaf}, nil
}

// template is what a leaf says. KeyUsage and ExtKeyUsage are there because
// rustls and Go refuse leaves without; the key identifiers because OpenSSL's
// strict mode, Python's default, does. CreateCertificate adds the authority key
// identifier and a random serial number, and marks the alternative name critical
// where the subject is empty (RFC 5280 section 4.2.1.6).
func (a *Authority) template(host string, now time.Time) (*x509.Certificate, error) {
	if !now.Before(a.cert.NotAfter) {
		return nil, fmt.Errorf("the CA %q expired on %s: start proxaudit again, with a newer CA if you named one",
			a.cert.Subject.CommonName, a.cert.NotAfter.UTC().Format(time.DateTime))
	}
	t := &x509.Certificate{
		NotBefore:             later(now.Add(-backdate), a.cert.NotBefore),
		NotAfter:              earlier(now.Add(lifetime), a.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		SubjectKeyId:          a.leafKeyID,
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" && !addr.Is4In6() && addr.String() == host {
		t.IPAddresses = []net.IP{addr.AsSlice()}
	} else if isHostname(host) {
		t.DNSNames = []string{host}
	} else {
		return nil, fmt.Errorf("no certificate for %q: not a canonical host name or address", host)
	}
	if len(host) <= maxCommonName {
		t.Subject = pkix.Name{CommonName: host}
	}
	return t, nil
}

// isHostname reports whether host is a name in canonical form within the limits
// of RFC 1035 section 2.3.4. Underscores are let through, as the DNS and real
// hosts have them.
func isHostname(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	// A name whose last label is a number is an address in a spelling of its
	// own to some clients (WHATWG URL, "ends in a number").
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Trim(last, "0123456789") != ""
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
