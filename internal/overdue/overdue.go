// Package overdue ends tests that wait for what never comes: for a process, or for
// what a process was to say. Such a test would fail after the twenty minutes of all
// tests, and with the goroutines of this program alone, which are not those that
// hang.
//
// It must never be how a test passes: whatever it ends has failed.
package overdue

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"
)

// limit is more than any test takes on a busy machine.
const limit = 8 * time.Minute

// Watch fails the test, unless it ends before the limit, with what each process
// that this program started is waiting for, and kills them: whoever waits for them
// goes on. The program panics where that does not help.
//
// It is to be called before the processes are started. Tests that run at the same
// time fail together. A benchmark takes as long as it is told to, and is not watched.
func Watch(t testing.TB) {
	t.Helper()
	if _, ok := t.(*testing.B); ok {
		return
	}
	watch(t, limit, func(said string) { panic(said) })
}

func watch(t testing.TB, limit time.Duration, giveUp func(said string)) {
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ended:
			return
		case <-time.After(limit):
		}
		pids := descendants(os.Getpid())
		t.Errorf("not ended after %v; there are %d processes\n%s%s", limit, len(pids), describe(pids), goroutines())
		for _, pid := range pids {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
		select {
		case <-ended:
		case <-time.After(limit):
			giveUp(fmt.Sprintf("%s has not ended, and waits for no process\n%s", t.Name(), goroutines()))
		}
	}()
	t.Cleanup(func() { close(ended); <-watched })
}

// descendants returns the children of a process, and theirs. One whose parent has
// ended is no longer among them. It finds none on systems without /proc.
func descendants(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := map[int][]int{}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// The fourth field; the second, the name in parentheses, may hold anything
		// (proc_pid_stat(5)).
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(fields) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	all := children[pid]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// describe says of each process what it is and where each thread is in the kernel:
// root may know the stack.
func describe(pids []int) string {
	var b strings.Builder
	for _, pid := range pids {
		fmt.Fprintf(&b, "process %d: %q\n", pid, read(pid, "cmdline"))
		for line := range strings.Lines(read(pid, "status")) {
			if key, _, _ := strings.Cut(line, ":"); strings.Contains(" State PPid NSpid SigPnd ShdPnd SigBlk SigIgn SigCgt ", " "+key+" ") {
				b.WriteString("  " + line)
			}
		}
		threads, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		for _, thread := range threads {
			in := "task/" + thread.Name() + "/"
			fmt.Fprintf(&b, "  thread %s in %s, call %s\n", thread.Name(), read(pid, in+"wchan"), strings.TrimSpace(read(pid, in+"syscall")))
			for line := range strings.Lines(read(pid, in+"stack")) {
				b.WriteString("    " + line)
			}
		}
	}
	return b.String()
}

func read(pid int, name string) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
	if err != nil {
		return ""
	}
	return string(data)
}

func goroutines() string {
	var b strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&b, 2)
	return b.String()
}
