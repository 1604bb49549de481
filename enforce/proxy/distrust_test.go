package proxy

import (
	"crypto/tls"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

// TestAskedNothing: a client that leaves with the handshake is noted, with what may be
// the matter, and nothing is denied; one that asked for something is not noted.
func TestAskedNothing(t *testing.T) {
	for _, tt := range []struct {
		name, send string
		noted      bool
	}{
		{"it leaves", "", true},
		{"it asks", "GET / HTTP/1.1\r\nHost: %h\r\nConnection: close\r\n\r\n", false},
		{"it asks badly", "x\r\n\r\n", false},
		{"it begins to ask", "GET /", false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+" "+tls.VersionName(version), func(t *testing.T) {
				w := newWire(t, entrance{captured: true, secure: true}, allowHost("ok.test"), text("x"))
				w.events.arrived = make(chan struct{})
				conn := tls.Client(w.rawTLS("ok.test"), &tls.Config{RootCAs: w.roots, ServerName: "ok.test", MaxVersion: version})
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				if tt.send != "" {
					_, _ = conn.Write([]byte(w.fill(tt.send)))
				}
				_ = conn.Close()
				if tt.noted {
					<-w.events.arrived
				}
				w.end()
				noted := w.events.of(enforce.StageConnect)
				if (len(noted) == 1) != tt.noted || len(noted) > 1 {
					t.Fatalf("noted: %+v", noted)
				}
				if tt.noted && (noted[0].Rule != enforce.RuleSilence || noted[0].Blocked || noted[0].Failure == "" || noted[0].Hint == "" || noted[0].Host != "ok.test") {
					t.Errorf("event %+v", noted[0])
				}
			})
		}
	}
}
