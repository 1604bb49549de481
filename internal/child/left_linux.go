package child

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sweepAfter is how long a dead child may lie before sweep takes it away.
	// Whoever in this program started it and waits for it does so at once.
	sweepAfter = time.Second
	// killWait bounds the wait after SIGKILL: a process of another user or in
	// uninterruptible sleep must not hang the run.
	killWait = 5 * time.Second
)

// attributes has the kernel kill the command when this process dies, however it
// dies. The command's own children are not covered: PR_SET_PDEATHSIG is cleared
// by fork, and by the exec of a set-user-ID program (prctl(2)).
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// leftovers finds and ends what the command leaves behind. This process is made
// the subreaper of its descendants, so that an orphan, in whatever session or
// process group, becomes its child (prctl(2), PR_SET_CHILD_SUBREAPER).
type leftovers struct {
	changed chan os.Signal // SIGCHLD
	before  map[int]bool   // children that are not the command's
	command int            // left to os.Process.Wait

	dead  map[int]time.Time // when sweep first saw them
	timer *time.Timer
}

func adopt() (*leftovers, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the subreaper of the command: %w", err)
	}
	l := &leftovers{changed: make(chan os.Signal, 1), before: map[int]bool{}, dead: map[int]time.Time{}}
	for _, pid := range children() {
		l.before[pid] = true
	}
	signal.Notify(l.changed, unix.SIGCHLD)
	return l, nil
}

func (l *leftovers) release() { signal.Stop(l.changed) }

// again returns the channel that says when to sweep next, nil for never.
func (l *leftovers) again() <-chan time.Time {
	if l.timer == nil {
		return nil
	}
	return l.timer.C
}

// sweep reaps orphans that died while the command runs on, so that a long run
// does not fill the process table. It takes only those that lay there for a
// while, and so never the child of an exec.Cmd elsewhere in this program.
func (l *leftovers) sweep() {
	l.timer = nil
	for _, pid := range l.adopted() {
		if !isDead(pid) {
			continue
		}
		since, seen := l.dead[pid]
		switch {
		case !seen:
			l.dead[pid] = time.Now()
		case time.Since(since) >= sweepAfter:
			reap(pid)
			delete(l.dead, pid)
			continue
		}
		if l.timer == nil {
			l.timer = time.NewTimer(sweepAfter)
		}
	}
}

// terminate sends SIGTERM to what has been adopted so far.
func (l *leftovers) terminate() {
	for _, pid := range l.adopted() {
		send(pid, unix.SIGTERM)
	}
}

// end ends everything the command left behind: SIGTERM, at most grace, then
// SIGKILL. The children of a process that ends become ours and are met in the
// next round. Only children of ours are signalled: their ids cannot be reused
// before we have reaped them.
func (l *leftovers) end(grace time.Duration) error {
	sig, told := unix.SIGTERM, map[int]bool{}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		alive := l.reapDead(told)
		if len(alive) == 0 && l.none() {
			return nil
		}
		for _, pid := range alive {
			if !told[pid] {
				told[pid] = true
				send(pid, sig)
			}
		}
		select {
		case <-l.changed:
		case <-timer.C:
			if sig == unix.SIGKILL {
				return fmt.Errorf("processes left behind by the command could not be ended: %v", alive)
			}
			sig = unix.SIGKILL
			clear(told)
			timer.Reset(killWait)
		}
	}
}

// reapDead reaps the adopted that are dead and returns the others.
func (l *leftovers) reapDead(told map[int]bool) (alive []int) {
	for _, pid := range l.adopted() {
		if isDead(pid) {
			reap(pid)
			delete(told, pid)
			continue
		}
		alive = append(alive, pid)
	}
	return alive
}

// none asks the kernel itself whether any child is left: a listing of /proc can
// miss one that is adopted while it is read (proc_pid_task_tid_children(5)).
func (l *leftovers) none() bool {
	if len(l.before) > 0 {
		return len(l.adopted()) == 0
	}
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == unix.ECHILD || len(l.adopted()) == 0
}

// adopted returns the children that the command left to us.
func (l *leftovers) adopted() []int {
	all := children()
	n := 0
	for _, pid := range all {
		if pid != l.command && !l.before[pid] {
			all[n] = pid
			n++
		}
	}
	return all[:n]
}

// send sends a signal to a child of ours, and lets a stopped one act on it.
func send(pid int, sig syscall.Signal) {
	_ = unix.Kill(pid, sig)
	if sig != unix.SIGKILL {
		_ = unix.Kill(pid, unix.SIGCONT)
	}
}

func isDead(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo == int32(unix.SIGCHLD)
}

func reap(pid int) {
	var status unix.WaitStatus
	_, _ = unix.Wait4(pid, &status, unix.WNOHANG, nil)
}
