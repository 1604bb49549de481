package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

// script is an origin that says what it is told to, byte by byte: for each
// connection, in order, one function. read takes the head of one request.
type script struct {
	addr     string
	accepted atomic.Int32
}

type line struct {
	net.Conn
	br *bufio.Reader
}

func (l *line) read() (path string) {
	r, err := http.ReadRequest(l.br)
	if err != nil {
		return ""
	}
	return r.URL.Path
}

func (l *line) say(s string) { _, _ = io.WriteString(l, s) }

func newScript(t *testing.T, conns ...func(*line)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &script{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.accepted.Add(1))
			go func() {
				defer c.Close()
				if n <= len(conns) {
					conns[n-1](&line{c, bufio.NewReader(c)})
				}
			}()
		}
	}()
	return s
}

// nobody watches an exchange.
type nobody struct{}

func (nobody) connected(string)                    {}
func (nobody) got(int, textproto.MIMEHeader) error { return nil }

func newOriginPool(t *testing.T, limits Limits) *originPool {
	t.Helper()
	p := &originPool{dial: (&net.Dialer{}).DialContext, limits: limits.withDefaults()}
	t.Cleanup(p.closeIdle)
	return p
}

func (p *originPool) fetch(ctx context.Context, method, u string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := p.roundTrip(r, nobody{})
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// TestOriginExchange: what a server may do to a connection, and what a second
// request gets after it.
func TestOriginExchange(t *testing.T) {
	fresh := func(l *line) { l.read(); l.say(strings.Replace(hello, "hello", "fresh", 1)) }
	for _, tt := range []struct {
		name     string
		method   string
		first    func(*line, chan struct{}) // the first connection
		want     string                     // of the first request
		second   string                     // of the second
		accepted int32
	}{
		{"kept", "GET", func(l *line, _ chan struct{}) { l.read(); l.say(hello); l.read(); l.say(hello) }, "200 hello", "200 hello", 1},
		{"HEAD, kept", "HEAD", func(l *line, _ chan struct{}) {
			l.read()
			l.say(strings.TrimSuffix(hello, "hello"))
			l.read()
			l.say(strings.TrimSuffix(hello, "hello"))
		}, "200 ", "200 ", 1},
		{"304 with a length, kept", "GET", func(l *line, _ chan struct{}) {
			l.read()
			l.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")
			l.read()
			l.say(hello)
		}, "304 ", "200 hello", 1},
		{"chunked, kept", "GET", func(l *line, _ chan struct{}) {
			l.read()
			l.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
			l.read()
			l.say(hello)
		}, "200 hello", "200 hello", 1},
		{"Connection: close", "GET", func(l *line, _ chan struct{}) {
			l.read()
			l.say(strings.Replace(hello, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
			if l.read() != "" {
				l.say(hello)
			}
		}, "200 hello", "200 fresh", 2},
		{"until it closes", "GET", func(l *line, _ chan struct{}) { l.read(); l.say("HTTP/1.1 200 OK\r\n\r\nhello") }, "200 hello", "200 fresh", 2},
		{"closed while idle", "GET", func(l *line, done chan struct{}) { l.read(); l.say(hello); <-done }, "200 hello", "200 fresh", 2},
		{"closed upon the next request", "GET", func(l *line, _ chan struct{}) { l.read(); l.say(hello); l.read() }, "200 hello", "200 fresh", 2},
		{"408 while idle", "GET", func(l *line, done chan struct{}) {
			l.read()
			l.say(hello)
			<-done
			l.say("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
			l.read()
		}, "200 hello", "200 fresh", 2},
		{"an answer too many", "GET", func(l *line, _ chan struct{}) { l.read(); l.say(hello + hello); l.read() }, "200 hello", "200 fresh", 2},
		{"early hints", "GET", func(l *line, _ chan struct{}) {
			l.read()
			l.say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + hello)
			l.read()
			l.say(hello)
		}, "200 hello", "200 hello", 1},
		{"cut short", "GET", func(l *line, _ chan struct{}) { l.read(); l.say(strings.TrimSuffix(hello, "lo")) }, "200 hel: unexpected EOF", "200 fresh", 2},
		{"a chunk cut short", "GET", func(l *line, _ chan struct{}) {
			l.read()
			l.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
		}, "200 hel: unexpected EOF", "200 fresh", 2},
		{"nothing", "GET", func(l *line, _ chan struct{}) { l.read() }, "0 : unexpected EOF", "200 fresh", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			said := make(chan struct{})
			s := newScript(t, func(l *line) { tt.first(l, said) }, fresh)
			p := newOriginPool(t, Limits{})
			show := func(status int, body string, err error) string {
				if err != nil {
					return fmt.Sprintf("%d %s: %v", status, body, err)
				}
				return fmt.Sprintf("%d %s", status, body)
			}
			if got := show(p.fetch(t.Context(), tt.method, "http://"+s.addr+"/1")); got != tt.want {
				t.Errorf("first: %q, want %q", got, tt.want)
			}
			close(said)
			if strings.HasSuffix(tt.name, "while idle") {
				p.untilHeard(t, s.addr)
			}
			if got := show(p.fetch(t.Context(), tt.method, "http://"+s.addr+"/2")); got != tt.second {
				t.Errorf("second: %q, want %q", got, tt.second)
			}
			if n := s.accepted.Load(); n != tt.accepted {
				t.Errorf("%d connections, want %d", n, tt.accepted)
			}
		})
	}
}

// untilHeard waits until something has arrived on the idle connection.
func (p *originPool) untilHeard(t *testing.T, server string) {
	t.Helper()
	p.mu.Lock()
	c := p.idle[server][0]
	p.mu.Unlock()
	for end := time.Now().Add(patience); quiet(c.wire.Conn); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing arrived")
		}
	}
}

