package proxy

import (
	"io"
	"net"
	"sync"
)

// tunnel is a connection that nobody reads, with what is at its ends.
type tunnel struct {
	client *clientConn
	server net.Conn
	said   []byte    // by the server already
	greets *greeting // of TLS; nil for raw bytes

	mu    sync.Mutex
	ended map[net.Conn]bool // to whom the end of what comes was passed on
}

// join copies both ways until both directions have ended, closes both ends and
// returns the bytes sent up and down. The end of a direction is passed on as what
// it is: a server that gets a FIN for a reset takes half an upload for a whole one.
// So both ends are reset, whoever closes them, until both directions have ended in
// good order.
func (t *tunnel) join() (up, down int64) {
	defer func() { _ = t.client.Close(); _ = t.server.Close() }()
	t.ended = map[net.Conn]bool{}
	setLinger(t.client, 0)
	setLinger(t.server, 0)
	var wg sync.WaitGroup
	wg.Go(func() {
		var from io.Reader = t.client
		if t.greets != nil {
			from = t.greets
		}
		var err error
		up, err = io.Copy(t.server, from)
		t.pass(err, t.client, t.server)
	})
	if t.greets != nil {
		t.said = t.greets.hear(t.server)
	}
	first, err := t.client.Conn.Write(t.said)
	if err == nil {
		down, err = io.Copy(t.client.Conn, t.server)
	}
	t.pass(err, t.server, t.client)
	wg.Wait()
	if len(t.ended) == 2 {
		setLinger(t.client, -1) // what was not sent yet still is
		setLinger(t.server, -1)
	}
	return up, down + int64(first)
}

// pass tells to how what from sent came to its end.
func (t *tunnel) pass(err error, from, to net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil && (t.ended[from] || !isReset(from)):
		// Of two that use a socket which is reset, the kernel tells only one; the other
		// one reads an end. Where from was told of the end nobody else uses it, and to
		// be closed is not to be reset.
		t.ended[to] = closeWrite(to) == nil
	case err != nil && isReset(to) && !isReset(from):
		// What it sent before is still on its way to from; the other direction ends
		// with it.
	default:
		abort(to)
	}
}

// setLinger says what closing c does with bytes that were not sent yet: send them
// below 0; at 0, drop them and reset the connection.
func setLinger(c net.Conn, seconds int) {
	switch c := c.(type) {
	case interface{ SetLinger(int) error }:
		_ = c.SetLinger(seconds)
	case interface{ NetConn() net.Conn }: // crypto/tls
		setLinger(c.NetConn(), seconds)
	}
}

// abort resets c. What runs over TLS ends without its close_notify, which would
// say that all is well.
func abort(c net.Conn) {
	setLinger(c, 0)
	switch c := c.(type) {
	case *clientConn:
		abort(c.Conn)
	case interface{ NetConn() net.Conn }: // crypto/tls
		_ = c.NetConn().Close()
	}
	_ = c.Close()
}
