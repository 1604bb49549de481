package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is an HTTP/2 connection on which a test writes what no library would.
type frames struct {
	t    *testing.T
	conn net.Conn
	*http2.Framer
	head bytes.Buffer
	enc  *hpack.Encoder
}

// frames opens an HTTP/2 connection to ok.test: preface and settings are sent.
func (w *wire) frames(settings ...http2.Setting) *frames {
	w.t.Helper()
	return framesOn(w.t, w.open(), settings...)
}

func framesOn(t *testing.T, conn net.Conn, settings ...http2.Setting) *frames {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(patience))
	f := &frames{t: t, conn: conn, Framer: http2.NewFramer(conn, conn)}
	f.AllowIllegalWrites = true
	f.enc = hpack.NewEncoder(&f.head)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return f
}

// block encodes fields: "name: value" each. A space behind the first colon
// divides, so that a pseudo-header keeps its own.
func (f *frames) block(fields ...string) []byte {
	f.head.Reset()
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if err := f.enc.WriteField(hpack.HeaderField{Name: name, Value: value}); err != nil {
			f.t.Fatal(err)
		}
	}
	return bytes.Clone(f.head.Bytes())
}

// ask opens a stream with these fields.
func (f *frames) ask(stream uint32, end bool, fields ...string) {
	f.t.Helper()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block(fields...), EndStream: end, EndHeaders: true})
}

// answer reads until a stream ends. It returns the status, or how the stream or
// the connection was ended instead. It writes nothing: a test may do so meanwhile.
func (f *frames) answer(stream uint32) (outcome, body string) {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				f.t.Errorf("no answer on stream %d", stream)
			}
			if outcome == "" {
				outcome = "closed"
			}
			return outcome, body
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			if frame.ErrCode != http2.ErrCodeNo {
				return fmt.Sprintf("GOAWAY %s", frame.ErrCode), body
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == stream {
				if outcome == "" || frame.ErrCode != http2.ErrCodeNo {
					outcome = fmt.Sprintf("RST_STREAM %s", frame.ErrCode)
				}
				return outcome, body
			}
		case *http2.MetaHeadersFrame:
			if frame.StreamID == stream {
				if status := frame.PseudoValue("status"); status != "" {
					outcome = status
				}
				if frame.StreamEnded() {
					return outcome, body
				}
			}
		case *http2.DataFrame:
			if frame.StreamID == stream {
				body += string(frame.Data())
				if frame.StreamEnded() {
					return outcome, body
				}
			}
		}
	}
}
