package sockowner

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

func openProcess(proc, pid int) (int, error) {
	return unix.Openat(proc, strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// scratch is what is read into. It is kept off the stack: a connection's
// goroutine is new, and its stack would have to grow.
type scratch [max(unix.PathMax, maxArgv)]byte

// exe returns the path of the program that a process or a thread executes, in buf:
// nothing where we may not know it. It is not ok where it has ended, or ends: it
// has no memory then, and executes nothing (proc_exe_link in fs/proc/base.c).
func exe(dir int, buf *scratch) (path []byte, ok bool) {
	n, err := unix.Readlinkat(dir, "exe", buf[:])
	switch err {
	case nil:
		return buf[:n], true
	case unix.EACCES: // which is also said of one that nobody remembers
		_, _, ok = stat(dir)
		return nil, ok
	default:
		return nil, false
	}
}

// executes reports whether a process is known to execute that program.
func executes(dir int, program string, buf *scratch) bool {
	path, ok := exe(dir, buf)
	return ok && program != "" && string(path) == program
}

// living returns the directory of a thread that lives, for a process whose first
// thread has ended, as with pthread_exit(3) in main: a process shows its first
// thread's memory and files alone. It takes dir over, and returns that itself
// where the first thread lives, and where none does, with false.
func living(dir int, buf *scratch) (int, bool) {
	if _, ok := exe(dir, buf); ok {
		return dir, true
	}
	threads, err := readDir(dir, "task")
	if err != nil {
		return dir, false
	}
	for _, number := range threads {
		thread, err := unix.Openat(dir, "task/"+number, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if _, ok := exe(thread, buf); ok {
			unix.Close(dir)
			return thread, true
		}
		unix.Close(thread)
	}
	return dir, false
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

// readDir returns the names in a directory below dir, or in a fresh view of dir
// when sub is ".", so that a shared one keeps its position.
func readDir(dir int, sub string) ([]string, error) {
	fd, err := openDir(dir, sub)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return entries(fd)
}

func openDir(dir int, sub string) (int, error) {
	return unix.Openat(dir, sub, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

func entries(dir int) ([]string, error) {
	var names []string
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}
