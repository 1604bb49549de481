package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"slices"
	"testing"
)

// FuzzReadHello: what is read of a ClientHello is its records and not a byte of what
// follows, within the limit; and the name that is compared is the one that a reader
// of its own finds in the message.
func FuzzReadHello(f *testing.F) {
	for _, c := range []*tls.Config{{ServerName: "ok.test"}, {ServerName: "127.0.0.1"}, {ServerName: "ok.test", MaxVersion: tls.VersionTLS12}} {
		f.Add(clientHello(c))
	}
	for _, b := range beginnings {
		f.Add([]byte(b.send))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		h, err := readHello(r)
		if len(h.bytes) > maxHello || r.Len() != len(data)-len(h.bytes) || !bytes.HasPrefix(data, h.bytes) {
			t.Fatalf("%x: %d bytes were read, %d kept", data, len(data)-r.Len(), len(h.bytes))
		}
		if err != nil {
			return
		}
		name, extensions, err := helloByHand(h.bytes)
		hidden := slices.Contains(extensions, extensionECH) || slices.Contains(extensions, extensionESNI)
		if err != nil || name != h.serverName || hidden != h.hidden {
			t.Fatalf("%x: the name %q, hidden %v; by hand %q, %v, %v", data, h.serverName, h.hidden, name, hidden, err)
		}
	})
}

// vector cuts off what n bytes say the length of.
func vector(b []byte, n int) (v, rest []byte, ok bool) {
	if len(b) < n {
		return nil, nil, false
	}
	size := 0
	for _, c := range b[:n] {
		size = size<<8 | int(c)
	}
	if b = b[n:]; len(b) < size {
		return nil, nil, false
	}
	return b[:size], b[size:], true
}

// helloByHand reads records that hold a ClientHello and nothing else (RFC 8446
// sections 4.1.2 and 5.1, RFC 6066 section 3): its name and the kinds of its
// extensions.
func helloByHand(records []byte) (name string, extensions []uint16, err error) {
	malformed := errors.New("malformed")
	var message []byte
	for len(records) > 0 {
		content, rest, ok := vector(records[min(3, len(records)):], 2)
		if !ok || records[0] != recordTypeHandshake {
			return "", nil, malformed
		}
		message, records = append(message, content...), rest
	}
	if len(message) < 4 || message[0] != handshakeTypeClientHello {
		return "", nil, malformed
	}
	body, behind, ok := vector(message[1:], 3)
	if !ok || len(behind) > 0 || len(body) < 2+32 {
		return "", nil, malformed
	}
	body = body[2+32:]
	for _, n := range []int{1, 2, 1} { // session, cipher suites, compression methods
		if _, body, ok = vector(body, n); !ok {
			return "", nil, malformed
		}
	}
	if len(body) == 0 {
		return "", nil, nil
	}
	all, behind, ok := vector(body, 2)
	if !ok || len(behind) > 0 {
		return "", nil, malformed
	}
	for len(all) > 0 {
		kind := uint16(all[0])<<8 | uint16(all[min(1, len(all)-1)])
		var data []byte
		if data, all, ok = vector(all[min(2, len(all)):], 2); !ok || slices.Contains(extensions, kind) {
			return "", nil, malformed
		}
		if extensions = append(extensions, kind); kind != 0 {
			continue
		}
		list, behind, ok := vector(data, 2)
		if !ok || len(behind) > 0 {
			return "", nil, malformed
		}
		for len(list) > 0 {
			entry, rest, ok := vector(list[1:], 2)
			if !ok || list[0] == 0 && name != "" {
				return "", nil, malformed
			}
			if list[0] == 0 {
				name = string(entry)
			}
			list = rest
		}
	}
	return name, extensions, nil
}
