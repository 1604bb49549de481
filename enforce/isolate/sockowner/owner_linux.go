package sockowner

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
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
)

// Finder looks owners up. It is safe for concurrent use.
type Finder struct {
	diag diag
	proc *os.File
}

// New returns a Finder that asks a socket of OpenDiag and looks for processes
// in proc, an open /proc of the jail: its numbers are those of the jail. It
// takes both over.
func New(socket, proc *os.File) *Finder {
	return &Finder{diag: diag{f: socket}, proc: proc}
}

// Close releases the files.
func (f *Finder) Close() error {
	f.diag.mu.Lock()
	defer f.diag.mu.Unlock()
	f.proc.Close()
	return f.diag.f.Close()
}

// TCP returns the process behind a TCP connection, by its ends as the client
// sees them. PID and parents are as seen in the jail.
func (f *Finder) TCP(client, server netip.AddrPort) (*policy.Process, error) {
	return f.find(unix.IPPROTO_TCP, client, server)
}

// UDP is TCP for a connected UDP socket. The kernel looks these up from the
// other side: as for a packet that arrives (udp_dump_one in net/ipv4/udp_diag.c).
func (f *Finder) UDP(client, server netip.AddrPort) (*policy.Process, error) {
	return f.find(unix.IPPROTO_UDP, server, client)
}

func (f *Finder) find(protocol uint8, from, to netip.AddrPort) (*policy.Process, error) {
	inode, err := f.diag.inode(protocol, from, to)
	if err != nil {
		return nil, err
	}
	pid, err := f.holder("socket:[" + strconv.FormatUint(uint64(inode), 10) + "]")
	if err != nil {
		return nil, err
	}
	return f.describe(pid), nil
}

// holder returns the newest process that has the socket open: the last one that
// was started is most often the one that connects.
func (f *Finder) holder(link string) (int, error) {
	names, err := readDir(int(f.proc.Fd()), ".")
	if err != nil {
		return 0, fmt.Errorf("list the processes: %w", err)
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range slices.Backward(pids) {
		if f.holds(pid, link) {
			return pid, nil
		}
	}
	return 0, ErrUnknown
}

func (f *Finder) holds(pid int, link string) bool {
	dir, err := unix.Openat(int(f.proc.Fd()), strconv.Itoa(pid)+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // it has ended
	}
	defer unix.Close(dir)
	names, err := readDir(dir, "")
	if err != nil {
		return false
	}
	buf := make([]byte, 64)
	for _, name := range names {
		n, err := unix.Readlinkat(dir, name, buf)
		if err == nil && string(buf[:n]) == link {
			return true
		}
	}
	return false
}

// describe reads what there is to know; a process may end meanwhile.
func (f *Finder) describe(pid int) *policy.Process {
	p := &policy.Process{PID: pid, Exe: f.exe(pid), Argv: f.argv(pid)}
	for range maxParents {
		pid = f.parent(pid)
		if pid <= 1 {
			break
		}
		p.Parents = append(p.Parents, f.exe(pid))
	}
	return p
}

func (f *Finder) exe(pid int) string {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(f.proc.Fd()), strconv.Itoa(pid)+"/exe", buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

func (f *Finder) argv(pid int) []string {
	data := f.read(pid, "cmdline")
	if len(data) == 0 {
		return nil
	}
	return strings.Split(string(bytes.TrimSuffix(data, []byte{0})), "\x00")
}

// parent returns the fourth field of stat; the second, the name in parentheses,
// may hold anything.
func (f *Finder) parent(pid int) int {
	stat := f.read(pid, "stat")
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	ppid, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return ppid
}

// read returns the beginning of a file of a process, nothing when it is gone.
func (f *Finder) read(pid int, name string) []byte {
	fd, err := unix.Openat(int(f.proc.Fd()), strconv.Itoa(pid)+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	buf := make([]byte, maxArgv)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

// readDir returns the names in a directory: of the file descriptor itself, or of
// a fresh view of it when sub is ".", so that a shared one keeps its position.
func readDir(dir int, sub string) ([]string, error) {
	if sub != "" {
		fd, err := unix.Openat(dir, sub, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
		dir = fd
	}
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
