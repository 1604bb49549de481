// Package privilege gives up what the first process of a jail needed to make
// it, for itself and for everything it will run.
//
// It must never leave a capability that could undo the jail. Privileges belong
// to threads: the caller has locked the one it is on.
package privilege

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Set is a set of capabilities, a bit for each number of capabilities(7).
type Set uint64

// Root is what a command run by root keeps: what a package manager does to
// files and to its own processes. Everything that touches the network, mounts,
// devices or other processes' memory is gone.
const Root Set = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_KILL | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID

// RootNamespaces is what root needs besides to be root of a user namespace of its
// own (user_namespaces(7), "Defining user and group ID mappings"). It gives files
// capabilities, which root can give them the user ID 0 instead of.
const RootNamespaces Set = 1 << unix.CAP_SETFCAP

// Needed are the capabilities that making a jail takes, in its own user
// namespace, and those that the command keeps. They are handed over as ambient
// ones: an exec as anyone but root loses all others. DAC_OVERRIDE is for an
// overlay's work directory, which the kernel makes with mode 0. SETFCAP may be
// asked for once the first process is there; see RootNamespaces.
func Needed(keep Set) []uintptr {
	all := []uintptr{
		unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN, unix.CAP_NET_BIND_SERVICE,
		unix.CAP_NET_RAW, unix.CAP_SETPCAP, unix.CAP_SYS_RESOURCE, unix.CAP_DAC_OVERRIDE,
		unix.CAP_SETFCAP,
	}
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if keep&(1<<c) != 0 {
			all = append(all, c)
		}
	}
	return all
}

// Drop reduces the thread to keep, for good: the bounding set, the ambient set,
// no_new_privs and the thread's own sets.
func Drop(keep Set) error {
	for c := range highest() + 1 {
		if keep&(1<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear the ambient capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	head, data := capset(keep)
	if err := unix.Capset(head, &data[0]); err != nil {
		return fmt.Errorf("set the capabilities: %w", err)
	}
	return nil
}

func capset(keep Set) (*unix.CapUserHeader, *[2]unix.CapUserData) {
	head := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := &[2]unix.CapUserData{}
	for i := range data {
		part := uint32(keep >> (32 * i))
		data[i] = unix.CapUserData{Effective: part, Permitted: part}
	}
	return head, data
}

// DropElsewhere takes from all other threads what Drop took from the calling one,
// but for their bounding sets: nothing is executed from them, and without
// privileges they gain none. It reports false, and has done nothing, in a
// program with C threads, which the Go runtime does not know of; then only an
// exec from the calling thread gets rid of the others.
//
// It is one call, as each stops every thread in turn: what is not inheritable any
// more is not ambient (cap_capset in security/commoncap.c), and no_new_privs comes
// with the filter (SECCOMP_FILTER_FLAG_TSYNC in seccomp(2)). Check sees both.
func DropElsewhere(keep Set) bool {
	head, data := capset(keep)
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(head)), uintptr(unsafe.Pointer(data)), 0)
	runtime.KeepAlive(head)
	runtime.KeepAlive(data)
	return errno == 0
}

// highest returns the last capability that the kernel knows.
func highest() uintptr {
	data, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if n, parseErr := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && parseErr == nil {
		return uintptr(n)
	}
	return unix.CAP_LAST_CAP
}

// Check reads back what every thread of the process has and returns an error
// where that is more than keep, or where no_new_privs or a filter is missing.
// The bounding set is that of the calling thread.
func Check(keep Set) error {
	buf := make([]byte, maxStatus)
	if err := checkThread(buf, "/proc/thread-self/status", keep, "CapBnd"); err != nil {
		return err
	}
	tasks, err := os.Open("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list the threads: %w", err)
	}
	defer tasks.Close()
	threads, err := tasks.Readdirnames(-1)
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("list the threads: %v", err)
	}
	for _, thread := range threads {
		err := checkThread(buf, "/proc/self/task/"+thread+"/status", keep, "CapInh", "CapPrm", "CapEff", "CapAmb")
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// maxStatus is room for /proc/PID/status, which is read in one call: it has some
// 1,500 bytes, and a line of the groups.
const maxStatus = 64 << 10

// checkThread reads a status file into buf. It is part of each run's start, for
// each thread: so no more calls than it takes.
func checkThread(buf []byte, path string, keep Set, sets ...string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for _, k := range sets {
		value := field(buf[:n], k)
		has, err := strconv.ParseUint(value, 16, 64)
		if err != nil {
			return fmt.Errorf("read %s: %w", k, err)
		}
		if extra := has &^ uint64(keep); extra != 0 {
			return fmt.Errorf("%s still has %#x", k, extra)
		}
	}
	for _, f := range [][2]string{{"NoNewPrivs", "1"}, {"Seccomp", "2"}} {
		if value := field(buf[:n], f[0]); value != f[1] {
			return fmt.Errorf("%s is %q, not %s", f[0], value, f[1])
		}
	}
	return nil
}

// field returns the value of a line of a status file, nothing where there is
// none.
func field(status []byte, name string) string {
	_, rest, found := bytes.Cut(status, []byte("\n"+name+":"))
	if !found {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte("\n"))
	return string(bytes.TrimSpace(value))
}
