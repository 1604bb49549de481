package child

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/overdue"
	"golang.org/x/sys/unix"
)

// leave is a script that leaves behind what daemon starts; daemon must write
// process ids to the fifo, and the script ends when it has read them.
func leave(t *testing.T, daemon string, ids int) (pids []int, p *Process) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	script := `exec 3<>"$0"; ` + daemon + ` >/dev/null 2>&1 & for i in $(seq ` + strconv.Itoa(ids) + `); do read pid <&3; echo $pid; done; exit 5`
	p, out := start(t, "sh", "-c", script, fifo)
	for range ids {
		pid, err := strconv.Atoi(line(t, out))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids, p
}

func TestWhatIsLeftBehindEnds(t *testing.T) {
	for _, tt := range []struct {
		name, daemon string
		ids          int
	}{
		{"a background job", `sh -c 'echo $$ >&3; exec sleep 1000'`, 1},
		{"a daemon in a session of its own", `setsid sh -c 'echo $$ >&3; exec sleep 1000'`, 1},
		{"one that forks twice", `setsid sh -c '(sh -c "echo \$\$ >&3; exec sleep 1000" &) &'`, 1},
		{"a tree", `setsid sh -c 'echo $$ >&3; sh -c "echo \$\$ >&3; sleep 1000" & sh -c "echo \$\$ >&3; exec sleep 1000"'`, 3},
		{"one that is stopped", `setsid sh -c 'echo $$ >&3; kill -STOP $$; exec sleep 1000'`, 1},
		{"one that ignores signals", `setsid sh -c 'trap "" TERM HUP INT; echo $$ >&3; sleep 1000; exec sleep 1000'`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pids, p := leave(t, tt.daemon, tt.ids)
			if strings.Contains(tt.daemon, "trap") {
				p.leftGrace = 50 * time.Millisecond
			}
			if strings.Contains(tt.daemon, "STOP") {
				untilStopped(t, pids[0])
			}
			code, err := p.Wait(context.Background())
			if err != nil || code != 5 {
				t.Errorf("Wait = %d, %v; want 5", code, err)
			}
			for _, pid := range pids {
				if err := unix.Kill(pid, 0); err != unix.ESRCH {
					t.Errorf("process %d is still there: %v", pid, err)
					unix.Kill(pid, unix.SIGKILL)
				}
			}
		})
	}
}

// untilStopped waits until a process that is not our child has stopped: continued
// before that, it would stay stopped.
func untilStopped(t *testing.T, pid int) {
	t.Helper()
	for {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		// The state follows the name, which is in brackets (proc_pid_stat(5)).
		if strings.HasPrefix(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " T") {
			return
		}
		runtime.Gosched()
	}
}

func TestWhatIsLeftBehindMayEndByItself(t *testing.T) {
	for _, tt := range []struct{ name, stop string }{{"running", ""}, {"stopped", "kill -STOP $$;"}} {
		t.Run(tt.name, func(t *testing.T) {
			mark := filepath.Join(t.TempDir(), "mark")
			pids, p := leave(t, `MARK='`+mark+`' setsid sh -c 'trap "echo clean >$MARK; exit" TERM; echo $$ >&3;`+tt.stop+` while :; do sleep 0.01; done'`, 1)
			p.leftGrace = time.Minute // the test's own limit: it ends when the daemon does
			if tt.stop != "" {
				untilStopped(t, pids[0])
			}
			if _, err := p.Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
			if text, _ := os.ReadFile(mark); string(text) != "clean\n" {
				t.Errorf("the trap of SIGTERM did not run: %q", text)
			}
		})
	}
}

func TestChildrenOfOthersAreLeftAlone(t *testing.T) {
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if code, _ := run(t, "true"); code != 0 {
		t.Error("true failed")
	}
	if err := other.Process.Kill(); err != nil {
		t.Errorf("it was ended: %v", err)
	}
	if err := other.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("its end was taken away: %v", err)
	}
}

func TestSweepTakesOnlyWhatNobodyWaitsFor(t *testing.T) {
	overdue.Watch(t)
	l, err := adopt()
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	own := exec.Command("true")
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", `sh -c 'echo $$' &`).Output()
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{own.Process.Pid, orphan} {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatalf("wait for %d to end: %v", pid, err)
		}
	}
	l.sweep()
	if !isDead(orphan) || l.again() == nil {
		t.Fatal("the first sweep took the orphan, or forgot to come again")
	}
	l.dead[orphan] = time.Now().Add(-2 * sweepAfter)
	l.sweep()
	if err := unix.Kill(orphan, 0); err != unix.ESRCH {
		t.Errorf("the orphan still lies there: %v", err)
	}
	if err := own.Wait(); err != nil {
		t.Errorf("the end of another command was taken away: %v", err)
	}
}

func TestTheCommandDiesWithUs(t *testing.T) {
	cmd := wrapper(t, "", "sh", "-c", "echo ready; exec sleep 1000")
	if code, rest := signalWhenReady(t, cmd, syscall.SIGKILL); code != 137 || rest != "" {
		t.Errorf("code %d, rest %q", code, rest)
	}
	// signalWhenReady has read stdout to its end: nobody holds it any more.
}

func TestNoOtherDescriptorIsInherited(t *testing.T) {
	for _, tt := range []struct {
		name  string
		close func()
	}{
		{"close_range", closeOnExec},
		{"one by one", func() { closeOnExecEach("/proc/self/fd") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const fd = 77
			if err := unix.Dup3(0, fd, 0); err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			tt.close()
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("flags %#x, %v", flags, err)
			}
		})
	}
	if err := unix.Dup3(0, 78, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(78)
	if _, out := run(t, "sh", "-c", "ls /proc/$$/fd"); strings.Contains(out, "78") {
		t.Errorf("the command has descriptors %q", strings.Fields(out))
	}
}

func TestChildrenByParentFindsTheSame(t *testing.T) {
	cmd := exec.Command("cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for name, list := range map[string]func() []int{"list": children, "scan": childrenByParent} {
		found := false
		for _, pid := range list() {
			found = found || pid == cmd.Process.Pid
		}
		if !found {
			t.Errorf("%s: child %d is missing", name, cmd.Process.Pid)
		}
	}
	io.WriteString(stdin, "")
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkTrue(b *testing.B) {
	env := os.Environ()
	for b.Loop() {
		p, err := Start([]string{"true"}, env, nil, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTrueBare(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}
