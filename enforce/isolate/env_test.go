package isolate

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/child"
)

func TestEnvListens(t *testing.T) {
	for _, tt := range []struct{ name, addr, host string }{
		{"nothing said", "", "127.0.0.1"},
		{"an address", "127.0.0.1:0", "127.0.0.1"},
		{"another loopback address", "127.0.0.2:0", "127.0.0.2"},
		{"a name", "localhost:0", "127.0.0.1"},
		{"IPv6", "[::1]:0", "::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j, err := Env(EnvOptions{ListenAddr: tt.addr})
			if err != nil {
				if strings.Contains(tt.addr, "::1") {
					t.Skipf("no IPv6 here: %v", err)
				}
				t.Fatal(err)
			}
			addr := j.Listener().Addr().String()
			if host, _, _ := net.SplitHostPort(addr); host != tt.host {
				t.Errorf("listens on %s, want %s", addr, tt.host)
			}
			if j.ProxyURL() != "http://"+addr || j.Name() != "env" || !j.Advisory() {
				t.Errorf("%s, %s, advisory %v", j.ProxyURL(), j.Name(), j.Advisory())
			}
			if err := j.Listener().Close(); err != nil {
				t.Error(err)
			}
			if err := j.Close(); err != nil {
				t.Errorf("after the listener was closed: %v", err)
			}
		})
	}
}

func TestEnvErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for _, tt := range []struct{ name, addr, want, hint string }{
		{"a port in use", "127.0.0.1:" + port, "port " + port + " on 127.0.0.1 is already in use", "-port 0"},
		{"every address", "0.0.0.0:0", "not a loopback address", "127.0.0.1"},
		{"no address", ":0", "not a loopback address", "127.0.0.1"},
		{"an address of the network", "192.0.2.1:0", "not a loopback address", "127.0.0.1"},
		{"a name", "ok.test:0", "not a loopback address", "127.0.0.1"},
		{"no port", "127.0.0.1", "missing port", ""},
		{"a port that is none", "127.0.0.1:70000", "invalid port", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j, err := Env(EnvOptions{ListenAddr: tt.addr})
			if err == nil {
				j.Close()
				t.Fatal("it listens")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q", err, tt.want)
			}
			h, ok := err.(interface{ Hint() string })
			if ok != (tt.hint != "") || ok && !strings.Contains(h.Hint(), tt.hint) {
				t.Errorf("%#v has no hint with %q", err, tt.hint)
			}
		})
	}
}

func TestEnvRuns(t *testing.T) {
	j, err := Env(EnvOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	code, err := j.Run(context.Background(), Command{
		Argv: []string{"sh", "-c", `printf '%s' "$WORD"; exit 9`}, Env: []string{"PATH=" + os.Getenv("PATH"), "WORD=a b"}, Stdout: w,
	})
	w.Close()
	if out, _ := io.ReadAll(r); code != 9 || err != nil || string(out) != "a b" {
		t.Errorf("Run = %d, %v with %q", code, err, out)
	}
	if _, err := j.Run(context.Background(), Command{Argv: []string{"no-such-command"}}); err == nil || err.(*child.StartError).Code != 127 {
		t.Errorf("no such command: %v", err)
	}
}

func TestEnvDoesNotStartWhenTheRunIsOver(t *testing.T) {
	j, err := Env(EnvOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	cause := errors.New("the log is full")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	// Starting this would be another error.
	if _, err := j.Run(ctx, Command{Argv: []string{"no-such-command"}}); !errors.Is(err, cause) {
		t.Errorf("error %v, want the cause", err)
	}
}
