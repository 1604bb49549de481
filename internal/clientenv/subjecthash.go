package clientenv

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var errName = errors.New("not a distinguished name")

// SubjectHash returns the eight hexadecimal digits under which OpenSSL looks
// for a certificate with this subject, in DER: the first bytes of the SHA-1 of
// its canonical form (openssl-x509(1), -subject_hash; X509_NAME_hash_ex(3)).
// SHA-1 names a file here and protects nothing.
func SubjectHash(subject []byte) (string, error) {
	name := cryptobyte.String(subject)
	var rdns cryptobyte.String
	if !name.ReadASN1(&rdns, cbasn1.SEQUENCE) || !name.Empty() {
		return "", errName
	}
	var canonical []byte
	for !rdns.Empty() {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, cbasn1.SET) {
			return "", errName
		}
		rdn, err := canonicalRDN(set)
		if err != nil {
			return "", err
		}
		canonical = append(canonical, rdn...)
	}
	sum := sha1.Sum(canonical)
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(sum[:4])), nil
}

// canonicalRDN encodes one relative name, its attributes in DER's order.
func canonicalRDN(set cryptobyte.String) ([]byte, error) {
	var attributes [][]byte
	for !set.Empty() {
		var attribute, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var tag cbasn1.Tag
		if !set.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) || !attribute.ReadAnyASN1(&value, &tag) {
			return nil, errName
		}
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			text, isText := utf8Of(tag, value)
			if isText {
				tag, value = cbasn1.UTF8String, canonicalText(text)
			}
			b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(value) })
		})
		der, err := b.Bytes()
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, der)
	}
	slices.SortFunc(attributes, bytes.Compare)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(attributes, nil)) })
	return b.Bytes()
}

// utf8Of converts the string types that OpenSSL folds together
// (ASN1_MASK_CANON in crypto/x509/x_name.c).
func utf8Of(tag cbasn1.Tag, value []byte) ([]byte, bool) {
	const universalString, bmpString, visibleString = 28, 30, 26
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String, visibleString:
		return value, true
	case cbasn1.T61String:
		// OpenSSL reads it as Latin-1.
		runes := make([]rune, len(value))
		for i, c := range value {
			runes[i] = rune(c)
		}
		return []byte(string(runes)), true
	case bmpString:
		units := make([]uint16, len(value)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(value[2*i:])
		}
		return []byte(string(utf16.Decode(units))), true
	case universalString:
		runes := make([]rune, len(value)/4)
		for i := range runes {
			runes[i] = rune(binary.BigEndian.Uint32(value[4*i:]))
		}
		return []byte(string(runes)), true
	}
	return value, false
}

// canonicalText lowercases ASCII, trims, and makes runs of white space one
// space.
func canonicalText(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range text {
		switch {
		case c == ' ' || '\t' <= c && c <= '\r':
			if len(out) > 0 && out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return bytes.TrimRight(out, " ")
}
