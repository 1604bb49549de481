package sockowner

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"

	"github.com/juliendoutre/proxaudit/policy"
	"golang.org/x/sys/unix"
)

// Finder looks owners up. It is safe for concurrent use.
type Finder struct {
	diag  diag
	proc  *os.File
	mu    sync.Mutex
	known map[int]*known // by PID
	buf   scratch
}

// New returns a Finder that asks a socket of OpenDiag and looks for processes
// in proc, an open /proc of the jail: its numbers are those of the jail. It
// takes both over.
func New(socket, proc *os.File) *Finder {
	return &Finder{diag: diag{f: socket}, proc: proc}
}

// Close releases the files.
func (f *Finder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget()
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
	k := look(int(f.proc.Fd()), pid)
	if k == nil {
		return nil, ErrUnknown // it has just ended
	}
	defer k.close()
	return k.described, nil
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
