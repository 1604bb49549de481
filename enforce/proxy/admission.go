package proxy

import (
	"net"
	"sync"
)

// admission bounds how many connections of clients there are. Those on which no
// request is under way stand in a line, the one that has been so for longest in
// front: it goes first when there is no room. A client must be ready for that
// (RFC 9112 section 9.5), and thousands of connections that say nothing do not
// keep out one that does.
//
// It is safe for concurrent use.
type admission struct {
	max   int
	mu    sync.Mutex
	held  int
	line  slot          // before the first and behind the last of the line
	freed chan struct{} // holds a token when a place may be had that was not there before
}

// slot is the place of one connection. A nil one belongs to a connection that
// nobody counts.
type slot struct {
	of         *admission
	conn       net.Conn
	prev, next *slot // in the line; nil when a request is under way
	gone       bool
}

func newAdmission(most int) *admission {
	a := &admission{max: most, freed: make(chan struct{}, 1)}
	a.line.prev, a.line.next = &a.line, &a.line
	return a
}

// admit waits until there is room for c and gives it a place at the end of the
// line. It returns nil, and c no place, when closing is closed before.
func (a *admission) admit(c net.Conn, closing <-chan struct{}) *slot {
	s := &slot{of: a, conn: c}
	for !a.place(s) {
		if a.evict() {
			continue
		}
		select {
		case <-a.freed:
		case <-closing:
			return nil
		}
	}
	return s
}

func (a *admission) place(s *slot) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held >= a.max {
		return false
	}
	a.held++
	s.enqueue()
	if a.held < a.max {
		a.wake() // another one that waits
	}
	return true
}

func (a *admission) wake() {
	select {
	case a.freed <- struct{}{}:
	default:
	}
}

// evict closes the connection in front of the line, and reports whether there
// was one.
func (a *admission) evict() bool {
	a.mu.Lock()
	s := a.line.next
	if s == &a.line {
		a.mu.Unlock()
		return false
	}
	s.dequeue()
	a.mu.Unlock()
	s.release()
	_ = s.conn.Close()
	return true
}

// busy says that a request is under way.
func (s *slot) busy() {
	if s == nil {
		return
	}
	s.of.mu.Lock()
	s.dequeue()
	s.of.mu.Unlock()
}

// quiet says that none is.
func (s *slot) quiet() {
	if s == nil {
		return
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.next == nil && !s.gone {
		s.enqueue()
		s.of.wake() // one that waits may take this place
	}
}

// release gives the place back. It may be called more than once.
func (s *slot) release() {
	if s == nil {
		return
	}
	a := s.of
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	s.dequeue()
	a.held--
	a.wake()
}

func (s *slot) enqueue() {
	end := &s.of.line
	s.prev, s.next = end.prev, end
	s.prev.next, end.prev = s, s
}

func (s *slot) dequeue() {
	if s.next == nil {
		return
	}
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
}
