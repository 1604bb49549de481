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
	return f.holder("socket:[" + strconv.FormatUint(uint64(inode), 10) + "]")
}

// holder returns the newest process that has the socket open: the last one that
// was started is most often the one that connects.
func (f *Finder) holder(link string) (*policy.Process, error) {
	proc := int(f.proc.Fd())
	names, err := readDir(proc, ".")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range slices.Backward(pids) {
		if !f.holds(pid, link) {
			continue
		}
		if k := look(proc, pid); k != nil { // else it has just ended
			defer k.close()
			return k.described, nil
		}
	}
	return nil, ErrUnknown
}

// holds reports whether a process has the socket open, or, where its first thread
// has ended and shows nothing any more, one of its threads.
func (f *Finder) holds(pid int, link string) bool {
	dir, err := openProcess(int(f.proc.Fd()), pid)
	if err != nil {
		return false // it has ended
	}
	defer unix.Close(dir)
	has, files := hasOpen(dir, "fd", link)
	if has || files > 0 {
		return has
	}
	threads, err := readDir(dir, "task")
	if err != nil {
		return false
	}
	for _, thread := range threads {
		if has, _ := hasOpen(dir, "task/"+thread+"/fd", link); has {
			return true
		}
	}
	return false
}

// hasOpen looks through a list of open files, and returns how many there are.
func hasOpen(dir int, list, link string) (has bool, files int) {
	fds, err := openDir(dir, list)
	if err != nil {
		return false, 0
	}
	defer unix.Close(fds)
	names, err := entries(fds)
	if err != nil {
		return false, 0
	}
	buf := make([]byte, 64)
	for _, name := range names {
		n, err := unix.Readlinkat(fds, name, buf)
		if err == nil && string(buf[:n]) == link {
			return true, len(names)
		}
	}
	return false, len(names)
}