// TestOriginPatience: a head that does not come, comes slowly, or does not end.
func TestOriginPatience(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits Limits
		origin func(*line)
		want   string
	}{
		{"no head", Limits{FirstByteTimeout: 50 * time.Millisecond}, func(l *line) { l.read(); l.read() }, "awaiting response headers"},
		{"half a head", Limits{FirstByteTimeout: 50 * time.Millisecond}, func(l *line) { l.read(); l.say("HTTP/1.1 200 OK\r\nA:"); l.read() }, "awaiting response headers"},
		{"a long head", Limits{MaxHeaderBytes: 8 << 10}, func(l *line) { l.read(); l.say("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 64<<10)) }, "server response headers exceeded 8192 bytes"},
		{"hints without end", Limits{MaxHeaderBytes: 8 << 10}, func(l *line) {
			l.read()
			l.say(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1<<12))
		}, "server response headers exceeded 8192 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newOriginPool(t, tt.limits)
			s := newScript(t, tt.origin)
			_, _, err := p.fetch(t.Context(), "GET", "http://"+s.addr+"/")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() != strings.Contains(tt.want, "awaiting") {
				t.Errorf("%v: a timeout: %v", err, timeout.Timeout())
			}
		})
	}
}

// TestOriginLeft: a client that leaves ends the exchange, and the connection.
func TestOriginLeft(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	s := newScript(t, func(l *line) {
		l.read()
		close(asked)
		_, _ = l.br.ReadByte() // the end
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, _, err := newOriginPool(t, Limits{}).fetch(ctx, "GET", "http://"+s.addr+"/"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-left
}

// TestOriginAbandoned: a body that nobody read to its end takes its connection
// with it.
func TestOriginAbandoned(t *testing.T) {
	ended := make(chan string)
	s := newScript(t, func(l *line) { l.read(); l.say(strings.TrimSuffix(hello, "lo")); ended <- l.read() })
	p := newOriginPool(t, Limits{})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.roundTrip(r, nobody{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if path := <-ended; path != "" || p.count != 0 {
		t.Errorf("the connection was kept: %q, %d idle", path, p.count)
	}
}

// TestOriginHere: what has come is given out, though more is to follow.
func TestOriginHere(t *testing.T) {
	const part = 128 << 10 // as much as sockets hold
	written, here := make(chan struct{}), make(chan struct{})
	o := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(2*part))
		_, _ = w.Write(make([]byte, part))
		_ = http.NewResponseController(w).Flush()
		close(written)
		<-here
		_, _ = w.Write(make([]byte, part))
	}))
	t.Cleanup(o.Close)
	p := newOriginPool(t, Limits{})
	p.tls = &tls.Config{RootCAs: x509.NewCertPool()}
	p.tls.RootCAs.AddCert(o.Certificate())
	r, err := http.NewRequestWithContext(t.Context(), "GET", o.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.roundTrip(r, nobody{})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-written
	buf, most, got := make([]byte, 64<<10), 0, 0
	for got < part {
		n, err := resp.Body.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got, most = got+n, max(most, n)
	}
	close(here)
	if most <= maxRecord {
		t.Errorf("no read brought more than a record: %d bytes", most)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || int(n)+got != 2*part {
		t.Errorf("%d bytes, %v", int(n)+got, err)
	}
}

// TestRecordReader: nothing is given out across the end of a record.
func TestRecordReader(t *testing.T) {
	var stream []byte
	ends := map[int]bool{}
	for range 200 {
		n := rand.IntN(maxRecord)
		stream = append(append(stream, 23, 3, 3, byte(n>>8), byte(n)), make([]byte, n)...)
		ends[len(stream)] = true
	}
	var r recordReader
	for at := 0; at < len(stream); {
		held := stream[at:min(at+1+rand.IntN(1<<15), len(stream))]
		n := r.next(held)
		for end := at + 1; end < at+n; end++ {
			if ends[end] {
				t.Fatalf("given out from %d to %d, across %d", at, at+n, end)
			}
		}
		r.pass(held[:n])
		if at += n; ends[at] != (r.rest == 0 && r.got == 0) {
			t.Fatalf("at %d: the end of a record: %v", at, ends[at])
		}
	}
}

// TestOriginTLS: long bodies over TLS arrive as they were, whatever the sizes of
// records and reads, and a name that is not the certificate's is refused.
func TestOriginTLS(t *testing.T) {
	body := make([]byte, 3<<20)
	for i := range body {
		body[i] = byte(rand.IntN(256))
	}
	o := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		for rest := body; len(rest) > 0; {
			n := min(1+rand.IntN(40<<10), len(rest))
			_, _ = w.Write(rest[:n])
			rest = rest[n:]
		}
	}))
	t.Cleanup(o.Close)
	p := newOriginPool(t, Limits{})
	p.tls = &tls.Config{RootCAs: x509.NewCertPool()}
	p.tls.RootCAs.AddCert(o.Certificate())
	for range 3 {
		status, got, err := p.fetch(t.Context(), "GET", o.URL)
		if err != nil || status != http.StatusOK || !bytes.Equal([]byte(got), body) {
			t.Fatalf("%d, %d bytes, %v", status, len(got), err)
		}
	}
	if p.count != 1 {
		t.Errorf("%d idle connections, want 1", p.count)
	}
	p.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, o.Listener.Addr().String())
	}
	var name x509.HostnameError
	if _, _, err := p.fetch(t.Context(), "GET", "https://other.test/"); !errors.As(err, &name) {
		t.Errorf("another name: %v", err)
	}
}

