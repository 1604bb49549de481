package proxy

import (
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
)

// frameCounter counts the frames of one direction of a WebSocket while its bytes
// pass, and keeps none of them (RFC 6455 section 5.2). It is for one goroutine at
// a time; count may be read from others.
type frameCounter struct {
	count  atomic.Int64
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
			f.count.Add(1)
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

// upgradedBody is the connection behind a 101 response. It counts both ways,
// which two goroutines do.
type upgradedBody struct {
	io.ReadWriteCloser
	up, down             atomic.Int64
	upFrames, downFrames frameCounter
	end                  func(*upgradedBody)
	once                 sync.Once
}

func (b *upgradedBody) Read(p []byte) (int, error) {
	n, err := b.ReadWriteCloser.Read(p)
	b.down.Add(int64(n))
	b.downFrames.add(p[:n])
	return n, err
}

func (b *upgradedBody) Write(p []byte) (int, error) {
	n, err := b.ReadWriteCloser.Write(p)
	b.up.Add(int64(n))
	b.upFrames.add(p[:n])
	return n, err
}

func (b *upgradedBody) Close() error {
	err := b.ReadWriteCloser.Close()
	b.once.Do(func() { b.end(b) })
	return err
}
