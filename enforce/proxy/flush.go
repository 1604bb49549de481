package proxy

import (
	"net/http"
	"sync"
	"time"
)

// flushDelay is how long what a server has sent may wait for more of it.
// net/http keeps a header, and the first kilobytes of a body, for one write with
// what follows; a client that waits for just these must not wait for ever.
const flushDelay = 5 * time.Millisecond

// lateFlush flushes w once what was written has waited. It belongs to one
// response; its timer runs on a goroutine of its own.
type lateFlush struct {
	mu      sync.Mutex // also around each write to w
	w       http.ResponseWriter
	timer   *time.Timer
	armed   bool // the timer runs
	waiting bool // something was written and not flushed
	done    bool
}

// await comes before more is waited for: what has been written goes out after a
// while. The lock is held.
func (f *lateFlush) await() {
	switch {
	case f.armed || !f.waiting:
		return
	case f.timer == nil:
		f.timer = time.AfterFunc(flushDelay, f.fire)
	default:
		f.timer.Reset(flushDelay)
	}
	f.armed = true
}

func (f *lateFlush) fire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	if f.waiting && !f.done {
		f.flush()
	}
}

// flush sends what waits. The lock is held.
func (f *lateFlush) flush() {
	_ = http.NewResponseController(f.w).Flush()
	f.waiting = false
}

// end comes before the handler returns; w is not touched afterwards.
func (f *lateFlush) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
	if f.timer != nil {
		f.timer.Stop()
	}
}
