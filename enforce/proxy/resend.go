package proxy

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// resend returns a request that asks once more for what r did not get, nil where
// that is not to be. A server of HTTP/2 may refuse a request because it has too much
// to do or is about to go, and then says that it has not begun to process it (RFC
// 9113 sections 6.8 and 8.7): its client would have sent it again, but hears of no
// stream here. One that has a body is not sent again by net/http.
func (b *countingBody) resend(r *http.Request, err error) *http.Request {
	if b == nil || b.again == nil {
		return nil
	}
	body := b.again.take()
	if body == nil || !b.ended.Load() || err == nil || !unprocessed(err) {
		return nil
	}
	again := r.WithContext(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	return again
}

// unprocessed reports whether err is net/http's word for a refusal before anything
// was processed: it has no type to ask for. What it sends again as well, a server's
// PROTOCOL_ERROR, says no such thing.
func unprocessed(err error) bool {
	why, ok := strings.CutPrefix(err.Error(), "http2: Transport: cannot retry err [")
	return ok && (strings.HasPrefix(why, "http2: Transport received Server's graceful shutdown GOAWAY]") ||
		strings.HasPrefix(why, "stream error: ") && strings.Contains(why, "; REFUSED_STREAM"))
}

// take returns all that there was to keep, nil where that was too much, and keeps
// nothing any more.
func (k *keptBody) take() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	data := k.data
	if k.more {
		data = nil
	}
	k.data, k.more = nil, true
	return data
}
