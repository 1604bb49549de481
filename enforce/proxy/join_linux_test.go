package proxy

import (
	"io"
	"net"
	"syscall"
	"testing"
)

// socketPair returns the two ends of a connection.
func socketPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return near, far
}

// TestResetThatTheWriterLearnt: of two that use a socket the kernel tells one that
// it was reset; to the other one it looks like an end, and must not be taken for it.
func TestResetThatTheWriterLearnt(t *testing.T) {
	from, peer := socketPair(t)
	to, far := socketPair(t)
	tear(peer)
	happens(t, "the reset arrives", func() bool { return isReset(from) })
	if _, err := from.Write([]byte("x")); err == nil {
		t.Error("writing to a socket that was reset succeeded")
	}
	if got, err := io.ReadAll(from); len(got) != 0 || err != nil {
		t.Fatalf("reading says %q, %v: the kernel tells the reader as well", got, err)
	}
	(&tunnel{ended: map[net.Conn]bool{}}).pass(nil, from, to)
	wantReset(t, far)
}

// TestLastWords: what a peer said before it was gone is still there for who reads,
// though writing to it has failed.
func TestLastWords(t *testing.T) {
	from, _ := socketPair(t)
	to, peer := socketPair(t)
	_, _ = io.WriteString(peer, "413 too much")
	tear(peer)
	happens(t, "the reset arrives", func() bool { return isReset(to) })
	(&tunnel{ended: map[net.Conn]bool{}}).pass(syscall.EPIPE, from, to)
	got := make([]byte, 12)
	if _, err := io.ReadFull(to, got); err != nil || string(got) != "413 too much" {
		t.Errorf("heard %q, %v", got, err)
	}
}
