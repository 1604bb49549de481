package icmp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
)

// Watcher reports refused datagrams until it is closed.
type Watcher struct {
	conns  []net.PacketConn
	report func(Refused)
	wg     sync.WaitGroup
}

// Watch takes over raw ICMP sockets and calls report for each refused datagram,
// from several goroutines.
func Watch(files []*os.File, report func(Refused)) (*Watcher, error) {
	w := &Watcher{report: report}
	for _, f := range files {
		c, err := net.FilePacketConn(f)
		f.Close()
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("use the ICMP socket: %w", err)
		}
		w.conns = append(w.conns, c)
		w.wg.Go(func() { read(c, report) })
	}
	return w, nil
}

// Close ends the watching, once all that was refused before is reported: the last
// datagrams of a command are refused right before it ends.
func (w *Watcher) Close() error {
	for _, c := range w.conns {
		w.drain(c)
		c.Close()
	}
	w.wg.Wait()
	return nil
}

// drain reports what has arrived and was not read yet.
func (w *Watcher) drain(c net.PacketConn) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return
	}
	parse, headed := format(c)
	buf := make([]byte, 2048)
	_ = raw.Control(func(fd uintptr) {
		for {
			n, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_DONTWAIT)
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			if err != nil {
				return
			}
			message := buf[:n]
			if headed && n > 0 {
				message = message[min(n, int(buf[0]&15)*4):]
			}
			if r, ok := parse(message); ok {
				w.report(r)
			}
		}
	})
}

// format returns what parses the messages of a socket, and whether the kernel puts
// an IP header before them, which package net takes off (raw(7)).
func format(c net.PacketConn) (parse func([]byte) (Refused, bool), headed bool) {
	if a, ok := c.LocalAddr().(*net.IPAddr); ok && a.IP.To4() == nil {
		return Parse6, false
	}
	return Parse4, true
}

func read(c net.PacketConn, report func(Refused)) {
	parse, _ := format(c)
	buf := make([]byte, 2048)
	for {
		n, _, err := c.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if r, ok := parse(buf[:n]); ok {
			report(r)
		}
	}
}
