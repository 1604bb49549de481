package enforce

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Log is a Recorder that writes events as JSON lines. It is safe for concurrent
// use.
//
// Each request would cost two system calls, so lines that are ready at the same
// time leave in one. A decision is handed to the operating system before Record
// returns. A response, which decides nothing any more, may wait for the next
// decision, but not longer than maxDelay.
type Log struct {
	buffers sync.Pool // of *[]byte: lines are made outside of the lock
	w       io.Writer

	mu      sync.Mutex
	ready   sync.Cond // a batch has been written
	batch   []byte    // whole lines that wait to be written
	spare   []byte    // the buffer of the batch before
	filling uint64    // the number of the batch that is being filled
	written uint64    // batches below this number have been written
	writing bool
	timer   *time.Timer // writes responses that no decision follows
	armed   bool
	err     error // the first error; once set, nothing more is written
	closed  bool
	file    *logFile // nil where w is no regular file
}

// maxDelay is how long a response may wait to be written.
const maxDelay = 100 * time.Millisecond

// maxWaiting is how many bytes of responses may wait.
const maxWaiting = 64 << 10

// errTorn is the error after a writer panicked.
var errTorn = errors.New("an event was only half written")

// maxKept is the largest buffer that is kept for another event, in bytes; one
// event with a body must not hold its memory for the whole run.
const maxKept = 64 << 10

// NewLog returns a log that writes to w, whole lines in each Write call.
func NewLog(w io.Writer) *Log {
	l := &Log{w: w, buffers: sync.Pool{New: func() any { return new([]byte) }}}
	l.ready.L = &l.mu
	return l
}

// Record writes ev as one line. When it returns nil for a decision, the whole
// line has been handed to the operating system. After any error the log is broken
// for good, since a line may follow half a line: every later Record fails with
// the first error.
func (l *Log) Record(ev Event) error {
	buf := l.buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= maxKept {
			l.buffers.Put(buf)
		}
	}()
	line, err := appendEvent((*buf)[:0], &ev)
	*buf = line
	if err != nil {
		// Nothing was written, and the next event may well be fine.
		return fmt.Errorf("encode the event: %w", err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if l.closed {
		return fmt.Errorf("write the event: %w", os.ErrClosed)
	}
	l.batch = append(l.batch, line...)
	if ev.Stage == StageResponse && len(l.batch) < maxWaiting {
		l.arm()
		return nil
	}
	return l.flush()
}

// arm has the timer write what waits. The caller holds the lock.
func (l *Log) arm() {
	if l.armed {
		return
	}
	l.armed = true
	if l.timer == nil {
		l.timer = time.AfterFunc(maxDelay, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.armed = false
			_ = l.flush() // the error stays in the log
		})
		return
	}
	l.timer.Reset(maxDelay)
}

// flush returns when every line that waits now has been written, by this call or
// by one that came first. The caller holds the lock, which is released meanwhile.
func (l *Log) flush() error {
	mine := l.filling
	for l.writing && l.written <= mine {
		l.ready.Wait()
	}
	if l.written > mine || l.err != nil || len(l.batch) == 0 {
		return l.err
	}
	lines := l.batch
	l.batch, l.spare = l.spare[:0], nil
	l.filling++
	l.writing = true
	defer func() {
		l.writing, l.written = false, l.filling
		if cap(lines) <= maxKept {
			l.spare = lines
		}
		l.ready.Broadcast()
	}()
	l.mu.Unlock()
	n, err := l.writeLines(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	if err != nil {
		l.err = fmt.Errorf("write the event: %w", err)
	}
	return l.err
}

// writeLines writes without the lock and takes it again. A writer that panics
// half-way leaves the log broken.
func (l *Log) writeLines(lines []byte) (n int, err error) {
	returned := false
	defer func() {
		l.mu.Lock()
		if !returned {
			l.err = errTorn
		}
	}()
	n, err = l.w.Write(lines)
	if l.file != nil {
		l.file.wrote(lines[:n])
	}
	returned = true
	return n, err
}

// Err returns the first error of writing, and nil while all is well.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.writing {
		l.ready.Wait()
	}
	return l.err
}

// Close ends the log, closes the writer where it is an io.Closer, and returns
// the first error there was, delayed write errors of the file system included.
// Later calls return the same. It does not wait for the disk (no fsync): the log
// survives the end of the process, not the loss of power.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.err
	}
	l.closed = true
	_ = l.flush() // the error stays in the log
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.file != nil {
		l.file.close()
	}
	c, ok := l.w.(io.Closer)
	if !ok {
		return l.err
	}
	if err := c.Close(); err != nil && l.err == nil {
		l.err = fmt.Errorf("close the event log: %w", err)
	}
	return l.err
}
