package proxy

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// originWire is a connection to a server beneath TLS. It bounds how long the head
// of a response may take, and reads ahead while much comes.
type originWire struct {
	net.Conn
	until time.Time // for the head; zero: no bound
	armed bool      // a deadline is set that may be an earlier one
	shut  bool      // nothing is read until begin

	records recordReader
	ahead   *[]byte // what was read and is not given out yet; nil: nothing
	from    int
	to      int
	much    bool // the last read brought a lot
}

// aheads holds idle buffers of four records each. A connection has one only while
// a long body comes.
var aheads = sync.Pool{New: func() any { b := make([]byte, 4*(maxRecord+256)); return &b }}

// lot is what a read brings when more is likely to follow.
const lot = 4 << 10

// begin bounds the time that the next head may take. The deadline in the poller
// is moved when it passes, not twice a request.
func (c *originWire) begin(patience time.Duration) {
	c.until, c.much, c.shut = time.Now().Add(patience), false, false
	if !c.armed {
		c.arm()
	}
}

// end says that the head is there.
func (c *originWire) end() { c.until = time.Time{} }

func (c *originWire) arm() {
	c.armed = !c.until.IsZero()
	_ = c.SetReadDeadline(c.until)
}

// Read implements net.Conn. What was read ahead it gives out by the record, so
// that crypto/tls holds no part of the next one and ready can tell.
func (c *originWire) Read(b []byte) (int, error) {
	if c.shut {
		return 0, os.ErrDeadlineExceeded // a temporary error to crypto/tls
	}
	if c.ahead == nil {
		if !c.much {
			n, err := c.wait(b)
			c.records.pass(b[:n])
			c.much = n >= lot
			return n, err
		}
		c.ahead, c.from = aheads.Get().(*[]byte), 0
		var err error
		c.to, err = c.wait(*c.ahead)
		c.much = c.to >= lot
		if c.to == 0 {
			c.letGo()
			return 0, err
		}
	}
	held := (*c.ahead)[c.from:c.to]
	n := copy(b, held[:c.records.next(held)])
	c.records.pass(b[:n])
	if c.from += n; c.from == c.to {
		c.letGo()
	}
	return n, nil
}

// letGo gives back the buffer, which is empty.
func (c *originWire) letGo() {
	aheads.Put(c.ahead)
	c.ahead = nil
}

// ready reports whether a whole record is here, so that a read does not wait.
func (c *originWire) ready() bool {
	return c.ahead != nil && c.records.whole((*c.ahead)[c.from:c.to])
}

// wait reads, for as long as begin allows.
func (c *originWire) wait(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		var timeout net.Error
		if n > 0 || err == nil || !errors.As(err, &timeout) || !timeout.Timeout() {
			return n, err
		}
		if !c.until.IsZero() && !time.Now().Before(c.until) {
			c.armed = false // the next one begins anew
			return 0, err
		}
		c.arm()
	}
}

// recordReader follows where TLS records begin (RFC 8446 section 5.1).
type recordReader struct {
	plain bool // there are none: http
	head  [recordHeader]byte
	got   int // bytes of the head
	rest  int // bytes of the record that are still to come
}

// recordHeader is the length of a record's head: type, version, length.
const recordHeader = 5

// pass notes that b was given out.
func (r *recordReader) pass(b []byte) {
	if r.plain {
		return
	}
	for len(b) > 0 {
		if r.rest == 0 {
			n := copy(r.head[r.got:], b)
			r.got += n
			b = b[n:]
			if r.got < recordHeader {
				return
			}
			r.got, r.rest = 0, length(r.head[:])
			continue
		}
		n := min(r.rest, len(b))
		r.rest -= n
		b = b[n:]
	}
}

// next returns how much of b belongs to the record under way.
func (r *recordReader) next(b []byte) int {
	switch {
	case r.plain:
		return len(b)
	case r.rest > 0:
		return min(r.rest, len(b))
	case r.got > 0 || len(b) < recordHeader:
		return min(recordHeader-r.got, len(b))
	default:
		return min(recordHeader+length(b), len(b))
	}
}

// between reports whether what was given out ends with a record.
func (r *recordReader) between() bool { return r.rest == 0 && r.got == 0 }

// whole reports whether b begins with a record and holds all of it.
func (r *recordReader) whole(b []byte) bool {
	if r.plain {
		return len(b) > 0
	}
	return r.between() && len(b) >= recordHeader && len(b) >= recordHeader+length(b)
}

func length(head []byte) int { return int(head[3])<<8 | int(head[4]) }
