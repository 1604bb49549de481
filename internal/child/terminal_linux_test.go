package child

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/juliendoutre/proxaudit/internal/overdue"
	"golang.org/x/sys/unix"
)

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
	// Stopped, the wrapper acts on its own SIGINT only when the command has dealt
	// with the terminal's: two of them can then not become one.
	cmd.Process.Signal(syscall.SIGSTOP)
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := tty.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	for !strings.HasSuffix(line(t, out), "interrupted") {
	}
	cmd.Process.Signal(syscall.SIGCONT)
	for !strings.HasSuffix(line(t, out), "continued") {
	}
	// SIGUSR1 takes the way that a second SIGINT would have taken before it.
	cmd.Process.Signal(syscall.SIGUSR1)
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
		if os.Getenv("CI") == "true" {
			t.Fatal("under CI this must run: " + "bash is not installed")
		}
		t.Skip("bash is not installed")
	}
	overdue.Watch(t)
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
