package overdue

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// recorder is a test of which it is told how it failed.
type recorder struct {
	testing.TB
	failed  chan string
	cleanup func()
}

func (r *recorder) Errorf(format string, args ...any) { r.failed <- fmt.Sprintf(format, args...) }
func (r *recorder) Cleanup(f func())                  { r.cleanup = f }
func (r *recorder) Name() string                      { return "TestOne" }
func (r *recorder) Helper()                           {}

// TestProcessThatDoesNotEnd: who waits for a process goes on, and it is said what
// that did, and a child of it, which has a pipe open.
func TestProcessThatDoesNotEnd(t *testing.T) {
	Watch(t)
	r := &recorder{failed: make(chan string, 1)}
	cmd := exec.Command("sh", "-c", "sleep 1000; true")
	if _, err := cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Until the one is asleep and the other waits for it.
	for said := ""; !strings.Contains(said, "sleep\\x00") || !strings.Contains(said, "do_wait"); {
		time.Sleep(time.Millisecond)
		said = describe(descendants(os.Getpid()))
	}
	watch(r, time.Millisecond, func(string) {})
	if err := cmd.Wait(); err == nil {
		t.Error("it ended by itself")
	}
	said := <-r.failed
	for _, want := range []string{"2 processes", fmt.Sprintf("process %d: ", cmd.Process.Pid), `"sleep\x001000\x00"`, "State:\tS (sleeping)", " in do_wait, call ", "TestProcessThatDoesNotEnd"} {
		if !strings.Contains(said, want) {
			t.Errorf("it is not said: %s\n%s", want, said)
		}
	}
	r.cleanup()
}

// TestNoProcessToWaitFor: where killing does not help, the program ends.
func TestNoProcessToWaitFor(t *testing.T) {
	Watch(t)
	r, gaveUp := &recorder{failed: make(chan string, 1)}, make(chan string, 1)
	watch(r, time.Millisecond, func(said string) { gaveUp <- said })
	if said := <-gaveUp; !strings.HasPrefix(said, "TestOne has not ended, and waits for no process") || !strings.Contains(said, "goroutine ") {
		t.Errorf("it said %s", said)
	}
	r.cleanup()
}

func TestThatEndsInTime(t *testing.T) {
	Watch(t)
	r := &recorder{failed: make(chan string, 1)}
	watch(r, limit, func(said string) { t.Error(said) })
	r.cleanup()
	if len(r.failed) > 0 {
		t.Errorf("it failed: %s", <-r.failed)
	}
}
