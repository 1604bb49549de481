package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/juliendoutre/proxaudit/internal/hostname"
)

// maxHello bounds the bytes in which a ClientHello may come. crypto/tls reads no
// longer message of a handshake either; those in use take 2 KiB.
const maxHello = 64 << 10

// handshakeTypeClientHello is the first byte of one (RFC 8446 section 4).
const handshakeTypeClientHello = 1

// Extensions that hide the name of the server (RFC 9849 section 5, and what it
// was before: draft-ietf-tls-esni-06 section 5).
const (
	extensionECH  = 0xfe0d
	extensionESNI = 0xffce
)

// Alerts (RFC 8446 section 6).
const (
	alertDecodeError      = 50
	alertAccessDenied     = 49
	alertUnrecognizedName = 112 // RFC 6066 section 3
)

// helloMessage is what the first message of a TLS handshake says about its server, in
// the clear.
type helloMessage struct {
	serverName string // as sent; "" for none
	hidden     bool   // there may be another one, encrypted
	bytes      []byte // all that was read to learn this
}

var (
	errHelloLong  = fmt.Errorf("it is longer than %d KiB", maxHello>>10)
	errNoHello    = errors.New("the first record holds something else")
	errHelloMore  = errors.New("its record goes on behind it")
	errClientGone = errors.New("the client left")
	errHelloKnown = errors.New("read") // ends a handshake whose first message is all that was wanted
)

// readHello reads a ClientHello, in as many records as it comes, and not a byte
// more. What it read is in the message, whatever the error.
func readHello(r io.Reader) (h helloMessage, err error) {
	var head []byte // of the message: its type and length
	for message, size := 0, 4; message < size; {
		record, err := h.take(r, 5)
		if err != nil {
			return h, err
		}
		n := int(record[3])<<8 | int(record[4])
		if record[0] != recordTypeHandshake || record[1] != 3 || n == 0 || n > maxRecord {
			return h, errNoHello
		}
		content, err := h.take(r, n)
		if err != nil {
			return h, err
		}
		message += n
		if missing := 4 - len(head); missing > 0 {
			head = append(head, content[:min(missing, n)]...)
			if head[0] != handshakeTypeClientHello {
				return h, errNoHello
			}
			if len(head) == 4 {
				size += int(head[1])<<16 | int(head[2])<<8 | int(head[3])
			}
		}
		if message > size {
			return h, errHelloMore // a second one, before the first is answered
		}
	}
	return h, h.parse()
}

// take reads n bytes.
func (h *helloMessage) take(r io.Reader, n int) ([]byte, error) {
	begin := len(h.bytes)
	if begin+n > maxHello {
		return nil, errHelloLong
	}
	h.bytes = slices.Grow(h.bytes, n)[:begin+n]
	got, err := io.ReadFull(r, h.bytes[begin:])
	h.bytes = h.bytes[:begin+got]
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		err = errClientGone
	}
	return h.bytes[begin:], err
}

// parse has crypto/tls read what is there.
func (h *helloMessage) parse() error {
	err := tls.Server(helloConn{Reader: bytes.NewReader(h.bytes)}, &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		h.serverName = info.ServerName
		h.hidden = slices.Contains(info.Extensions, extensionECH) || slices.Contains(info.Extensions, extensionESNI)
		return nil, errHelloKnown
	}}).Handshake()
	if errors.Is(err, errHelloKnown) {
		return nil
	}
	return err
}

// helloConn is a connection on which a ClientHello comes and no answer leaves.
type helloConn struct {
	net.Conn // nil: a handshake that ends before it begins asks for nothing else
	io.Reader
}

func (c helloConn) Read(b []byte) (int, error)  { return c.Reader.Read(b) }
func (c helloConn) Write(b []byte) (int, error) { return len(b), nil }

// objection is why TLS may not pass undecrypted, and the alert that says so.
type objection struct {
	reason string
	alert  byte
}

// objectTo returns what speaks against taking h for the beginning of a connection
// to t, nil for nothing. err is that of reading it.
func objectTo(h helloMessage, err error, t target) *objection {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &objection{"the client did not send its whole ClientHello in time, so nothing tells which server it means", alertDecodeError}
	case err != nil:
		return &objection{"no ClientHello that can be read, so nothing tells which server is meant: " + err.Error(), alertDecodeError}
	case h.hidden:
		// What browsers send to keep others from refusing it (GREASE, RFC 9849
		// section 6.2) cannot be told from a name that is hidden, which is the point
		// of it; and a server of many names goes by the one inside, whatever stands
		// outside. No resolver of a run gives out the key for it, but a client can
		// bring one along.
		return &objection{"the ClientHello may hide the name of another server (encrypted_client_hello, RFC 9849), which cannot be compared; turn that off in the client, or let it pass as raw TCP (schemes: [tcp], or in Rego \"tcp\": \"passthrough\")", alertAccessDenied}
	case h.serverName == "":
		return nil
	}
	name, err := hostname.Canonical(h.serverName)
	if err != nil || name != t.host || !isASCII(h.serverName) { // the server gets it as it is, not mapped
		return &objection{fmt.Sprintf("the connection leads to %s port %d, the TLS server name is %q", t.host, t.port, h.serverName), alertUnrecognizedName}
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > 0x7f {
			return false
		}
	}
	return true
}

// refuseTLS ends a connection on which a ClientHello was read.
func refuseTLS(cc *clientConn, alert byte) {
	defer func() { _ = cc.Close() }()
	if _, err := cc.Write([]byte{recordTypeAlert, 3, 3, 0, 2, 2, alert}); err != nil {
		return
	}
	_ = cc.CloseWrite()
	_ = cc.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, cc, 256<<10) // see guard.linger
}
