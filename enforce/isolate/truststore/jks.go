package truststore

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// Password is the one that Java's stores come with and Java assumes.
const Password = "changeit"

// The Java KeyStore format, as sun.security.provider.JavaKeyStore writes it:
// magic, version, number of entries, the entries, and a SHA-1 over the
// password, a phrase and all that.
const (
	jksMagic      = 0xfeedfeed
	jksVersion    = 2
	jksTrusted    = 2 // the tag of a trusted certificate
	jksHeaderSize = 12
)

// Java returns a store like the one given, with cert added under alias. A JKS
// store is extended; a PKCS #12 one becomes a JKS store of the same
// certificates, which Java reads in its place (keystore.type.compat). An empty
// one becomes a store of cert alone.
func Java(store []byte, alias string, cert *x509.Certificate) ([]byte, error) {
	if len(store) == 0 {
		return jks(nil, 0, alias, cert), nil
	}
	if len(store) > 4 && binary.BigEndian.Uint32(store) == jksMagic {
		return extendJKS(store, alias, cert)
	}
	certs, err := pkcs12.DecodeTrustStore(store, Password)
	if err != nil {
		// Since JDK 18 the store that comes with Java may have no password.
		if certs, err = pkcs12.DecodeTrustStore(store, ""); err != nil {
			return nil, fmt.Errorf("read the Java trust store: %w", err)
		}
	}
	var entries []byte
	for i, c := range certs {
		entries = append(entries, jksEntry(fmt.Sprintf("system-%d", i), c)...)
	}
	return jks(entries, uint32(len(certs)), alias, cert), nil
}

func extendJKS(store []byte, alias string, cert *x509.Certificate) ([]byte, error) {
	if len(store) < jksHeaderSize+sha1.Size {
		return nil, errors.New("read the Java trust store: it is cut off")
	}
	body, sum := store[:len(store)-sha1.Size], store[len(store)-sha1.Size:]
	if binary.BigEndian.Uint32(body[4:]) != jksVersion {
		return nil, errors.New("read the Java trust store: unknown version")
	}
	if !bytes.Equal(sum, jksDigest(body)) {
		return nil, errors.New("read the Java trust store: it is damaged or has another password than Java's own")
	}
	return jks(body[jksHeaderSize:], binary.BigEndian.Uint32(body[8:]), alias, cert), nil
}

func jks(entries []byte, count uint32, alias string, cert *x509.Certificate) []byte {
	out := make([]byte, 0, len(entries)+len(cert.Raw)+128)
	out = binary.BigEndian.AppendUint32(out, jksMagic)
	out = binary.BigEndian.AppendUint32(out, jksVersion)
	out = binary.BigEndian.AppendUint32(out, count+1)
	out = append(out, entries...)
	out = append(out, jksEntry(alias, cert)...)
	return append(out, jksDigest(out)...)
}

func jksEntry(alias string, cert *x509.Certificate) []byte {
	out := binary.BigEndian.AppendUint32(nil, jksTrusted)
	out = appendUTF(out, alias)
	out = binary.BigEndian.AppendUint64(out, uint64(time.Now().UnixMilli()))
	out = appendUTF(out, "X.509")
	out = binary.BigEndian.AppendUint32(out, uint32(len(cert.Raw)))
	return append(out, cert.Raw...)
}

// appendUTF is DataOutput.writeUTF for ASCII.
func appendUTF(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func jksDigest(body []byte) []byte {
	h := sha1.New()
	for _, u := range utf16.Encode([]rune(Password)) {
		h.Write([]byte{byte(u >> 8), byte(u)})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(body)
	return h.Sum(nil)
}
