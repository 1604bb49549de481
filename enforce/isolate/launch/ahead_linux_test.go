package launch

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/overdue"
	"golang.org/x/sys/unix"
)

func TestConfined(t *testing.T) {
	for _, tt := range []struct {
		args string
		want bool
	}{
		{"-- true", true},
		{"audit -- true", true},
		{"enforce -policy policy.yaml -- true", true},
		{"learn -o policy.yaml true", true},
		{"-isolation=netns -- true", true},
		{"--isolation netns -- true", true},
		{"enforce -isolation auto -policy p -- env", true},
		{"enforce -policy p -- proxaudit -server", true},
		{"enforce", true}, // the command comes from standard input

		{"", false},
		{"true", false}, // an audit, which is not worth a guess
		{"-output events.jsonl true", false},
		{"-isolation=env -- true", false},
		{"--isolation=env -- true", false},
		{"audit -isolation env -- true", false},
		{"enforce -isolation=seatbelt -policy p -- true", false},
		{"enforce -isolation", false},
		{"-server", false},
		{"enforce -server -policy p", false},
		{"enforce -h", false},
		{"learn --help", false},
		{"learn -from events.jsonl", false},
		{"check -policy p", false},
		{"test -policy p -log events.jsonl", false},
		{"explain -policy p GET https://example.org/ --", false},
		{"doctor", false},
		{"version --", false},
		{"curl -- x", false},
		{Arg + " " + Make, false},
		{"-test.run=X -test.v", false},
	} {
		t.Run(tt.args, func(t *testing.T) {
			if got := confined(strings.Fields(tt.args)); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// forgetful makes this program one that starts a first process ahead and ends
// without asking for it.
const forgetful = "PROXAUDIT_TEST_FORGETFUL"

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == Arg: // as a first process that gets no plan
		_, err := os.NewFile(ControlFD, "control").Read(make([]byte, 1))
		if err != io.EOF {
			panic(err)
		}
	case os.Getenv(forgetful) != "":
		o := <-ahead
		if o.err != nil {
			panic(o.err)
		}
		fmt.Println(o.process.PID)
	default:
		os.Exit(m.Run())
	}
}

func needNamespaces(t *testing.T, err error) {
	t.Helper()
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("no namespaces here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFirst: what was started ahead is handed over once, and not to who wants
// another user.
func TestFirst(t *testing.T) {
	overdue.Watch(t)
	begun := make(chan outcome, 1)
	early := &Process{}
	begun <- outcome{process: early}
	close(begun)
	for _, tt := range []struct{ keepRoot, want bool }{{true, false}, {false, true}, {false, false}} {
		p, err := first(begun, tt.keepRoot)
		needNamespaces(t, err)
		if (p == early) != tt.want {
			t.Errorf("with root kept %v: the one started ahead %v, want %v", tt.keepRoot, p == early, tt.want)
		}
		if p != early {
			p.Kill()
			p.Wait()
			p.Control.Close()
		}
	}
}

// TestIDsAreMapped: every ID that exists inside is the one that it is outside,
// before anybody can send a plan.
func TestIDsAreMapped(t *testing.T) {
	overdue.Watch(t)
	p, err := First(false)
	needNamespaces(t, err)
	defer p.Control.Close()
	defer p.Wait()
	defer p.Kill()
	for _, name := range []string{"uid_map", "gid_map"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.PID, name))
		fields := strings.Fields(string(data))
		if err != nil || len(fields) != 3 || fields[0] != fields[1] {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

// TestForgotten: a process that nobody asked for ends with its parent.
func TestForgotten(t *testing.T) {
	overdue.Watch(t)
	p, err := First(false)
	needNamespaces(t, err)
	p.Kill()
	p.Wait()
	p.Control.Close()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "audit", "--", "true")
	cmd.Env = append(os.Environ(), forgetful+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := unix.Wait4(pid, nil, 0, nil)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("wait for %d: %v", pid, err)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("%d has not ended", pid)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}
