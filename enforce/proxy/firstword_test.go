package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// passAll is what stands where there is no policy.
var passAll = policy.Func(func(_ context.Context, r *policy.Request) (policy.Decision, error) {
	return policy.Decision{Action: policy.Log, Default: true, Passthrough: r.Scheme == "tcp"}, nil
})

// quietServer accepts connections and does with each what serve says, then reads
// until its client is done.
type quietServer struct {
	port     int
	accepted chan struct{} // a token each
}

func newQuietServer(t *testing.T, serve func(net.Conn)) *quietServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &quietServer{port: l.Addr().(*net.TCPAddr).Port, accepted: make(chan struct{}, 8)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted <- struct{}{}
			go func() {
				defer c.Close()
				serve(c)
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return s
}

func say(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

// TestLateClient: a client that is slow to speak first is read and judged like
// any other, although its server was asked meanwhile whether it speaks first.
func TestLateClient(t *testing.T) {
	for _, secure := range []bool{true, false} {
		for _, way := range []string{"captured", "tunnelled"} {
			t.Run(fmt.Sprintf("%s, TLS %v", way, secure), func(t *testing.T) {
				t.Parallel()
				w, j := captureWorld(t, enforce.Audit, passAll, text("reached"))
				w.events.arrived = make(chan struct{})
				port := w.origin.plainPort
				if secure {
					port = w.origin.port
				}
				conn := openBy(t, w, j, way, port)
				await(t, w.events.arrived) // the client's time is over
				happens(t, "the server is asked", func() bool { return w.origin.accepted.Load() == 1 })
				if secure {
					conn = tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "ok.test"})
				}
				if status, body := roundTripRaw(t, conn, fmt.Sprintf("GET /late HTTP/1.1\r\nHost: ok.test:%d\r\n\r\n", port)); status != 200 || body != "reached" {
					t.Errorf("%d %q", status, body)
				}
				if ev := w.events.one(t, enforce.StageConnect); ev.Rule != enforce.RuleSilence || ev.Action != policy.Log {
					t.Errorf("event %+v", ev)
				}
				if evs := w.events.of(enforce.StageTCP); len(evs) != 0 {
					t.Errorf("taken for raw TCP: %+v", evs)
				}
				if ev := w.events.one(t, enforce.StageRequest); ev.Path != "/late" || ev.Method != "GET" {
					t.Errorf("event %+v", ev)
				}
			})
		}
	}
}

// openBy connects to ok.test in one of the two ways.
func openBy(t *testing.T, w *world, j *jail, way string, port int) net.Conn {
	t.Helper()
	if way == "captured" {
		return j.dial(t, w, okAddr, port)
	}
	conn := j.dial(t, w, jailAddr, 1)
	authority := fmt.Sprintf("ok.test:%d", port)
	roundTripRaw(t, conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	return conn
}

// TestLateClientOfADeafServer: a client that speaks while its server is still
// being dialled is not held up by that.
func TestLateClientOfADeafServer(t *testing.T) {
	w, j := captureWorld(t, enforce.Audit, passAll, text("x"))
	muteAddr := netip.MustParseAddr("198.18.1.3")
	j.names[muteAddr] = "mute.test"
	w.events.arrived = make(chan struct{})
	conn := j.dial(t, w, muteAddr, 8443)
	await(t, w.events.arrived)
	await(t, w.names.muted)
	_ = conn.SetDeadline(time.Now().Add(8 * time.Second)) // the name server is given up after 10 or more
	if err := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "mute.test"}).Handshake(); err != nil {
		t.Error(err)
	}
}

