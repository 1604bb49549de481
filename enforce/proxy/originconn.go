package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"time"
)

// originConn is an HTTP/1.1 connection to a server that the goroutine of the
// request drives by itself. http.Transport has two goroutines a connection, one
// that writes and one that reads, so that a body can be sent while the response
// comes; a GET has none, and each exchange is then four switches of goroutines
// cheaper. It is used by one goroutine at a time.
type originConn struct {
	net.Conn  // TLS or not
	wire      *originWire
	address   string // dialled
	br        *bufio.Reader
	bw        *bufio.Writer
	left      int64 // bytes that a response's header may still have
	read      bool  // something came since the request was written
	used      bool
	idleSince time.Time
	probe     [1]byte // see spent
}

// originWatcher is told what http.Transport tells an httptrace.ClientTrace.
type originWatcher interface {
	connected(address string)
	got(code int, header textproto.MIMEHeader) error
}

// errStale is what an exchange returns on a connection that the server closed
// while it was idle: nothing of a response came.
var errStale = errors.New("the server closed the idle connection")

// exchange sends r, which has no body, and returns the head of the response to
// it. patience bounds the wait for the head, longest its bytes.
func (c *originConn) exchange(r *http.Request, w originWatcher, patience time.Duration, longest int) (*http.Response, error) {
	c.left, c.read = int64(longest), false
	c.wire.begin(patience)
	err := r.Write(c.bw)
	if err == nil {
		err = c.bw.Flush()
	}
	if err == nil {
		var resp *http.Response
		if resp, err = c.response(r, w); err == nil {
			c.wire.end()
			c.left = math.MaxInt64
			return resp, nil
		}
	}
	var timeout net.Error
	switch {
	case c.left <= 0:
		return nil, fmt.Errorf("server response headers exceeded %d bytes", longest)
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, fmt.Errorf("awaiting response headers: %w", err)
	case c.used && !c.read:
		return nil, fmt.Errorf("%w: %w", errStale, err)
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	default:
		return nil, err
	}
}

// response reads the final response's head and passes on the ones before it (RFC
// 9110 section 15.2), all within the same bounds.
func (c *originConn) response(r *http.Request, w originWatcher) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(c.br, r)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
		if err := w.got(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
			return nil, err
		}
	}
}

// Read implements io.Reader for the buffer.
func (c *originConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the header is too long")
	}
	n, err := c.Conn.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	c.read = c.read || n > 0
	return n, err
}

// spent reports whether nothing came behind the end of a response: what a server
// sends unasked must not be taken for the answer to the next request, which may be
// another process'. crypto/tls reads ahead, and a record of its own that it holds
// already neither the buffer nor the socket shows; so it is asked for one more
// byte, while the connection beneath gives it none.
func (c *originConn) spent() bool {
	if c.br.Buffered() > 0 || c.wire.ahead != nil {
		return false
	}
	c.wire.shut = true
	n, err := c.Conn.Read(c.probe[:])
	return n == 0 && err == os.ErrDeadlineExceeded && c.wire.records.between()
}

// originBody is the body of a response. At its end the connection goes back to
// the pool; left early, or broken off, it is closed.
type originBody struct {
	io.ReadCloser
	ctx   context.Context
	conn  *originConn
	known bool        // its length, so that bytes are content, not framing
	stop  func() bool // ends the watch over ctx; false when it ended the connection
	keep  func(*originConn)
	done  bool
}

// here reports whether a read would not wait.
func (b *originBody) here() bool {
	return b.done || b.known && (b.conn.br.Buffered() > 0 || b.conn.wire.ready())
}

// Read implements io.Reader.
func (b *originBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	// What is here already goes along: a record is little for a system call.
	for err == nil && b.known && len(p)-n >= maxRecord && b.conn.wire.ready() {
		var more int
		more, err = b.ReadCloser.Read(p[n:])
		n += more
	}
	if err == nil {
		return n, nil
	}
	b.finish(err == io.EOF)
	if err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

// Close implements io.Closer.
func (b *originBody) Close() error {
	b.finish(false)
	return nil
}

func (b *originBody) finish(whole bool) {
	if b.done {
		return
	}
	b.done = true
	if b.stop() && whole && b.keep != nil && b.conn.spent() {
		b.keep(b.conn)
		return
	}
	_ = b.conn.Close()
}
