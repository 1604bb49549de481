package proxy

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// TestRawTCPByYAML: a rule with schemes: [tcp] lets a protocol of its own pass,
// through a CONNECT and captured alike, to its host and port and no other.
func TestRawTCPByYAML(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	doc := fmt.Sprintf("version: 1\nallow:\n  - {host: ok.test, ports: [%d], schemes: [tcp], networks: [127.0.0.0/8]}\n", port)
	p, err := allowlist.Parse("policy.yaml", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	w, j := captureWorld(t, enforce.Enforce, p, text("x"))
	captured := j.dial(t, w, okAddr, port)
	tunnelled := j.dial(t, w, jailAddr, 1)
	authority := fmt.Sprintf("ok.test:%d", port)
	roundTripRaw(t, tunnelled, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	for name, conn := range map[string]net.Conn{"captured": captured, "tunnelled": tunnelled} {
		if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 6)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "PING\r\n" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	other := j.dial(t, w, evilAddr, port)
	_, _ = io.WriteString(other, "\x00PING\r\n")
	if rest, _ := io.ReadAll(other); len(rest) != 0 {
		t.Errorf("another host answered %q", rest)
	}
	evs := w.events.of(enforce.StageTCP)
	if last := evs[len(evs)-1]; !last.Blocked || !strings.Contains(last.Allow, "evil.test") {
		t.Errorf("event %+v", last)
	}
}
