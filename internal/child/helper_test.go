//go:build unix

package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/overdue"
)

// The test binary stands in for the programs of these tests: the variable says
// which one it is.
const helper = "CHILD_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helper) {
	case "":
		os.Exit(m.Run())
	case "wrap":
		wrap()
	case "print":
		json.NewEncoder(os.Stdout).Encode(map[string][]string{"argv": os.Args, "env": os.Environ()})
	case "count":
		countInterrupts()
	case "await":
		await(os.Args[1])
	}
}

// wrap runs its arguments as the command, as proxaudit would.
func wrap() {
	env := append([]string{helper + "=" + os.Getenv("NEXT_HELPER")}, os.Environ()...)
	p, err := Start(os.Args[1:], env, os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	code, err := p.Wait(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(98)
	}
	os.Exit(code)
}

// countInterrupts ends on SIGUSR1 with 40 plus the number of SIGINTs before it.
func countInterrupts() {
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGCONT)
	fmt.Println("ready")
	n := 0
	for s := range ch {
		switch s {
		case syscall.SIGUSR1:
			os.Exit(40 + n)
		case syscall.SIGCONT:
			fmt.Println("continued")
		default:
			n++
			fmt.Println("interrupted")
		}
	}
}

// signalNumbers are the signals that await can be asked for.
var signalNumbers = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT,
	"QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
}

// await ends with 7 on the signal, and with 0 when its stdin ends. A shell that
// traps the signal and reads would not do: dash loses one that arrives between
// its look for signals and its read(2), and reads on (3 of 60,000 runs under load).
func await(name string) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, signalNumbers[name])
	fmt.Println("ready")
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ch:
		os.Exit(7)
	case <-ended:
		os.Exit(0)
	}
}

// wrapper is a command that runs argv under Start and Wait in a process of its
// own, where next names what the test binary is to that command.
func wrapper(t *testing.T, next string, argv ...string) *exec.Cmd {
	t.Helper()
	overdue.Watch(t)
	cmd := exec.Command(self(t), argv...)
	cmd.Env = append(os.Environ(), helper+"=wrap", "NEXT_HELPER="+next)
	cmd.Stderr = os.Stderr
	return cmd
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// start starts argv and ends it with the test; out is its stdout.
func start(t *testing.T, argv ...string) (p *Process, out *bufio.Reader) {
	t.Helper()
	overdue.Watch(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p, err = Start(argv, os.Environ(), nil, w, os.Stderr)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return p, bufio.NewReader(r)
}

// run runs argv to its end.
func run(t *testing.T, argv ...string) (code int, out string) {
	t.Helper()
	p, r := start(t, argv...)
	code, err := p.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return code, string(all)
}

// line reads one line, without its end.
func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("read a line of the command: %v (after %q)", err, s)
	}
	return strings.TrimRight(s, "\r\n")
}

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
