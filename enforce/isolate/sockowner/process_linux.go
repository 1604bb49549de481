package sockowner

import (
	"bytes"
	"slices"
	"strconv"
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

// known is a process that has been looked at. Its directory in /proc is open:
// that never shows another one, whoever gets the PID.
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

// look reads what there is to know, nil where there is no such process.
func look(proc, pid int) *known {
	dir, err := openProcess(proc, pid)
	if err != nil {
		return nil
	}
	k, buf := &known{pid: pid, dir: dir, command: -1}, new(scratch)
	parent, start, ok := stat(dir)
	if !ok {
		k.close()
		return nil
	}
	k.start, k.exe = start, string(exe(dir, buf))
	k.command, err = unix.Openat(dir, "cmdline", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		k.argv = slices.Clone(k.read(buf))
	}
	for parent > 1 && len(k.parents) < maxParents {
		dir, err := openProcess(proc, parent)
		if err != nil {
			break
		}
		k.parents = append(k.parents, ancestor{dir, string(exe(dir, buf))})
		parent, _, _ = stat(dir)
	}
	k.described = k.describe()
	return k
}

// unchanged reports whether all is as it was when the process was looked at:
// neither it nor a parent has executed another program or ended.
func (k *known) unchanged(buf *scratch) bool {
	if k.exe == "" || string(exe(k.dir, buf)) != k.exe || !bytes.Equal(k.read(buf), k.argv) {
		return false
	}
	for _, a := range k.parents {
		if a.exe == "" || string(exe(a.dir, buf)) != a.exe {
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

func openProcess(proc, pid int) (int, error) {
	return unix.Openat(proc, strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// scratch is what is read into. It is kept off the stack: a connection's
// goroutine is new, and its stack would have to grow.
type scratch [max(unix.PathMax, maxArgv)]byte

// exe returns the program that a process executes, in buf; nothing where it has
// ended.
func exe(dir int, buf *scratch) []byte {
	n, err := unix.Readlinkat(dir, "exe", buf[:])
	if err != nil {
		return nil
	}
	return buf[:n]
}

// stat reads the fourth field of /proc/PID/stat, the parent, and the 22nd
// (proc_pid_stat(5)); the second, the name in parentheses, may hold anything.
func stat(dir int) (parent int, start uint64, ok bool) {
	fd, err := unix.Openat(dir, "stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, false
	}
	defer unix.Close(fd)
	var buf [1024]byte
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return 0, 0, false
	}
	fields := bytes.Fields(buf[bytes.LastIndexByte(buf[:n], ')')+1 : n])
	if len(fields) < 20 {
		return 0, 0, false
	}
	parent, err1 := strconv.Atoi(string(fields[1]))
	start, err2 := strconv.ParseUint(string(fields[19]), 10, 64)
	return parent, start, err1 == nil && err2 == nil
}
