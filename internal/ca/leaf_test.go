package ca

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func verify(t *testing.T, a *Authority, leaf *tls.Certificate, host string) error {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.CertificatePEM()) {
		t.Fatal("the CA certificate cannot be read")
	}
	_, err := leaf.Leaf.Verify(x509.VerifyOptions{
		DNSName: host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

func TestLeafIsForItsHostOnly(t *testing.T) {
	a := newTest(t)
	tests := map[string]struct {
		host     string
		dns, ips int
		other    string
	}{
		"name":          {"ok.test", 1, 0, "evil.test"},
		"deep name":     {"a.b.c.ok.test", 1, 0, "b.c.ok.test"},
		"single label":  {"registry", 1, 0, "other"},
		"A-label":       {"xn--bcher-kva.test", 1, 0, "bcher.test"},
		"underscore":    {"my_bucket.ok.test", 1, 0, "ok.test"},
		"IPv4":          {"192.0.2.7", 0, 1, "192.0.2.8"},
		"IPv6":          {"2001:db8::7", 0, 1, "2001:db8::8"},
		"long name":     {strings.Repeat("a.", 60) + "ok.test", 1, 0, "ok.test"},
		"longest label": {strings.Repeat("a", 63) + ".test", 1, 0, "a.test"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			leaf, err := a.Leaf(tt.host)
			if err != nil {
				t.Fatal(err)
			}
			if err := verify(t, a, leaf, tt.host); err != nil {
				t.Error(err)
			}
			if verify(t, a, leaf, tt.other) == nil {
				t.Errorf("is good for %s too", tt.other)
			}
			c := leaf.Leaf
			if len(c.DNSNames) != tt.dns || len(c.IPAddresses) != tt.ips {
				t.Errorf("DNS names %q, addresses %v", c.DNSNames, c.IPAddresses)
			}
			checkProfile(t, a, c, tt.host)
		})
	}
}

// checkProfile asserts what rustls, Go, OpenSSL's strict mode and RFC 5280 want
// of a leaf.
func checkProfile(t *testing.T, a *Authority, c *x509.Certificate, host string) {
	t.Helper()
	if c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("key usage %b", c.KeyUsage)
	}
	if !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("extended key usage %v", c.ExtKeyUsage)
	}
	if c.IsCA || !c.BasicConstraintsValid {
		t.Error("not marked as a leaf")
	}
	if len(c.SubjectKeyId) == 0 || string(c.AuthorityKeyId) != string(a.cert.SubjectKeyId) {
		t.Errorf("key identifiers: subject %x, authority %x", c.SubjectKeyId, c.AuthorityKeyId)
	}
	if bits := c.SerialNumber.BitLen(); bits < 100 || bits > 159 {
		t.Errorf("serial number of %d bits", bits)
	}
	if c.NotBefore.Before(a.cert.NotBefore) || c.NotAfter.After(a.cert.NotAfter) {
		t.Errorf("valid %v to %v, outside of the CA's", c.NotBefore, c.NotAfter)
	}
	if !c.NotBefore.Before(time.Now().Add(-backdate / 2)) {
		t.Errorf("not back-dated: %v", c.NotBefore)
	}
	wantName, wantCritical := host, false
	if len(host) > 64 {
		wantName, wantCritical = "", true
	}
	if c.Subject.CommonName != wantName {
		t.Errorf("common name %q, want %q", c.Subject.CommonName, wantName)
	}
	for _, e := range c.Extensions {
		if e.Id.String() == "2.5.29.17" && e.Critical != wantCritical {
			t.Errorf("alternative name critical: %v, want %v", e.Critical, wantCritical)
		}
	}
}

func TestLeafRefusesWhatIsNotAHost(t *testing.T) {
	a := newTest(t)
	for name, host := range map[string]string{
		"nothing": "", "wildcard": "*.ok.test", "bare wildcard": "*", "upper case": "OK.test",
		"trailing dot": "ok.test.", "empty label": "ok..test", "brackets": "[2001:db8::7]",
		"zone": "fe80::1%eth0", "port": "ok.test:443", "NUL": "ok.test\x00.evil.test",
		"space": "ok .test", "not ASCII": "bücher.test", "long label": strings.Repeat("a", 64) + ".test",
		"too long": strings.Repeat("a.", 130) + "test", "mapped address": "::ffff:192.0.2.7",
		"number": "3221225985", "short address": "127.1", "long address": "2001:db8:0:0:0:0:0:7",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := a.Leaf(host); err == nil {
				t.Errorf("minted a certificate for %q", host)
			}
		})
	}
	if n := a.cache.Len(); n != 0 {
		t.Errorf("%d refused hosts are cached", n)
	}
}

