package sockowner

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/overdue"
)

// program is a shell that says the PID of a process that it has started, a cat, and
// becomes another program, one more cat, when it is told.
type program struct {
	pid, child int
	in         io.WriteCloser
	out        *bufio.Reader
}

func start(t *testing.T) *program {
	t.Helper()
	overdue.Watch(t)
	cmd := exec.Command("sh", "-c", "cat -u <&3 & echo $!; read x; exec cat")
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	cmd.ExtraFiles = []*os.File{theirs}
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
	p := &program{pid: cmd.Process.Pid, in: in, out: bufio.NewReader(out)}
	if p.child, err = strconv.Atoi(p.say(t, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ours.Close()
		in.Close()
		_ = cmd.Wait()
	})
	// Until its child says something, that is still the shell.
	if _, err := io.WriteString(ours, "ready\n"); err != nil {
		t.Fatal(err)
	}
	if said := p.say(t, ""); said != "ready" {
		t.Fatalf("the child said %q", said)
	}
	return p
}

// say tells it something and returns the next line that it says.
func (p *program) say(t *testing.T, text string) string {
	t.Helper()
	if _, err := io.WriteString(p.in, text); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func startOf(t *testing.T, f *Finder, pid int) uint64 {
	t.Helper()
	k := look(int(f.proc.Fd()), pid)
	if k == nil {
		t.Fatalf("no process %d", pid)
	}
	defer k.close()
	return k.start
}

// TestProcessIsAsItIsNow: what is kept of a process is not told once it, or a
// parent, has become another program.
func TestProcessIsAsItIsNow(t *testing.T) {
	f, p := finder(t), start(t)
	self, child := startOf(t, f, p.pid), startOf(t, f, p.child)
	for range 2 { // the second time, it is known
		got := f.Process(p.pid, self)
		if got == nil || got.PID != p.pid || got.Argv[0] != "sh" {
			t.Fatalf("found %+v, want the shell", got)
		}
		if got := f.Process(p.child, child); got == nil || !slices.Equal(got.Argv, []string{"cat", "-u"}) || !strings.HasSuffix(got.Parents[0], "sh") {
			t.Fatalf("found %+v, want its child", got)
		}
	}
	if said := p.say(t, "go on\nhello\n"); said != "hello" {
		t.Fatalf("said %q", said)
	}
	if got := f.Process(p.pid, self); got == nil || !slices.Equal(got.Argv, []string{"cat"}) || !strings.HasSuffix(got.Exe, "cat") {
		t.Errorf("found %+v, want cat", got)
	}
	if got := f.Process(p.child, child); got == nil || !strings.HasSuffix(got.Parents[0], "cat") {
		t.Errorf("found %+v, want cat as its parent", got)
	}
}

// TestPIDOfAnother: a number alone is not a process.
func TestPIDOfAnother(t *testing.T) {
	f := finder(t)
	pid := os.Getpid()
	begun := startOf(t, f, pid)
	for range 2 {
		if p := f.Process(pid, begun); p == nil || p.PID != pid {
			t.Errorf("found %+v, want this test", p)
		}
		if p := f.Process(pid, begun+1); p != nil {
			t.Errorf("found %+v for one that started later", p)
		}
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if p := f.Process(cmd.Process.Pid, begun); p != nil {
		t.Errorf("found %+v for one that has ended", p)
	}
}

// TestProcessesAreForgotten: no more than so many are kept, and none after Close.
func TestProcessesAreForgotten(t *testing.T) {
	before := open(t)
	f := finder(t)
	for range maxKnown + 10 {
		cmd := exec.Command("cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { in.Close(); _ = cmd.Wait() }()
		if p := f.Process(cmd.Process.Pid, startOf(t, f, cmd.Process.Pid)); p == nil {
			t.Fatal("a process that lives was not found")
		}
		if len(f.known) > maxKnown {
			t.Fatalf("%d are kept", len(f.known))
		}
		in.Close()
	}
	f.Close()
	for _, link := range open(t) {
		if strings.HasPrefix(link, "/proc/") && !slices.Contains(before, link) {
			t.Errorf("%s is left open", link)
		}
	}
}

// open returns what this test has open, but for the list itself.
func open(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if link, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			all = append(all, link)
		}
	}
	return all
}

func BenchmarkProcess(b *testing.B) {
	f := finder(b)
	k := look(int(f.proc.Fd()), os.Getpid())
	defer k.close()
	for b.Loop() {
		if f.Process(os.Getpid(), k.start) == nil {
			b.Fatal("not found")
		}
	}
}
