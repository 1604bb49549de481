package isolate

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/juliendoutre/proxaudit/internal/overdue"
	"golang.org/x/sys/unix"
)

// session is a proxy on a terminal of its own, with an attempt as its command.
type session struct {
	cmd *exec.Cmd
	pty *os.File
	out *bufio.Reader
}

func newSession(t *testing.T, name string) *session {
	t.Helper()
	overdue.Watch(t)
	cmd := exec.Command("/proc/self/exe", attemptArg, "be a proxy on a terminal")
	cmd.Env = append(os.Environ(), "COMMAND="+name)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 33, Cols: 77})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		f.Close()
	})
	return &session{cmd, f, bufio.NewReader(f)}
}

// expect reads up to a line that holds want. The terminal ends with an error
// when the last process has let go of it.
func (s *session) expect(t *testing.T, want string) {
	t.Helper()
	_ = s.pty.SetReadDeadline(time.Now().Add(patience))
	var all strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, want) {
			return
		}
		if err != nil {
			t.Fatalf("no %q on the terminal (%v), only:\n%s", want, err, all.String())
		}
	}
}

func (s *session) press(t *testing.T, key string) {
	t.Helper()
	if _, err := s.pty.WriteString(key); err != nil {
		t.Fatal(err)
	}
}

func (s *session) code(t *testing.T) int {
	t.Helper()
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func beAProxyOnATerminal() error {
	n, err := NewNetns(context.Background(), NetnsOptions{})
	if err != nil {
		return err
	}
	c := inside(os.Getenv("COMMAND"))
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	code, err := n.Run(context.Background(), c)
	if err != nil {
		return err
	}
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fmt.Println("the terminal is ours again:", group == unix.Getpgrp(), err)
	os.Exit(code)
	return nil
}

func TestTerminalIsTheCommands(t *testing.T) {
	s := newSession(t, "use the terminal")
	s.expect(t, "size 33x77")
	s.expect(t, "foreground true")
	s.press(t, "typed\n")
	s.expect(t, "read typed")
	s.expect(t, "ours again: true")
	if code := s.code(t); code != 0 {
		t.Errorf("code %d", code)
	}
}

func useTheTerminal() error {
	size, err := pty.GetsizeFull(os.Stdin)
	if err != nil {
		return err
	}
	fmt.Printf("size %dx%d\n", size.Rows, size.Cols)
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fmt.Println("foreground", group == unix.Getpgrp(), err)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Println("read", line)
	return err
}

func TestInterruptKeyEndsTheCommandAlone(t *testing.T) {
	s := newSession(t, "wait for ever")
	s.expect(t, "waiting")
	s.press(t, "\x03")
	s.expect(t, "ours again: true")
	if code := s.code(t); code != 128+2 {
		t.Errorf("code %d, want that of SIGINT", code)
	}
}

func TestStopKeyStopsTheProxyToo(t *testing.T) {
	s := newSession(t, "wait to be continued")
	s.expect(t, "waiting")
	s.press(t, "\x1a")
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(s.cmd.Process.Pid, &ws, syscall.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatalf("the proxy did not stop: %#x, %v", ws, err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "continued, foreground true")
	s.expect(t, "ours again: true")
	if code := s.code(t); code != 0 {
		t.Errorf("code %d", code)
	}
}

func waitForEver() error {
	fmt.Println("waiting")
	select {}
}

func waitToBeContinued() error {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	fmt.Println("waiting")
	<-continued
	// The terminal comes before the signal.
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fmt.Printf("continued, foreground %v, %v\n", group == unix.Getpgrp(), err)
	return nil
}

// TestTypingIntoTheTerminal: bytes pushed into the caller's terminal are run by
// the caller's shell after the jail has ended.
func TestTypingIntoTheTerminal(t *testing.T) {
	s := newSession(t, "type into the terminal")
	s.expect(t, "paste: operation not permitted")
	s.expect(t, "EPERM")
	s.expect(t, "ours again: true")
}