// TestOriginExpires: idle connections end after their time, and with the run.
func TestOriginExpires(t *testing.T) {
	for _, end := range []string{"time", "run"} {
		t.Run(end, func(t *testing.T) {
			closed := make(chan struct{})
			s := newScript(t, func(l *line) { l.read(); l.say(hello); l.read(); close(closed) })
			limits := Limits{}
			if end == "time" {
				limits.IdleTimeout = 20 * time.Millisecond
			}
			p := newOriginPool(t, limits)
			if _, _, err := p.fetch(t.Context(), "GET", "http://"+s.addr+"/"); err != nil {
				t.Fatal(err)
			}
			if end == "run" {
				p.closeIdle()
			}
			<-closed
		})
	}
}

// TestJoinedRecords: what is written at once leaves at once, unless it is a lot.
func TestJoinedRecords(t *testing.T) {
	authority, err := ca.New()
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	counted := &countedConn{Conn: near}
	cc := &clientConn{Conn: counted}
	server := tls.Server(cc, &tls.Config{DynamicRecordSizingDisabled: true, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf("ok.test") }})
	joined := &joinedConn{server, cc}
	client := tls.Client(far, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test's own peer
	read := make(chan []byte)
	go func() {
		for {
			b := make([]byte, 1<<20)
			n, err := client.Read(b)
			if err != nil {
				close(read)
				return
			}
			read <- b[:n]
		}
	}()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ size, writes int }{{1, 1}, {16 << 10, 1}, {16<<10 + 1, 1}, {64 << 10, 1}, {200 << 10, 4}} {
		sent := bytes.Repeat([]byte("x"), tt.size)
		before := counted.writes.Load()
		go func() { _, _ = joined.Write(sent) }()
		var got []byte
		for len(got) < len(sent) {
			got = append(got, <-read...)
		}
		if n := counted.writes.Load() - before; !bytes.Equal(got, sent) || n != int64(tt.writes) {
			t.Errorf("%d bytes left in %d writes, want %d", tt.size, n, tt.writes)
		}
	}
}

type countedConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}
