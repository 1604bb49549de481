package truststore

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// SubjectHash returns the eight hexadecimal digits under which OpenSSL looks a
// certificate up in a directory (X509_NAME_hash(3), c_rehash(1)): the first
// four bytes, little-endian, of the SHA-1 of the subject's canonical encoding.
func SubjectHash(cert *x509.Certificate) (string, error) {
	canon, err := canonicalName(cert.RawSubject)
	if err != nil {
		return "", fmt.Errorf("hash the subject: %w", err)
	}
	sum := sha1.Sum(canon)
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(sum[:4])), nil
}

// attribute is AttributeTypeAndValue of RFC 5280 section 4.1.2.4.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// canonicalName is x509_name_canon of OpenSSL: the relative names one after the
// other without the sequence around them, strings as UTF8String in lower case
// with runs of white space made one space.
func canonicalName(raw []byte) ([]byte, error) {
	var sets []asn1.RawValue
	if rest, err := asn1.Unmarshal(raw, &sets); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("not a name: %w", err)
	}
	var out []byte
	for _, set := range sets {
		var attributes []byte
		for rest := set.Bytes; len(rest) > 0; {
			var a attribute
			var err error
			if rest, err = asn1.Unmarshal(rest, &a); err != nil {
				return nil, err
			}
			canonicalValue(&a.Value)
			der, err := asn1.Marshal(a)
			if err != nil {
				return nil, err
			}
			attributes = append(attributes, der...)
		}
		der, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: attributes})
		if err != nil {
			return nil, err
		}
		out = append(out, der...)
	}
	return out, nil
}

func canonicalValue(v *asn1.RawValue) {
	text := string(v.Bytes)
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagT61String, 26: // VisibleString
	case asn1.TagBMPString:
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(v.Bytes[2*i:])
		}
		text = string(utf16.Decode(units))
	default:
		return // OpenSSL leaves other types as they are
	}
	// Only ASCII is lowered and only ASCII white space folded.
	lowered := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
	fields := strings.FieldsFunc(lowered, func(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' })
	*v = asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(strings.Join(fields, " "))}
}
