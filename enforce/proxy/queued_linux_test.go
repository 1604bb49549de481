package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// corked holds what is written until uncork, so that several TLS records leave
// in one segment.
type corked struct {
	net.Conn
	mu   sync.Mutex
	held []byte
	hold bool
	late int // bytes at the end that leave with what is written next
}

func (c *corked) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hold {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *corked) cork(hold bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = hold
	if !hold && len(c.held) > 0 {
		n := max(0, len(c.held)-c.late)
		_, _ = c.Conn.Write(c.held[:n])
		c.held = c.held[n:]
	}
}

// poisoner is a server that answers each request for /first with what answers
// says, each element a write of its own (a TLS record, where there is TLS), all of
// them in one segment but for the last bytes, which come late; and everything else
// with "honest ".
func poisoner(t *testing.T, w *wire, answers []string, late int) (asked func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	var got []string
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer raw.Close()
				cork := &corked{Conn: raw}
				var c net.Conn = cork
				if w.secure {
					c = tls.Server(cork, &tls.Config{NextProtos: []string{"http/1.1"}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
						return w.origin.authority.Leaf(h.ServerName)
					}})
				}
				br := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					mu.Lock()
					got = append(got, r.Method+" "+r.URL.Path)
					mu.Unlock()
					parts := []string{"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhonest "}
					if r.URL.Path == "/first" {
						parts = answers
						cork.late = late
					} else {
						cork.late = 0
					}
					cork.cork(true)
					for _, part := range parts {
						_, _ = io.WriteString(c, part)
					}
					cork.cork(false)
				}
			}()
		}
	}()
	w.at = l.Addr().(*net.TCPAddr).Port
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), got...)
	}
}

// TestQueuedResponse: a server that answers one request twice must not answer the
// next one with it, which another process may have made: whatever came behind the
// end of a response, in the same record or in one of its own, ends the connection.
func TestQueuedResponse(t *testing.T) {
	const (
		evil  = "HTTP/1.1 302 Found\r\nLocation: https://evil.test/\r\nContent-Length: 4\r\n\r\nevil"
		short = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
	)
	long := strings.Repeat("x", 9000)
	tests := []struct {
		name, method string
		answers      []string
		late         int
	}{
		{"in the same record", "GET", []string{short + "first" + evil}, 0},
		{"in a record of its own", "GET", []string{short + "first", evil}, 0},
		{"begun in a record of its own", "GET", []string{short + "first", evil[:9], evil[9:]}, 0},
		{"in half a record", "GET", []string{short + "first", evil}, 40},
		{"in the head of a record", "GET", []string{short + "first", evil}, len(evil) + 18},
		{"behind a body in a record of its own", "GET", []string{short, "first", evil}, 0},
		{"behind a long body", "GET", []string{"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", long, evil}, 0},
		{"behind a body of several records", "GET", []string{"HTTP/1.1 200 OK\r\nContent-Length: 36000\r\n\r\n", long, long, long, long, evil}, 0},
		{"behind chunks", "GET", []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n", evil}, 0},
		{"behind no body", "GET", []string{"HTTP/1.1 204 No Content\r\n\r\n", evil}, 0},
		{"behind an empty body", "GET", []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", evil}, 0},
		{"behind 304", "GET", []string{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", evil}, 0},
		{"behind HEAD", "HEAD", []string{"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", evil}, 0},
		{"as the body of HEAD", "HEAD", []string{"HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n", evil}, 0},
		{"behind 1xx", "GET", []string{"HTTP/1.1 103 Early Hints\r\n\r\n", short + "first", evil}, 0},
	}
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				if tt.late > 0 && !e.secure {
					continue // there are no records
				}
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowHost("ok.test"), text("reached"))
					asked := poisoner(t, w, tt.answers, tt.late)
					first := w.open() // each is a process of its own
					if statuses, _ := w.ask(first, tt.method+" %t/first HTTP/1.1\r\nHost: %h\r\n\r\n", 1); len(statuses) != 1 || statuses[0] == 302 {
						t.Fatalf("first: %v", statuses)
					}
					statuses, body := w.ask(w.open(), "GET %t/second HTTP/1.1\r\nHost: %h\r\n\r\n", 1)
					if len(statuses) != 1 || statuses[0] != 200 || body != "honest " {
						t.Errorf("the second request was answered %v %q", statuses, body)
					}
					want := tt.method + " /first,GET /second"
					if got := strings.Join(asked(), ","); got != want {
						t.Errorf("the server was asked %s, want %s", got, want)
					}
				})
			}
		})
	}
}
