package isolate

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// dialer hands connections to the jail's own servers out, one request at a time.
type dialer struct {
	mu      sync.Mutex
	replies chan dialed
	ended   chan struct{} // closed when the run is over
}

type dialed struct {
	file *os.File
	err  error
}

func newDialer() *dialer {
	return &dialer{replies: make(chan dialed), ended: make(chan struct{})}
}

// deliver passes on what the jail answered to a Dial.
func (d *dialer) deliver(m message, files []*os.File) {
	r := dialed{err: errors.New(m.Text)}
	if len(files) == 1 {
		r = dialed{file: files[0]}
	} else {
		closeFiles(files)
	}
	select {
	case d.replies <- r:
	case <-d.ended:
		closeFiles(files)
	}
}

// DialInside connects to a server that the command runs on the loopback of the
// jail. It works while Run does.
func (n *Netns) DialInside(port uint16) (net.Conn, error) {
	n.dialer.mu.Lock()
	defer n.dialer.mu.Unlock()
	if err := n.ctl.Send(message{Dial: port}); err != nil {
		return nil, err
	}
	select {
	case r := <-n.dialer.replies:
		if r.file == nil {
			return nil, fmt.Errorf("reach port %d in the jail: %w", port, r.err)
		}
		defer r.file.Close()
		return net.FileConn(r.file)
	case <-n.dialer.ended:
		return nil, errGone
	}
}

// Publish makes a port of the jail's loopback reachable through l, until l is
// closed. It returns then. What comes in that way is the caller's wish, and not
// looked at.
func (n *Netns) Publish(l net.Listener, port uint16) error {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("publish port %d: %w", port, err)
		}
		go func() {
			defer c.Close()
			server, err := n.DialInside(port)
			if err != nil {
				return // the client sees the connection closed
			}
			defer server.Close()
			relay(c, server)
		}()
	}
}

// relay copies both ways and passes on that one side has finished sending.
func relay(a, b net.Conn) {
	var wg sync.WaitGroup
	oneWay := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if h, ok := to.(interface{ CloseWrite() error }); ok {
			_ = h.CloseWrite()
		}
	}
	wg.Go(func() { oneWay(a, b) })
	wg.Go(func() { oneWay(b, a) })
	wg.Wait()
}
