//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/juliendoutre/proxaudit/internal/overdue"
)

// program returns proxaudit as the test binary runs it.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	overdue.Watch(t)
	path, err := exec.LookPath("proxaudit") // testscript.Main put it there
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// lineage is a command that prints the process IDs of itself, of a child and of
// a daemon in a session of its own, says "ready", and waits for ever.
const lineage = `sleep 1000 & echo $! $$; setsid sh -c 'echo $$; echo ready; exec sleep 1000' & wait`

// TestTerminated: SIGTERM to proxaudit ends the command with its code, and
// nothing that it started is left.
func TestTerminated(t *testing.T) {
	cmd := program(t, "-isolation=env", "--", "sh", "-c", lineage)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := untilReady(t, out)
	if len(pids) != 3 {
		t.Fatalf("the command printed %q", pids)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit code %d, want 143", code)
	}
	for _, pid := range pids {
		if _, err := os.Stat(filepath.Join("/proc", pid)); err == nil {
			t.Errorf("process %s is left running", pid)
		}
	}
}

// TestInterrupted: Ctrl-C at a terminal reaches the command once; what it makes
// of it is what proxaudit returns, summary included.
func TestInterrupted(t *testing.T) {
	cmd := program(t, "-isolation=env", "--", "sh", "-c", `trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done`)
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	untilReady(t, tty)
	if _, err := tty.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(tty) // ends with EIO when the terminal is gone
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("exit code %d, want 9", code)
	}
	if n := strings.Count(string(rest), "caught"); n != 1 {
		t.Errorf("the command caught the signal %d times: %q", n, rest)
	}
	if !bytes.Contains(rest, []byte("proxaudit: audit:")) {
		t.Errorf("no summary: %q", rest)
	}
}

// TestServer: without a command the proxy runs until a signal, says where it
// listens and whom to trust, and prints events.
func TestServer(t *testing.T) {
	s := startServer(t)
	out, err := exec.Command("curl", "-sS", "--proxy", s.said["listening"], "--cacert", s.said["trust"], "https://127.0.0.1:1/x").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "allowed, but failed") {
		t.Errorf("curl: %v: %s", err, out)
	}
	if events := s.stop(t); !strings.Contains(events, `"path":"/x"`) {
		t.Errorf("events: %s", events)
	}
}

// TestServerIsStopped: a signal ends the proxy whatever its clients and an origin
// are waiting for. Each of them sees the end, and the request under way has its
// second event.
func TestServerIsStopped(t *testing.T) {
	held, ended := make(chan struct{}), make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(held)
		<-r.Context().Done()
		close(ended)
	}))
	defer origin.Close()
	s := startServer(t)
	var clients []net.Conn
	for _, says := range []string{
		"GET " + origin.URL + "/hang HTTP/1.1\r\nHost: " + origin.Listener.Addr().String() + "\r\n\r\n",
		"GET http://ok.test/ HT",
		"CONNECT ok.test:443 HTTP/1.1\r\nHost: ok.test:443\r\n\r\n",
		"",
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.said["listening"], "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(c, says)
		clients = append(clients, c)
	}
	<-held
	events := s.stop(t)
	<-ended
	for i, c := range clients {
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("client %d is still connected", i)
		}
	}
	for _, stage := range []string{"request", "response"} {
		if n := strings.Count(events, `"stage":"`+stage+`"`); n != 1 {
			t.Errorf("%d events of stage %s: %s", n, stage, events)
		}
	}
}

// server is a proxy that runs by itself.
type server struct {
	cmd    *exec.Cmd
	said   map[string]string
	lines  *bufio.Scanner
	events bytes.Buffer
}

func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{cmd: program(t, "-isolation=env", "-server", "-port", "0"), said: map[string]string{}}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout = &s.events
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(stderr)
	for len(s.said) < 2 && s.lines.Scan() {
		kind, value, _ := strings.Cut(strings.TrimPrefix(s.lines.Text(), "proxaudit: "), ": ")
		s.said[kind] = value
	}
	return s
}

// stop ends the proxy as a service manager does, and returns its events.
func (s *server) stop(t *testing.T) string {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for s.lines.Scan() {
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v", err)
	}
	return s.events.String()
}

// untilReady reads words up to "ready".
func untilReady(t *testing.T, r io.Reader) []string {
	t.Helper()
	var words []string
	s := bufio.NewReader(r)
	for {
		line, err := s.ReadString('\n')
		if strings.TrimSpace(line) == "ready" {
			return words
		}
		if err != nil {
			t.Fatalf("the command ended before it was ready: %q %v", words, err)
		}
		words = append(words, strings.Fields(line)...)
	}
}
