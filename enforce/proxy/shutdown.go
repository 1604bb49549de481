package proxy

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Shutdown stops accepting and lets what is under way end until ctx does: idle
// connections are closed at once, requests, WebSockets and raw tunnels get that
// long. Then it cuts every connection to a client or a server. After it returns
// nothing is in progress and every event has been recorded.
func (p *Proxy) Shutdown(ctx context.Context) {
	p.close()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for _, s := range []*http.Server{p.front, p.inner} {
			_ = s.Shutdown(ctx)
		}
		p.work.wait(ctx)
	}()
	select {
	case <-drained:
	case <-ctx.Done():
	}
	// The sockets go first: to end TLS in good order can take seconds where the
	// peer does not read.
	p.cut()
	p.open.cut()
	<-drained
	p.work.wait(context.Background())
	p.upstream.close()
}

// counted lets Shutdown wait for h, which net/http does not do for requests whose
// connection was cut or taken over.
func (p *Proxy) counted(h http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.work.begin()
		defer p.work.end()
		if p.life.Err() == nil {
			h.ServeHTTP(w, r)
		}
	}
}

// connSet holds open connections, so that Shutdown can cut what is left of them.
// The zero set is empty and ready.
type connSet struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// add puts c into the set. Once the set is closed it closes c and returns false.
func (s *connSet) add(c net.Conn) bool {
	s.mu.Lock()
	open := !s.closed
	if open {
		if s.conns == nil {
			s.conns = map[net.Conn]struct{}{}
		}
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if !open {
		_ = c.Close() // which takes the lock
	}
	return open
}

func (s *connSet) remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// cut closes the set and what is in it.
func (s *connSet) cut() {
	s.mu.Lock()
	s.closed = true
	left := s.conns
	s.conns = nil
	s.mu.Unlock()
	for c := range left {
		_ = c.Close()
	}
}

// serverConn is a connection to a server, in a set while it is open. It embeds
// the whole of TCPConn: net leaves copies between two such to the kernel.
type serverConn struct {
	*net.TCPConn
	set *connSet
}

// Close implements net.Conn.
func (c *serverConn) Close() error {
	c.set.remove(c)
	return c.TCPConn.Close()
}

// kept is c in the set.
func (s *connSet) kept(c net.Conn, err error) (net.Conn, error) {
	tcp, ok := c.(*net.TCPConn)
	if err != nil || !ok {
		return c, err
	}
	sc := &serverConn{tcp, s}
	if !s.add(sc) {
		return nil, net.ErrClosed
	}
	return sc, nil
}

// tally counts what is under way. The zero tally is ready.
type tally struct {
	mu   sync.Mutex
	n    int
	zero []chan struct{} // closed when n gets there
}

func (t *tally) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tally) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n > 0 {
		return
	}
	for _, c := range t.zero {
		close(c)
	}
	t.zero = nil
}

// wait returns when nothing is under way or ctx ends.
func (t *tally) wait(ctx context.Context) {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return
	}
	zero := make(chan struct{})
	t.zero = append(t.zero, zero)
	t.mu.Unlock()
	select {
	case <-zero:
	case <-ctx.Done():
	}
}
