package proxy

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// target is where a tunnel was asked to lead; the zero target is no tunnel.
type target struct {
	host string // canonical
	port uint16
	// The two ways to spell it as an authority, without the port and with it.
	bare, full string
}

func newTarget(host string, port uint16) target {
	bare := host
	if strings.Contains(host, ":") {
		bare = "[" + host + "]"
	}
	return target{host, port, bare, bare + ":" + strconv.Itoa(int(port))}
}

// authority is the target in a URL of the scheme.
func (t target) authority(scheme string) string {
	if t.port == policy.DefaultPort(scheme) {
		return t.bare
	}
	return t.full
}

// clientConn is a client's connection with what is known of it. Inside a tunnel
// it replays the bytes that were read to learn what the tunnel holds.
type clientConn struct {
	net.Conn
	buffered *bufio.Reader // nil when nothing was read ahead
	target   target
	captured bool     // the client does not know of the proxy
	scheme   string   // of requests that name none: http, or https once decrypted
	slot     *slot    // among the connections that are counted
	set      *connSet // that it is in, nil for none
	// serverName is what the client's handshake asked for, "" for nothing.
	serverName string
	guard      *guard // around this connection; nil for HTTP/2
	tail       *tail  // of what was read; nil but during the handshake
	// certified is when the client was shown the run's certificate, zero for never;
	// asked is whether anything came after the handshake.
	certified time.Time
	asked     bool
	out       outbox
	attribute
}

// attribute finds out once who is at the other end.
type attribute struct {
	once    sync.Once
	process *policy.Process
	shown   *policy.Process // in events: secrets in its arguments are redacted
}

// Read replays what was read ahead, then reads on.
func (c *clientConn) Read(b []byte) (int, error) {
	if c.buffered != nil {
		if c.buffered.Buffered() > 0 {
			n, err := c.buffered.Read(b)
			c.tail.keep(b[:n])
			return n, err
		}
		c.buffered = nil
	}
	n, err := c.Conn.Read(b)
	c.tail.keep(b[:n])
	return n, err
}

// Close closes the connection and makes room for another one.
func (c *clientConn) Close() error {
	err := c.Conn.Close()
	c.slot.release()
	if c.set != nil {
		c.set.remove(c)
	}
	return err
}

// Write implements net.Conn; see joinedConn.
func (c *clientConn) Write(b []byte) (int, error) { return c.out.write(c.Conn, b) }

// CloseWrite half-closes the connection where that is possible.
func (c *clientConn) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return c.Close()
}

// SetLinger says what Close does with bytes that were not sent yet.
func (c *clientConn) SetLinger(seconds int) error {
	setLinger(c.Conn, seconds)
	return nil
}

type connKey struct{}

// connContext puts the clientConn behind c into the context of its requests.
func (p *Proxy) connContext(ctx context.Context, c net.Conn) context.Context {
	cc := clientConnOf(c)
	if cc == nil {
		cc = &clientConn{Conn: c, scheme: "http"}
	}
	return context.WithValue(ctx, connKey{}, cc)
}

// clientConnOf returns the clientConn that c is, decrypted or not, nil for none.
func clientConnOf(c net.Conn) *clientConn {
	c = unguarded(c)
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	cc, _ := c.(*clientConn)
	return cc
}

func connOf(ctx context.Context) *clientConn {
	cc, _ := ctx.Value(connKey{}).(*clientConn)
	return cc
}

// who returns the process at the client's end, looked up once a connection.
func (p *Proxy) who(c *clientConn) *policy.Process {
	if p.Attribute == nil {
		return nil
	}
	c.once.Do(func() {
		c.process = p.Attribute(c.RemoteAddr(), c.LocalAddr())
		c.shown = p.show(c.process)
	})
	return c.process
}

// shown is a process with what events show of it.
type shown struct{ process, redacted *policy.Process }

// show returns what events show of a process, which most often is the one that
// made the last connection as well.
func (p *Proxy) show(who *policy.Process) *policy.Process {
	if last := p.shown.Load(); last != nil && last.process == who {
		return last.redacted
	}
	s := &shown{who, enforce.RedactProcess(who)}
	p.shown.Store(s)
	return s.redacted
}

// connListener is a net.Listener fed by hand: tunnels, once it is known what
// they hold, are served like accepted connections.
type connListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newConnListener() *connListener {
	return &connListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// errListenerClosed is what Accept returns after Close.
var errListenerClosed = errors.New("listener closed")

func (l *connListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, errListenerClosed
	}
}

// push hands c to Accept; after Close it closes c instead.
func (l *connListener) push(c net.Conn) {
	select {
	case l.conns <- c:
	case <-l.closed:
		_ = c.Close()
	}
}

func (l *connListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *connListener) Addr() net.Addr { return &net.TCPAddr{} }
