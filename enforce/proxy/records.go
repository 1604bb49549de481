package proxy

import (
	"crypto/tls"
	"net"
	"sync"
)

// maxRecord is the most that one TLS record holds (RFC 8446 section 5.1).
const maxRecord = 16 << 10

// joinedConn is a decrypted HTTP/1.1 connection. crypto/tls makes a system call
// of each record; here the records of one Write leave in one.
type joinedConn struct {
	*tls.Conn
	client *clientConn
}

// Write implements net.Conn.
func (c *joinedConn) Write(p []byte) (int, error) {
	if len(p) <= maxRecord {
		return c.Conn.Write(p)
	}
	c.client.out.hold()
	n, err := c.Conn.Write(p)
	if flushed := c.client.out.release(c.client.Conn); err == nil {
		err = flushed
	}
	return n, err
}

// NetConn returns what is beneath TLS.
func (c *joinedConn) NetConn() net.Conn { return c.client }

// outbox joins what is written between hold and release. Its zero value holds
// nothing. Several goroutines may write: TLS sends an alert from the reader's.
type outbox struct {
	mu      sync.Mutex
	holding bool
	held    *[]byte
}

// outboxes holds idle buffers, of four records each.
var outboxes = sync.Pool{New: func() any { b := make([]byte, 0, 4*(maxRecord+256)); return &b }}

func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.holding {
		o.holding, o.held = true, outboxes.Get().(*[]byte)
	}
}

// write keeps p while the box is held and as much fits, and else writes it to c.
func (o *outbox) write(c net.Conn, p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.holding {
		return c.Write(p)
	}
	if len(*o.held)+len(p) > cap(*o.held) {
		if err := o.flush(c); err != nil {
			return 0, err
		}
	}
	if len(p) > cap(*o.held) {
		return c.Write(p)
	}
	*o.held = append(*o.held, p...)
	return len(p), nil
}

// release writes what was held and lets later writes pass.
func (o *outbox) release(c net.Conn) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.holding {
		return nil
	}
	err := o.flush(c)
	outboxes.Put(o.held)
	o.holding, o.held = false, nil
	return err
}

// flush writes what is held. The caller holds the lock.
func (o *outbox) flush(c net.Conn) error {
	if len(*o.held) == 0 {
		return nil
	}
	_, err := c.Write(*o.held)
	*o.held = (*o.held)[:0]
	return err
}
