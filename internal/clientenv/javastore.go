package clientenv

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/crypto/cryptobyte"
	"software.sslmate.com/src/go-pkcs12"
)

// jksMagic begins a key store in Java's older format
// (sun.security.provider.JavaKeyStore).
const jksMagic = 0xfeedfeed

var errJavaStore = errors.New("not a Java key store that can be read (JKS or PKCS #12)")

// addJava adds the trusted certificates of a Java key store.
func (r *Roots) addJava(path, password string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(data) > 4 && binary.BigEndian.Uint32(data) == jksMagic {
		certs, err := readJKS(data)
		for _, der := range certs {
			r.add(der)
		}
		return err
	}
	certs, err := pkcs12.DecodeTrustStore(data, password)
	if err != nil {
		// A store without a password has no key to derive.
		certs, err = pkcs12.DecodeTrustStore(data, "")
	}
	for _, c := range certs {
		r.add(c.Raw)
	}
	if err != nil {
		return errJavaStore
	}
	return nil
}

// readJKS returns the trusted certificates of a JKS file: big-endian numbers,
// strings with a length of 16 bits, and entries of tag 1 (a key and its chain)
// or 2 (a certificate). The checksum at the end is not verified: the file is
// the user's own, as a PEM bundle would be.
func readJKS(data []byte) (certs [][]byte, err error) {
	s := cryptobyte.String(data)
	var magic, version, count uint32
	if !s.ReadUint32(&magic) || !s.ReadUint32(&version) || !s.ReadUint32(&count) || version != 1 && version != 2 {
		return nil, errJavaStore
	}
	certificate := func() (der cryptobyte.String, ok bool) {
		var kind cryptobyte.String
		if version == 2 && !s.ReadUint16LengthPrefixed(&kind) {
			return nil, false
		}
		return readBytes32(&s)
	}
	for range count {
		var tag, chain uint32
		var alias cryptobyte.String
		if !s.ReadUint32(&tag) || !s.ReadUint16LengthPrefixed(&alias) || !s.Skip(8) {
			return nil, errJavaStore
		}
		switch tag {
		case 1:
			if _, ok := readBytes32(&s); !ok || !s.ReadUint32(&chain) {
				return nil, errJavaStore
			}
			for range chain {
				if _, ok := certificate(); !ok {
					return nil, errJavaStore
				}
			}
		case 2:
			der, ok := certificate()
			if !ok {
				return nil, errJavaStore
			}
			certs = append(certs, der)
		default:
			return nil, errJavaStore
		}
	}
	return certs, nil
}

func readBytes32(s *cryptobyte.String) (out cryptobyte.String, ok bool) {
	var n uint32
	if !s.ReadUint32(&n) || uint64(n) > uint64(len(*s)) {
		return nil, false
	}
	return out, s.ReadBytes((*[]byte)(&out), int(n))
}