// TestFirstWord: who speaks first tells what a connection is, and the rest of it
// passes whole. tcp is how many of its events say that raw TCP passed.
func TestFirstWord(t *testing.T) {
	tests := []struct {
		name  string
		serve func(net.Conn)
		say   string // by the client, once its server has accepted
		want  string // that the client hears, to the end
		tcp   int
	}{
		{name: "the server speaks first", serve: say("SSH-2.0-server\r\n"), want: "SSH-2.0-server\r\n", tcp: 1},
		{name: "more than one segment", serve: say(strings.Repeat("x", 100_000)), want: strings.Repeat("x", 100_000), tcp: 1},
		{name: "the client speaks late", serve: answer, say: "\x00PING", want: "\x00PING!", tcp: 1},
		{name: "the client leaves", serve: func(net.Conn) {}, say: "-"},
		{name: "the server leaves", serve: func(c net.Conn) { _ = c.Close() }},
		{name: "the server resets", serve: func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() }},
		{name: "HTTP gives up", serve: say("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")},
		{name: "TLS gives up", serve: say("\x15\x03\x03\x00\x02\x01\x00")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, j := captureWorld(t, enforce.Learn, passAll, text("x"))
			s := newQuietServer(t, tt.serve)
			conn := j.dial(t, w, okAddr, s.port)
			<-s.accepted
			switch tt.say {
			case "":
			case "-":
				_ = conn.(*net.TCPConn).CloseWrite()
			default:
				_, _ = io.WriteString(conn, tt.say)
			}
			if got, err := io.ReadAll(io.LimitReader(conn, int64(max(1, len(tt.want))))); string(got) != tt.want || err != nil && !(tt.name == "the server resets" && errors.Is(err, syscall.ECONNRESET)) {
				t.Errorf("heard %.40q (%d bytes), %v, want %.40q", got, len(got), err, tt.want)
			}
			_ = conn.Close()
			w.shutdown()
			if len(s.accepted) != 0 {
				t.Error("a second connection to the server")
			}
			w.events.one(t, enforce.StageConnect)
			evs := w.events.of(enforce.StageTCP)
			if len(evs) != tt.tcp {
				t.Fatalf("events %+v", evs)
			}
			if tt.tcp == 0 {
				return
			}
			if end := w.events.one(t, enforce.StageResponse); end.ID != evs[0].ID || end.ResponseBytes != int64(len(tt.want)) || end.RequestBytes != int64(len(tt.say)) {
				t.Errorf("the end: %+v", end)
			}
		})
	}
}

// answer says what it hears, and an exclamation mark.
func answer(c net.Conn) {
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err == nil {
		_, _ = io.WriteString(c, string(b)+"!")
	}
}

// TestAskedInVain: a server that cannot be reached is an event, and its client
// is not kept waiting.
func TestAskedInVain(t *testing.T) {
	w, j := captureWorld(t, enforce.Audit, passAll, text("x"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	conn := j.dial(t, w, okAddr, l.Addr().(*net.TCPAddr).Port)
	if rest, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) || len(rest) != 0 {
		t.Errorf("read %q, %v, want a reset", rest, err)
	}
	asked, end := w.events.one(t, enforce.StageConnect), w.events.one(t, enforce.StageResponse)
	if end.ID != asked.ID || !strings.Contains(end.Error, "refused") || len(w.events.of(enforce.StageTCP)) != 0 {
		t.Errorf("events %+v", w.events.all())
	}
}

// TestSilenceIsNoRawTCP: nothing is dialled to find out what a silent client is
// while enforcing, where no rule lets raw TCP pass.
func TestSilenceIsNoRawTCP(t *testing.T) {
	w, j := captureWorld(t, enforce.Enforce, allowHost("ok.test"), text("x"))
	w.proxy.Limits.IdleTimeout = time.Second
	conn := j.dial(t, w, okAddr, w.origin.port)
	if rest, err := io.ReadAll(conn); err != nil || len(rest) != 0 {
		t.Errorf("read %q, %v", rest, err)
	}
	w.untouched()
	if ev := w.events.one(t, enforce.StageTCP); !ev.Blocked || ev.Action != policy.Deny {
		t.Errorf("event %+v", ev)
	}
}

// TestSlowMethod: the beginning of a request is HTTP in every mode, however slow
// the rest of it is, and no other word is.
func TestSlowMethod(t *testing.T) {
	for _, tt := range []struct {
		word string
		want content
	}{
		{"G", holdsHTTP}, {"GE", holdsHTTP}, {"GET", holdsHTTP}, {"CONNEC", holdsHTTP}, {"PRI", holdsHTTP},
		{"GETS", holdsOther}, {"EHLO", holdsOther}, {"QUIT", holdsOther}, {"get", holdsOther}, {"\x00", holdsOther}, {"\x16", holdsTLS},
	} {
		c, far := net.Pipe()
		defer c.Close()
		go func() { _, _ = io.WriteString(far, tt.word) }()
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if got, err := sniff(bufio.NewReader(c)); got != tt.want || err != nil {
			t.Errorf("%q: %v, %v, want %v", tt.word, got, err, tt.want)
		}
	}
}
