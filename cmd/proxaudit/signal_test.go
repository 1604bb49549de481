//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// program returns proxaudit as the test binary runs it.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
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
	cmd := program(t, "-isolation=env", "-server", "-port", "0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var events bytes.Buffer
	cmd.Stdout = &events
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	said := map[string]string{}
	for len(said) < 2 && lines.Scan() {
		kind, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "proxaudit: "), ": ")
		said[kind] = value
	}
	out, err := exec.Command("curl", "-sS", "--proxy", said["listening"], "--cacert", said["trust"], "https://127.0.0.1:1/x").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "allowed, but failed") {
		t.Errorf("curl: %v: %s", err, out)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v", err)
	}
	if !strings.Contains(events.String(), `"path":"/x"`) {
		t.Errorf("events: %s", events.String())
	}
}

// untilReady reads words up to "ready".
func untilReady(t *testing.T, r io.Reader) []string {
	t.Helper()
	timer := time.AfterFunc(30*time.Second, func() { panic("the command is not ready after 30 s") })
	defer timer.Stop()
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
