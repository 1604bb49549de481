package proxy

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"time"
)

// frameCounter counts the frames of one direction of a WebSocket while its bytes
// pass, and keeps none of them (RFC 6455 section 5.2). It is for one goroutine at
// a time.
type frameCounter struct {
	count  int64
	header [14]byte // of the frame that is being read
	have   int      // bytes of it
	left   uint64   // bytes of the payload that are still to come
}

// add takes the next bytes of the connection.
func (f *frameCounter) add(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.header[f.have] = p[0]
		f.have++
		p = p[1:]
		if f.have >= 2 && f.have == f.size() {
			f.count++
			f.left = f.payload()
			f.have = 0
		}
	}
}

// size is the length of a header whose first two bytes are there.
func (f *frameCounter) size() int {
	size := 2
	switch f.header[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.header[1]&0x80 != 0 {
		size += 4 // the mask
	}
	return size
}

func (f *frameCounter) payload() uint64 {
	switch n := f.header[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.header[2:])
	default:
		return uint64(n)
	}
}

// upgrade is a WebSocket that the server agreed to and the client does not know of
// yet.
type upgrade struct {
	server io.ReadWriteCloser
	header http.Header // of the response
}

// webSocket tells the client of x that the server agreed, joins the two until both
// have ended, and records what passed.
func (p *Proxy) webSocket(w http.ResponseWriter, x *exchange) {
	server := x.upgrade.server
	defer func() { _ = server.Close() }()
	up, down := &oneWay{}, &oneWay{Reader: server}
	defer func() {
		ev := p.responseEvent(x, http.StatusSwitchingProtocols, x.upgrade.header)
		ev.RequestBytes, ev.ResponseBytes = up.bytes, down.bytes
		ev.RequestFrames, ev.ResponseFrames = up.frames.count, down.frames.count
		p.recordResponse(ev)
	}()
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the client is gone
	}
	client := unguarded(conn)
	defer func() { _ = client.Close() }()
	defer context.AfterFunc(p.life, func() { _ = server.Close() })()
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	up.Reader = io.MultiReader(bytes.NewReader(early), client)
	joinMessages(client, server, up, down, p.Limits.IdleTimeout)
}

// joinMessages copies both ways until both directions ended. The end of one is
// passed on, and the other one has that much longer: what a peer sent before it
// learnt of the end was sent, and may be its last word (RFC 6455 section 7.1.1).
func joinMessages(client net.Conn, server io.ReadWriteCloser, up, down *oneWay, longer time.Duration) {
	ended := make(chan struct{}, 2)
	go func() {
		_, _ = io.Copy(server, up)
		if up.broken || closeWrite(server) != nil {
			_ = server.Close()
		}
		ended <- struct{}{}
	}()
	go func() {
		_, _ = io.Copy(client, down)
		_ = closeWrite(client)
		ended <- struct{}{}
	}()
	<-ended
	timer := time.AfterFunc(longer, func() { _ = client.Close(); _ = server.Close() })
	<-ended
	timer.Stop()
}

// oneWay counts what one side of a WebSocket sent.
type oneWay struct {
	io.Reader
	bytes  int64
	frames frameCounter
	broken bool // it ended otherwise than in good order
}

func (o *oneWay) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	o.bytes += int64(n)
	o.frames.add(p[:n])
	o.broken = err != nil && err != io.EOF
	return n, err
}
