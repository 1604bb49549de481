package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// copyBuffers holds idle buffers for response bodies.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// responseWriter copies bodies through pooled buffers, and flushes after each
// piece when the length is unknown: events and long polls must not wait.
type responseWriter struct {
	http.ResponseWriter
	lateFlush
	last bool // no HTTP follows on the connection, whatever the status
}

func newResponseWriter(w http.ResponseWriter, last bool) *responseWriter {
	return &responseWriter{ResponseWriter: w, lateFlush: lateFlush{w: w}, last: last}
}

// Header implements http.ResponseWriter.
func (w *responseWriter) Header() http.Header {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ResponseWriter.Header()
}

// WriteHeader implements http.ResponseWriter.
func (w *responseWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last && status >= http.StatusOK {
		w.ResponseWriter.Header().Set("Connection", "close")
	}
	h := w.ResponseWriter.Header()
	if status == http.StatusSwitchingProtocols { // goproxy does not know: see Proxy.upgraded
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	w.ResponseWriter.WriteHeader(status)
	if status < http.StatusOK {
		return
	}
	w.waiting = true
	// ReadFrom comes next, save for events, which goproxy writes one by one. Of a
	// response without content the header must not go ahead: in HTTP/2 it ends the
	// stream by itself, and in gRPC that says that it is the trailer as well.
	if strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") {
		w.await()
	}
}

// Write implements http.ResponseWriter.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.ResponseWriter.Write(p)
	w.waiting = true
	return n, err
}

func (w *responseWriter) beforeWait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.await()
}

// Unwrap lets http.ResponseController reach what is beneath.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *responseWriter) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
}

// ReadFrom implements io.ReaderFrom, which io.Copy prefers.
func (w *responseWriter) ReadFrom(src io.Reader) (total int64, err error) {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	streaming := w.Header().Get("Content-Length") == ""
	for {
		if b, ok := src.(interface{ here() bool }); !ok || !b.here() {
			w.beforeWait()
		}
		n, rerr := src.Read(*buf)
		if n > 0 {
			m, werr := w.Write((*buf)[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
			if streaming && rerr == nil {
				w.Flush()
			}
		}
		if rerr == io.EOF {
			return total, nil
		}
		if rerr != nil {
			return total, rerr
		}
	}
}

// hijacker gives goproxy the connection behind a CONNECT together with what the
// client sent behind it: goproxy drops the reader that holds a ClientHello which
// came in the same packet.
type hijacker struct {
	http.ResponseWriter
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hj, ok := h.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, rw, err := hj.Hijack()
	conn = unguarded(conn)
	if err != nil || rw.Reader.Buffered() == 0 {
		return conn, rw, err
	}
	return &clientConn{Conn: conn, buffered: rw.Reader}, rw, nil
}
