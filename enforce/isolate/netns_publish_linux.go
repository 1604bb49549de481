package isolate

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// DialInside connects to a server that the command runs on the loopback of the
// jail. It works while Run does.
func (n *Netns) DialInside(port uint16) (net.Conn, error) {
	files, err := n.dials.ask(message{Dial: port}, 1)
	if err != nil {
		return nil, fmt.Errorf("reach port %d in the jail: %w", port, err)
	}
	defer closeFiles(files)
	return net.FileConn(files[0])
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
