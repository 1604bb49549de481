package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

// wantReset reads until the connection ends, which it must by a reset, and returns
// what came before.
func wantReset(t *testing.T, conn net.Conn) string {
	t.Helper()
	got, err := io.ReadAll(conn)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v after %d bytes, want a reset", err, len(got))
	}
	return string(got)
}

// tear ends a connection as a process does that dies, or gives up.
func tear(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// ways are those in which bytes pass unread. Each hands out both ends of a
// connection over which some have passed in either direction.
var ways = []struct {
	name string
	open func(t *testing.T) (client, server net.Conn)
}{
	{"raw, tunnelled", func(t *testing.T) (net.Conn, net.Conn) { return openWay(t, "tunnelled", false) }},
	{"raw, captured", func(t *testing.T) (net.Conn, net.Conn) { return openWay(t, "captured", false) }},
	{"TLS, tunnelled", func(t *testing.T) (net.Conn, net.Conn) { return openWay(t, "tunnelled", true) }},
	{"TLS, captured", func(t *testing.T) (net.Conn, net.Conn) { return openWay(t, "captured", true) }},
}

func openWay(t *testing.T, way string, secure bool) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	port := l.Addr().(*net.TCPAddr).Port
	p := rawPolicy(port)
	first := "PING"
	if secure {
		p, first = passing(t, "yaml", "ok.test", port), record(names("ok.test"))
	}
	w, j := captureWorld(t, enforce.Enforce, p, text("x"))
	client = openBy(t, w, j, way, port)
	_, _ = io.WriteString(client, first)
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	if _, err := io.ReadFull(server, make([]byte, len(first))); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(server, "PONG")
	if _, err := io.ReadFull(client, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// both calls f with the two ends in either order.
func both(t *testing.T, f func(t *testing.T, near, far net.Conn)) {
	for _, way := range ways {
		t.Run(way.name+", by the client", func(t *testing.T) {
			t.Parallel()
			client, server := way.open(t)
			f(t, client, server)
		})
		t.Run(way.name+", by the server", func(t *testing.T) {
			t.Parallel()
			client, server := way.open(t)
			f(t, server, client)
		})
	}
}

// TestReset: a peer that is gone is gone for the other one: what it had sent is
// not taken for all that it wanted to send.
func TestReset(t *testing.T) {
	both(t, func(t *testing.T, near, far net.Conn) {
		_, _ = io.WriteString(near, "half of an upload")
		if _, err := io.ReadFull(far, make([]byte, 17)); err != nil {
			t.Fatal(err)
		}
		tear(near)
		wantReset(t, far)
	})
}

// TestResetUnderLoad: the same while the other one sends, so that writing to the
// one that is gone may learn of it first.
func TestResetUnderLoad(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says that a socket is reset once somebody was told")
	}
	both(t, func(t *testing.T, near, far net.Conn) {
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			_, _ = io.Copy(far, endless{})
		}()
		_, _ = io.ReadFull(near, make([]byte, 1<<20))
		_, _ = io.WriteString(near, "half of an upload")
		if _, err := io.ReadFull(far, make([]byte, 17)); err != nil {
			t.Fatal(err)
		}
		tear(near)
		reading := make(chan error, 1)
		go func() { _, err := io.ReadAll(far); reading <- err }()
		<-stopped
		// Of the two the kernel tells one; the other reads an end, or cannot write.
		if err := await(t, reading); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %v", err)
		}
		if !isReset(far) {
			t.Error("the connection was not reset")
		}
	})
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestEndIsPassedOn: the end of one direction leaves the other one open, and what
// was sent arrives whole however slowly it is read.
func TestEndIsPassedOn(t *testing.T) {
	const size = 8 << 20
	both(t, func(t *testing.T, near, far net.Conn) {
		go func() {
			_, _ = io.CopyN(near, endless{}, size)
			_ = near.(*net.TCPConn).CloseWrite()
		}()
		for _, conn := range []net.Conn{far, near} {
			if got, err := io.ReadAll(conn); len(got) != size || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if conn == far {
				go func() {
					_, _ = io.CopyN(far, endless{}, size)
					_ = far.Close()
				}()
			}
		}
	})
}

// TestCutIsAReset: a tunnel that is cut at the end of a run, or for its silence,
// is not ended in good order either.
func TestCutIsAReset(t *testing.T) {
	for name, cut := range map[string]func(w *world){
		"the run ends": func(w *world) { w.shutdownWithin(short) },
		"silence":      func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			limits := Limits{}
			if name == "silence" {
				if runtime.GOOS != "linux" {
					t.Skip("only Linux says when a socket last received")
				}
				limits.TunnelTimeout = short
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := l.Addr().(*net.TCPAddr).Port
			w := newWorld(t, enforce.Enforce, rawPolicy(port), text("x"), limit(limits))
			client := w.dial()
			authority := fmt.Sprintf("ok.test:%d", port)
			_, _ = io.WriteString(client, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\nhalf")
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if _, err := io.ReadFull(server, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			cut(w)
			wantReset(t, server)
			if got := wantReset(t, client); !strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Errorf("the client heard %q", got)
			}
		})
	}
}

// TestResetByOuterProxy: an outer proxy, of whatever kind, is reset in the
// server's place, and one that is spoken to over TLS is not told a good end.
func TestResetByOuterProxy(t *testing.T) {
	authority := newSigner(t)
	leaf := authority.leaf(t, nil)
	for _, kind := range []string{"http", "https", "socks5h"} {
		t.Run(kind, func(t *testing.T) {
			ended := make(chan error, 1)
			port := rawServer(t, func(c net.Conn) {
				if kind == "https" {
					c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{leaf}})
				}
				if kind == "socks5h" {
					agreeSOCKS(c)
				} else {
					head := make([]byte, 0, 1024)
					for !strings.HasSuffix(string(head), "\r\n\r\n") {
						b := make([]byte, 1)
						if _, err := c.Read(b); err != nil {
							break
						}
						head = append(head, b...)
					}
					_, _ = io.WriteString(c, established)
				}
				_, err := io.ReadFull(c, make([]byte, 4))
				_, _ = io.WriteString(c, "PONG")
				if err == nil {
					_, err = io.Copy(io.Discard, c)
				}
				ended <- err
			})
			l := 2222
			w := newWorld(t, enforce.Enforce, rawPolicy(l), text("x"), trust(authority.pool), environment(fmt.Sprintf("HTTPS_PROXY=%s://proxy.test:%d", kind, port)))
			client := w.dial()
			roundTripRaw(t, client, "CONNECT ok.test:2222 HTTP/1.1\r\nHost: ok.test:2222\r\n\r\n")
			_, _ = io.WriteString(client, "half")
			if _, err := io.ReadFull(client, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			tear(client)
			if err := await(t, ended); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("ended with %v, want a reset", err)
			}
		})
	}
}
