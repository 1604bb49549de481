package sockowner

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/overdue"
	"github.com/juliendoutre/proxaudit/policy"
	"golang.org/x/sys/unix"
)

// headless makes this test, executed again, a process whose first thread has ended.
const headless = "PROXAUDIT_TEST_HEADLESS"

func TestMain(m *testing.M) {
	if os.Getenv(headless) != "" {
		beheaded()
	}
	os.Exit(m.Run())
}

// init has the main goroutine stay on the first thread: later it may be on another
// (runtime.LockOSThread).
func init() { //nolint:gochecknoinits // the one place where that can be said
	if os.Getenv(headless) != "" {
		runtime.LockOSThread()
	}
}

// beheaded ends the first thread, has another say so when the kernel does, and
// waits for the end of the input.
func beheaded() {
	go func() {
		self := strconv.Itoa(os.Getpid())
		for {
			if _, err := os.Readlink("/proc/" + self + "/exe"); err != nil {
				break
			}
		}
		_, _ = io.WriteString(os.Stdout, "alone\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_, _, _ = unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
}

// TestProcessThatHasEnded: one that its parent has not waited for yet is nobody,
// and no reason not to look for who has the connection open.
func TestProcessThatHasEnded(t *testing.T) {
	f := finder(t)
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	pid := cmd.Process.Pid
	begun := startOf(t, f, pid)
	if p := f.Process(pid, begun); p == nil || p.PID != pid {
		t.Errorf("found %+v, want process %d while it lives", p, pid)
	}
	in.Close()
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if p := f.Process(pid, begun); p != nil {
		t.Errorf("found %+v, which has ended", p)
	}
}

// TestFirstThreadHasEnded: a process shows its first thread's memory and files alone,
// but it is its other threads that connect.
func TestFirstThreadHasEnded(t *testing.T) {
	c, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	client, server := c.LocalAddr().(*net.UDPAddr).AddrPort(), c.RemoteAddr().(*net.UDPAddr).AddrPort()
	pid := startHeadless(t, c.(*net.UDPConn))
	c.Close()
	f := finder(t)
	begun := startOf(t, f, pid)
	for name, find := range map[string]func() (*policy.Process, error){
		"who connected":               func() (*policy.Process, error) { return f.Process(pid, begun), nil },
		"who has the connection open": func() (*policy.Process, error) { return f.UDP(client, server) },
	} {
		for range 2 { // the second time, it may be known
			p, err := find()
			if p == nil || p.PID != pid || !slices.Equal(p.Argv, []string{"headless"}) || p.Exe == "" || len(p.Parents) == 0 {
				t.Errorf("%s: found %+v, %v; want process %d", name, p, err, pid)
			}
		}
	}
}

// startHeadless starts a process that has c open, and returns when its first thread
// has ended.
func startHeadless(t *testing.T, c *net.UDPConn) int {
	t.Helper()
	overdue.Watch(t)
	file, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args, cmd.Env, cmd.ExtraFiles = []string{"headless"}, append(os.Environ(), headless+"=1"), []*os.File{file}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "alone\n" {
		t.Fatalf("said %q, %v", said, err)
	}
	return cmd.Process.Pid
}

// TestProgramAndItsCommandLine: of a process that becomes another program while it
// is looked at, the command line is that program's, or is not told.
func TestProgramAndItsCommandLine(t *testing.T) {
	for name, c := range map[string]struct {
		paths     string // one at each look; the process has ended after the last
		exe, argv string
		alive     bool
	}{
		"one program":            {"aaaa", "a", "1", true},
		"another in between":     {"abbb", "b", "2", true},
		"a third":                {"abcc", "c", "3", true},
		"one after another":      {"abababababababab", "a", "", true},
		"it ends in between":     {"a", "", "1", false},
		"it had ended":           {"", "", "1", false},
		"becomes one and ends":   {"ab", "", "2", false},
		"a path that is unknown": {"    ", "", "1", true},
	} {
		looks, lines := 0, 0
		exe, argv, alive := together(func() (string, bool) {
			if looks++; looks > len(c.paths) {
				return "", false
			}
			return strings.TrimSpace(c.paths[looks-1 : looks]), true
		}, func() []byte {
			lines++
			return strconv.AppendInt(nil, int64(lines), 10)
		})
		if exe != c.exe || string(argv) != c.argv || alive != c.alive {
			t.Errorf("%s: found %q with %q, alive: %t", name, exe, argv, alive)
		}
	}
}
