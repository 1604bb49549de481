package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// squid is a real outer proxy with an HTTP and an HTTPS port, which wants the
// user builder with the password s3cret@:x and forbids forbidden.test.
type squid struct {
	dir           string
	plain, secure string // host:port
}

const squidConf = `
http_port %[2]s
https_port %[3]s tls-cert=%[1]s/cert.pem tls-key=%[1]s/key.pem
auth_param basic program /usr/lib/squid/basic_ncsa_auth %[1]s/passwd
auth_param basic children 2
acl known proxy_auth REQUIRED
acl forbidden dstdomain forbidden.test
http_access deny forbidden
http_access allow known
http_access deny all
hosts_file %[1]s/hosts
access_log stdio:%[1]s/access.log
cache_log %[1]s/cache.log
buffered_logs off
cache deny all
pid_filename none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname squid.test
coredump_dir %[1]s
`

func newSquid(t *testing.T, leaf tls.Certificate) *squid {
	t.Helper()
	if _, err := exec.LookPath("squid"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("under CI this must run: squid is not installed")
		}
		t.Skip("squid is not installed (Debian: squid-openssl, for https_port)")
	}
	s := &squid{plain: freeAddress(t), secure: freeAddress(t)}
	var err error
	if s.dir, err = os.MkdirTemp("", "squid"); err != nil { // run by root, squid becomes another user
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	hash, err := exec.Command("openssl", "passwd", "-apr1", "s3cret@:x").Output()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cert.pem":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}),
		"key.pem":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"passwd":     append([]byte("builder:"), hash...),
		"hosts":      []byte("127.0.0.1 ok.test a.ok.test other.test forbidden.test\n"),
		"squid.conf": fmt.Appendf(nil, squidConf, s.dir, s.plain, s.secure),
		"access.log": nil, "cache.log": nil,
	} {
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".log") {
			mode = 0o666
		}
		if err := errors.Join(os.WriteFile(filepath.Join(s.dir, name), content, mode), os.Chmod(filepath.Join(s.dir, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command("squid", "-N", "-f", filepath.Join(s.dir, "squid.conf"))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); <-gone })
	happens(t, "squid listens", func() bool {
		select {
		case <-gone:
			log, _ := os.ReadFile(filepath.Join(s.dir, "cache.log"))
			t.Fatalf("squid ended: %s\n%s", out.String(), log)
		default:
		}
		c, err := net.Dial("tcp", s.secure)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return s
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// log returns squid's lines about requests.
func (s *squid) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "access.log"))
	return string(text)
}

// TestThroughSquid: every kind of request goes through a real outer proxy, over
// TLS to it and without, and those that NO_PROXY names do not.
func TestThroughSquid(t *testing.T) {
	authority := newSigner(t)
	leaf := authority.leaf(t, func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "a.ok.test") })
	s := newSquid(t, leaf)
	origin := newSecureServer(t, &tls.Config{Certificates: []tls.Certificate{leaf}}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %v", r.Proto, r.Header["Proxy-Authorization"])
	})
	echo := echoServer(t)
	rules := policyOr(rawPolicy(echo), allowLoopback)
	for scheme, addr := range map[string]string{"http": s.plain, "https": s.secure} {
		_, proxyPort, _ := net.SplitHostPort(addr)
		good := fmt.Sprintf("%s://builder:s3cret%%40%%3Ax@proxy.test:%s", scheme, proxyPort)
		bad := strings.Replace(good, "s3cret", "wr0ng", 1)
		for _, tt := range []struct {
			name, proxy, except string
			host                string
			status              int // 0: the origin's own answer
			want                string
			through             bool
		}{
			{"an allowed host", good, "", "ok.test", 0, "", true},
			{"a wrong password", bad, "", "ok.test", 502, "what to do: check the user and the password", true},
			{"a host that the proxy forbids", good, "", "forbidden.test", 502, "403 Forbidden", true},
			{"excepted by name", good, "ok.test", "ok.test", 0, "", false},
			{"excepted by suffix", good, ".ok.test", "a.ok.test", 0, "", false},
			{"a suffix that is not one", good, "k.test", "ok.test", 0, "", true},
			{"excepted by port", good, "ok.test:%p", "ok.test", 0, "", false},
			{"another port", good, "ok.test:1", "ok.test", 0, "", true},
			{"excepted with a wrong password", bad, "ok.test", "ok.test", 0, "", false},
		} {
			t.Run(scheme+" "+tt.name, func(t *testing.T) {
				except := strings.ReplaceAll(tt.except, "%p", fmt.Sprint(origin.port))
				w := newWorld(t, enforce.Enforce, rules, text("plain"), trust(authority.pool), environment("HTTPS_PROXY="+tt.proxy, "HTTP_PROXY="+tt.proxy, "NO_PROXY="+except))
				for h2, want := range map[bool]string{false: "HTTP/1.1 []", true: "HTTP/2.0 []"} {
					before := len(s.log())
					client := w.client(h2)
					status, body := get(t, client, fmt.Sprintf("https://%s:%d/", tt.host, origin.port))
					client.CloseIdleConnections()
					if tt.status == 0 && (status != 200 || body != want) || tt.status != 0 && (status != tt.status || !strings.Contains(body, tt.want)) {
						t.Errorf("h2=%v: %d %q", h2, status, body)
					}
					w.hangUp()
					line := fmt.Sprintf("CONNECT %s:%d", tt.host, origin.port)
					if tt.through {
						happens(t, "squid tells of "+line, func() bool { return strings.Contains(s.log()[before:], line) })
					} else if strings.Contains(s.log()[before:], line) {
						t.Errorf("h2=%v: squid was asked: %s", h2, s.log()[before:])
					}
				}
			})
		}
		t.Run(scheme+" plain HTTP and raw TCP", func(t *testing.T) {
			w := newWorld(t, enforce.Enforce, rules, text("plain"), trust(authority.pool), environment("HTTPS_PROXY="+good, "HTTP_PROXY="+good))
			u := w.url("http", "ok.test", "/plain")
			if status, body := get(t, w.client(false), u); status != 200 || body != "plain" {
				t.Errorf("%d %q", status, body)
			}
			conn := w.dial()
			server := fmt.Sprintf("ok.test:%d", echo)
			roundTripRaw(t, conn, "CONNECT "+server+" HTTP/1.1\r\nHost: "+server+"\r\nProxy-Authorization: Basic Y2xpZW50OnB3\r\n\r\n")
			_, _ = io.WriteString(conn, "\x00ping")
			got := make([]byte, 5)
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "\x00ping" {
				t.Errorf("raw TCP: %q, %v", got, err)
			}
			_ = conn.Close()
			happens(t, "squid tells of both", func() bool {
				return strings.Contains(s.log(), "GET "+u+" builder ") && strings.Contains(s.log(), "CONNECT "+server+" builder ")
			})
		})
	}
	if strings.Contains(s.log(), "proxy.test") {
		t.Errorf("squid was asked for itself:\n%s", s.log())
	}
}

// policyOr decides as the first that does not answer by default.
func policyOr(first, second policy.Policy) policy.Policy {
	return policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
		if d, err := first.Decide(ctx, r); err != nil || !d.Default {
			return d, err
		}
		return second.Decide(ctx, r)
	})
}
