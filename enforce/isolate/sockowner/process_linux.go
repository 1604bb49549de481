package sockowner

import (
	"bytes"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
	"golang.org/x/sys/unix"
)

const (
	// maxArgv bounds the bytes kept of a command line.
	maxArgv = 4096
	// maxParents bounds the walk to the first process.
	maxParents = 32
	// maxKnown bounds the processes that are kept. Beyond, all are forgotten.
	maxKnown = 64
	// maxPrograms bounds the programs that a process is followed through while it
	// becomes one after the other.
	maxPrograms = 8
)

// Process returns the process of that PID, as seen in the jail, which started so
// many clock ticks after the machine. It is nil where that process has ended,
// whoever has its PID now. Connections of one process share the description,
// which must not be changed.
func (f *Finder) Process(pid int, start uint64) *policy.Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k := f.known[pid]; k != nil {
		if k.start == start && k.unchanged(&f.buf) {
			return k.described
		}
		k.close()
		delete(f.known, pid)
	}
	k := look(int(f.proc.Fd()), pid)
	if k == nil {
		return nil
	}
	if k.start != start {
		k.close()
		return nil
	}
	if len(f.known) >= maxKnown {
		f.forget()
	}
	if f.known == nil {
		f.known = map[int]*known{}
	}
	f.known[pid] = k
	return k.described
}

func (f *Finder) forget() {
	for _, k := range f.known {
		k.close()
	}
	clear(f.known)
}

// known is a process that has been looked at. Its directory in /proc is open, or
// that of one of its threads: that never shows another one, whoever gets the PID.
type known struct {
	pid, dir int
	start    uint64 // in clock ticks since the machine started
	command  int    // its command line, which is that of whatever it executes
	exe      string
	argv     []byte
	parents  []ancestor

	described *policy.Process
}

// ancestor is the parent of a process, or a parent of that.
type ancestor struct {
	dir int
	exe string
}

// look reads what there is to know, nil where there is no such process. One that
// has ended and that its parent has not waited for yet is none.
func look(proc, pid int) *known {
	dir, err := openProcess(proc, pid)
	if err != nil {
		return nil
	}
	k, buf := &known{pid: pid, dir: dir, command: -1}, new(scratch)
	parent, start, ok := stat(dir)
	if ok {
		k.start = start
		k.dir, ok = living(dir, buf)
	}
	if !ok || !k.program(buf) {
		k.close()
		return nil
	}
	for parent > 1 && len(k.parents) < maxParents {
		dir, err := openProcess(proc, parent)
		if err != nil {
			break
		}
		parent, _, _ = stat(dir)
		dir, _ = living(dir, buf)
		path, _ := exe(dir, buf)
		k.parents = append(k.parents, ancestor{dir, string(path)})
	}
	k.described = k.describe()
	return k
}

// program reads what the process executes, and reports whether it lives.
func (k *known) program(buf *scratch) bool {
	var err error
	if k.command, err = unix.Openat(k.dir, "cmdline", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return false
	}
	var alive bool
	k.exe, k.argv, alive = together(
		func() (string, bool) { path, ok := exe(k.dir, buf); return string(path), ok },
		func() []byte { return slices.Clone(k.read(buf)) })
	return alive
}

// together returns the path and the command line of one and the same program, for
// the process may become another between a look at the one and at the other
// (execve(2)). While it does, there is a path and no command line yet: then none is
// told, and none if it does so again and again.
func together(path func() (string, bool), commandLine func() []byte) (exe string, argv []byte, alive bool) {
	exe, _ = path()
	for range maxPrograms {
		before := exe
		argv = commandLine()
		if exe, alive = path(); !alive || exe == before {
			return exe, argv, alive
		}
	}
	return exe, nil, true
}

// unchanged reports whether all is as it was when the process was looked at:
// neither it nor a parent has executed another program or ended.
func (k *known) unchanged(buf *scratch) bool {
	if !executes(k.dir, k.exe, buf) || !bytes.Equal(k.read(buf), k.argv) {
		return false
	}
	for _, a := range k.parents {
		if !executes(a.dir, a.exe, buf) {
			return false
		}
	}
	return true
}

func (k *known) describe() *policy.Process {
	p := &policy.Process{PID: k.pid, Exe: k.exe}
	if len(k.argv) > 0 {
		p.Argv = strings.Split(string(bytes.TrimSuffix(k.argv, []byte{0})), "\x00")
	}
	for _, a := range k.parents {
		p.Parents = append(p.Parents, a.exe)
	}
	return p
}

// read returns the beginning of the command line, in buf.
func (k *known) read(buf *scratch) []byte {
	n, err := unix.Pread(k.command, buf[:maxArgv], 0)
	if err != nil {
		return nil
	}
	return buf[:n]
}

func (k *known) close() {
	for _, a := range k.parents {
		unix.Close(a.dir)
	}
	unix.Close(k.dir)
	if k.command >= 0 {
		unix.Close(k.command)
	}
}
