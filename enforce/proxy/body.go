package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/juliendoutre/proxaudit/enforce"
)

// maxLoggedBody bounds what is kept of a body, for the log or to send it again.
const maxLoggedBody = 64 << 10

// countingBody counts what is read of a request's body. The transport reads it
// on a goroutine of its own, which may outlive the response.
type countingBody struct {
	io.ReadCloser
	n       atomic.Int64
	broken  atomic.Bool // it ended before its end, or was closed
	kept    *keptBody
	trailer *http.Request // whose trailer is filled in at the end; nil for none
	again   *keptBody     // see resend; nil for HTTP/1
	ended   atomic.Bool   // it was read to its end
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	b.kept.keep(p[:n])
	b.again.keep(p[:n])
	switch {
	case err == io.EOF:
		if b.trailer != nil {
			stripRequestTrailer(b.trailer.Trailer, b.trailer.Header)
		}
		b.ended.Store(true)
	case err != nil:
		b.broken.Store(true)
	}
	return n, err
}

// keptBody is the beginning of a body, kept for the log when asked for. A nil
// one keeps nothing.
type keptBody struct {
	mu   sync.Mutex
	data []byte
	more bool
}

func (k *keptBody) keep(p []byte) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.more {
		return
	}
	room := maxLoggedBody - len(k.data)
	k.more = len(p) > room
	k.data = append(k.data, p[:min(len(p), room)]...)
}

func (k *keptBody) event() *enforce.Body {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.data) == 0 {
		return nil
	}
	if utf8.Valid(k.data) {
		return &enforce.Body{Text: enforce.RedactText(string(k.data)), Truncated: k.more}
	}
	return &enforce.Body{Base64: k.data, Truncated: k.more}
}

// hashes holds idle SHA-256 states.
var hashes = sync.Pool{New: func() any { return sha256.New() }}

// responseBody counts a response's body as it passes and hashes it where that
// is asked for, and records the response when it is closed. An early end is an
// error the client must see.
type responseBody struct {
	io.ReadCloser
	x       *exchange
	empty   bool      // it is known that nothing will come
	sum     hash.Hash // nil when not asked for
	n       int64
	kept    *keptBody
	trailer *http.Response // whose trailer is filled in at the end
	end     func(*responseBody)
	once    sync.Once
}

// here reports whether a read would not wait.
func (b *responseBody) here() bool {
	h, ok := b.ReadCloser.(interface{ here() bool })
	return b.empty || ok && h.here()
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		if b.sum != nil {
			b.sum.Write(p[:n])
		}
		b.n += int64(n)
		b.kept.keep(p[:n])
	}
	switch {
	case err == io.EOF:
		stripResponseTrailer(b.trailer.Trailer)
	case err != nil:
		b.x.failed = err
	}
	return n, err
}

func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() {
		b.end(b)
		if b.sum != nil {
			b.sum.Reset()
			hashes.Put(b.sum)
		}
	})
	return err
}

// digest returns the SHA-256 of what was delivered, "" when that is nothing.
func (b *responseBody) digest() string {
	if b.n == 0 || b.sum == nil {
		return ""
	}
	var buf [sha256.Size]byte
	return hex.EncodeToString(b.sum.Sum(buf[:0]))
}