// countingSigner counts signatures and can hold them up until released.
type countingSigner struct {
	crypto.Signer
	count atomic.Int64
	asked chan struct{} // receives when a signature is asked for
	hold  chan struct{}
}

func newCountingSigner(signer crypto.Signer) *countingSigner {
	return &countingSigner{Signer: signer, asked: make(chan struct{}, 1000), hold: make(chan struct{})}
}

func (s *countingSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.count.Add(1)
	s.asked <- struct{}{}
	<-s.hold
	return s.Signer.Sign(rand, digest, opts)
}

func TestLeafIsMintedOnceForManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTest(t)
		signer := newCountingSigner(a.signer)
		a.signer = signer
		leaves := make([]*tls.Certificate, 100)
		var wg sync.WaitGroup
		for i := range leaves {
			wg.Go(func() {
				leaf, err := a.Leaf("ok.test")
				if err != nil {
					t.Error(err)
				}
				leaves[i] = leaf
			})
		}
		synctest.Wait() // all hundred wait for the one signature
		close(signer.hold)
		wg.Wait()
		if n := signer.count.Load(); n != 1 {
			t.Errorf("signed %d times, want once", n)
		}
		for _, leaf := range leaves {
			if leaf != leaves[0] {
				t.Fatal("callers got different certificates")
			}
		}
	})
}

// A slow minting, as with an RSA key or a key on a token, must not hold up
// another host.
func TestLeafDoesNotWaitForAnotherHost(t *testing.T) {
	a := newTest(t)
	if _, err := a.Leaf("cached.test"); err != nil {
		t.Fatal(err)
	}
	fast := a.signer
	slow := newCountingSigner(fast)
	a.signer = &pickSigner{Signer: fast, first: slow}
	done := make(chan error)
	go func() {
		_, err := a.Leaf("slow.test")
		done <- err
	}()
	<-slow.asked
	for _, host := range []string{"cached.test", "fast.test"} {
		if _, err := a.Leaf(host); err != nil {
			t.Error(err)
		}
	}
	close(slow.hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// pickSigner gives the first signature to another signer.
type pickSigner struct {
	crypto.Signer
	first crypto.Signer
	count atomic.Int64
}

func (s *pickSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.count.Add(1) == 1 {
		return s.first.Sign(rand, digest, opts)
	}
	return s.Signer.Sign(rand, digest, opts)
}

func TestLeafIsCachedWithinBounds(t *testing.T) {
	a := newTest(t)
	first, err := a.Leaf("host0.test")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := a.Leaf("host0.test"); again != first {
		t.Error("not cached")
	}
	a.cache.Resize(16)
	for i := range 100 {
		if _, err := a.Leaf(fmt.Sprintf("host%d.test", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.cache.Len(); n != 16 {
		t.Errorf("%d leaves cached, want 16", n)
	}
	if fresh := newTest(t).cache.Resize(cacheSize); fresh != 0 {
		t.Errorf("resizing evicted %d", fresh)
	}
}

func TestLeafEndsWithItsAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTest(t)
		first, err := a.Leaf("ok.test")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(lifetime - time.Second)
		if again, err := a.Leaf("ok.test"); err != nil || again != first {
			t.Errorf("minted again though no leaf can last longer: %v", err)
		}
		if late, err := a.Leaf("late.test"); err != nil || late.Leaf.NotAfter.After(a.cert.NotAfter) {
			t.Errorf("a late leaf outlives the CA: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := a.Leaf("ok.test"); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after the CA's end: %v", err)
		}
	})
}

func TestLeafIsRenewedUnderALastingAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTest(t)
		a.cert.NotAfter = time.Now().AddDate(10, 0, 0)
		first, err := a.Leaf("ok.test")
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Until(first.Leaf.NotAfter); got > lifetime {
			t.Errorf("valid for another %v, want %v", got, lifetime)
		}
		time.Sleep(lifetime - 2*renewBefore)
		if again, _ := a.Leaf("ok.test"); again != first {
			t.Error("renewed too early")
		}
		time.Sleep(renewBefore + time.Minute)
		renewed, err := a.Leaf("ok.test")
		if err != nil || renewed == first {
			t.Fatalf("not renewed: %v", err)
		}
		if renewed.Leaf.SerialNumber.Cmp(first.Leaf.SerialNumber) == 0 {
			t.Error("the serial number was used twice")
		}
	})
}

func BenchmarkMint(b *testing.B) {
	a := newTest(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.mint("ok.test"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeafCached(b *testing.B) {
	a := newTest(b)
	if _, err := a.Leaf("ok.test"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := a.Leaf("ok.test"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
