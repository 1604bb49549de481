package clientenv

import (
	"slices"
	"strconv"
)

// Object identifiers, in DER.
const (
	oidData            = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"             // 1.2.840.113549.1.7.1
	oidCertBag         = "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03"     // 1.2.840.113549.1.12.10.1.3
	oidX509Certificate = "\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01"         // 1.2.840.113549.1.9.22.1
	oidFriendlyName    = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x14"             // 1.2.840.113549.1.9.20
	oidTrustedKeyUsage = "\x06\x0c\x60\x86\x48\x01\x86\xf9\x66\xad\xca\x7b\x01\x01" // 2.16.840.1.113894.746875.1.1
	oidAnyUsage        = "\x06\x04\x55\x1d\x25\x00"                                 // 2.5.29.37.0
)

const (
	tagSequence = 0x30
	tagSet      = 0x31
	tagOctets   = 0x04
	tagExplicit = 0xa0 // [0] EXPLICIT
	tagBMP      = 0x1e
)

// javaStore returns a PKCS #12 trust store (RFC 7292) with certs, without
// encryption and checksum: it holds nothing secret, and Java, which then takes
// any password, would otherwise derive keys for as long as all the rest takes.
// What makes an entry a trusted one to Java is the attribute trustedKeyUsage
// (JDK 8 and later, sun.security.pkcs12.PKCS12KeyStore).
//
// go-pkcs12 writes the same. By reflection that takes 3 ms for a system's roots,
// a fifth of what a whole start may take; this takes a twentieth of that.
func javaStore(certs [][]byte) []byte {
	size := 256
	for _, c := range certs {
		size += len(c) + 192
	}
	w := &backward{buf: make([]byte, size), start: size}
	for i, c := range slices.Backward(certs) {
		w.certBag("root-"+strconv.Itoa(i), c)
	}
	w.wrap(size, tagSequence) // SafeContents
	w.data(size)
	w.wrap(size, tagSequence) // AuthenticatedSafe
	w.data(size)
	w.write("\x02\x01\x03") // version 3
	w.wrap(size, tagSequence)
	return w.buf[w.start:]
}

// backward writes DER from its end to its beginning, so that a length is known
// when it is written, and nothing is copied twice.
type backward struct {
	buf   []byte
	start int // where what has been written begins
}

func (w *backward) write(s string) {
	w.start -= len(s)
	copy(w.buf[w.start:], s)
}

// wrap puts what stands before end into a value of each tag, the inner first.
func (w *backward) wrap(end int, tags ...byte) {
	for _, tag := range tags {
		n := end - w.start
		long := n >= 0x80
		length := 0
		for v := n; v > 0 || length == 0; v >>= 8 {
			w.write(string([]byte{byte(v)}))
			length++
		}
		if long {
			w.write(string([]byte{0x80 | byte(length)}))
		}
		w.write(string([]byte{tag}))
	}
}

// data makes a ContentInfo of type data (RFC 5652 section 4).
func (w *backward) data(end int) {
	w.wrap(end, tagOctets, tagExplicit)
	w.write(oidData)
	w.wrap(end, tagSequence)
}

func (w *backward) certBag(name string, cert []byte) {
	end := w.start
	w.write(oidAnyUsage)
	w.wrap(end, tagSet)
	w.write(oidTrustedKeyUsage)
	w.wrap(end, tagSequence)

	attribute := w.start
	w.write(bmp(name))
	w.wrap(attribute, tagBMP, tagSet)
	w.write(oidFriendlyName)
	w.wrap(attribute, tagSequence)
	w.wrap(end, tagSet)

	value := w.start
	w.start -= len(cert)
	copy(w.buf[w.start:], cert)
	w.wrap(value, tagOctets, tagExplicit)
	w.write(oidX509Certificate)
	w.wrap(value, tagSequence, tagExplicit)
	w.write(oidCertBag)
	w.wrap(end, tagSequence)
}

// bmp encodes an ASCII name as a BMPString's content.
func bmp(name string) string {
	out := make([]byte, 0, 2*len(name))
	for _, c := range []byte(name) {
		out = append(out, 0, c)
	}
	return string(out)
}
