//go:build unix

package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// signalWhenReady starts cmd, sends it the signals once it has written a line,
// and returns its exit code and the rest of what it wrote.
func signalWhenReady(t *testing.T, cmd *exec.Cmd, signals ...syscall.Signal) (int, string) {
	t.Helper()
	stdin, err := cmd.StdinPipe() // held open: the command reads it
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	line(t, out)
	for _, s := range signals {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return exitCode(t, cmd.Wait()), string(rest)
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	ee, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return ExitCode(ee.ProcessState)
}

func TestCtrlCReachesTheCommandOnce(t *testing.T) {
	cmd := wrapper(t, "count", self(t))
	cmd.Stderr = nil
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	out := bufio.NewReader(tty)
	for line(t, out) != "ready" {
	}
	if _, err := tty.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	for !strings.HasSuffix(line(t, out), "interrupted") {
	}
	// SIGUSR1 takes the way that a second SIGINT would take, behind it.
	if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, out)
	if code := exitCode(t, cmd.Wait()); code != 41 {
		t.Errorf("exit code %d, want 41: one SIGINT", code)
	}
}

func TestInterruptWithoutTerminalReachesTheCommandOnce(t *testing.T) {
	cmd := wrapper(t, "count", self(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	line(t, out)
	cmd.Process.Signal(syscall.SIGINT)
	line(t, out)
	cmd.Process.Signal(syscall.SIGUSR1)
	io.Copy(io.Discard, out)
	if code := exitCode(t, cmd.Wait()); code != 41 {
		t.Errorf("exit code %d, want 41: one SIGINT", code)
	}
}

func TestTheShellsJobControlHolds(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	cmd := exec.Command(bash, "--norc", "--noprofile", "--noediting", "-i")
	cmd.Env = append(os.Environ(), "PS1=", "HISTFILE=", helper+"=wrap", "NEXT_HELPER=count")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	out := bufio.NewReader(tty)
	until := func(part string) {
		t.Helper()
		for !strings.Contains(line(t, out), part) {
		}
	}
	// The quotes keep the echo of what is typed from matching.
	fmt.Fprintf(tty, "stty -echo; echo 'sh''ell'\n")
	until("shell")
	fmt.Fprintf(tty, "%s %s\n", self(t), self(t))
	until("ready")
	tty.Write([]byte{0x1a}) // Ctrl-Z
	until("Stopped")
	fmt.Fprintf(tty, "echo stopped=$?; fg\n")
	until(fmt.Sprintf("stopped=%d", 128+int(syscall.SIGTSTP)))
	until("continued")   // now it has the terminal again
	tty.Write([]byte{3}) // Ctrl-C
	until("interrupted")
	tty.Write([]byte{0x1a})
	until("Stopped")
	fmt.Fprintf(tty, "kill -USR1 %%1; fg; echo code=$?\n")
	until("code=41")
	fmt.Fprintf(tty, "exit\n")
	io.Copy(io.Discard, out)
	cmd.Wait()
}
