package isolate

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// swaps is how often a race is tried, at least, and what is raced for changes.
const swaps = 3000

// race calls swap all the time, in a thread of its own, while it tries.
func race(swap func() error, try func()) error {
	var done atomic.Bool
	var swapped atomic.Int64
	failed := make(chan error, 1)
	go func() {
		for !done.Load() {
			if err := swap(); err != nil {
				failed <- err
				return
			}
			swapped.Add(1)
		}
	}()
	defer done.Store(true)
	for i := 0; i < swaps || swapped.Load() < swaps; i++ {
		select {
		case err := <-failed:
			return err
		default:
			try()
		}
	}
	return nil
}

func relative() error {
	if err := os.Chdir(os.Getenv("OUT_DIR")); err != nil {
		return err
	}
	return talk("unix", "stream")
}

func workingDirectory() error {
	if err := os.Chdir(os.Getenv("OUT_DIR")); err != nil {
		return err
	}
	return talk("unix", "/proc/self/cwd/stream")
}

func symbolicLink() error {
	path := filepath.Join(os.Getenv("OUT_DIR"), "symbolic")
	if err := os.Symlink(os.Getenv("OUT_UNIX"), path); err != nil {
		return err
	}
	return talk("unix", path)
}

func openDirectory() error {
	fd, err := unix.Open(os.Getenv("OUT_DIR"), unix.O_PATH, 0)
	if err != nil {
		return err
	}
	return talk("unix", fmt.Sprintf("/proc/self/fd/%d/stream", fd))
}

func openSocketFile() error {
	fd, err := unix.Open(os.Getenv("OUT_UNIX"), unix.O_PATH, 0)
	if err != nil {
		return err
	}
	return talk("unix", fmt.Sprintf("/proc/self/fd/%d", fd))
}

// ourServer listens at a path of OUT_DIR.
func ourServer(name string) (string, error) {
	path := filepath.Join(os.Getenv("OUT_DIR"), name)
	_ = os.Remove(path) // an attempt may have to be made again until it wins a race
	l, err := net.Listen("unix", path)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return path, nil
}

// overOurs puts the outside socket where one of ours is.
func overOurs() error {
	path, err := ourServer("ours")
	if err != nil {
		return err
	}
	if err := os.Rename(os.Getenv("OUT_UNIX"), path); err != nil {
		return err
	}
	return talk("unix", path)
}

func unixAddress(path string) (*unix.RawSockaddrUnix, uintptr) {
	a := &unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	for i := range len(path) {
		a.Path[i] = int8(path[i])
	}
	return a, uintptr(2 + len(path) + 1)
}

func connectRaw(fd int, a *unix.RawSockaddrUnix, size uintptr) error {
	return call(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(a)), size)
}

// dialRaw connects a new socket to a.
func dialRaw(a *unix.RawSockaddrUnix, size uintptr) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		_ = connectRaw(fd, a, size)
		unix.Close(fd)
	}
}

// swapAddress changes the address from one of our servers to one outside and
// back, while it is connected to.
func swapAddress() error {
	ours, err := ourServer("xtream")
	if err != nil {
		return err
	}
	a, size := unixAddress(ours)
	// The four bytes that begin a multiple of four and hold the x.
	at := (2 + len(ours) - len("xtream")) &^ 3
	word := (*uint32)(unsafe.Add(unsafe.Pointer(a), at))
	inside := *word
	b, _ := unixAddress(os.Getenv("OUT_UNIX"))
	outside := *(*uint32)(unsafe.Add(unsafe.Pointer(b), at))
	return race(func() error {
		atomic.StoreUint32(word, outside)
		atomic.StoreUint32(word, inside)
		return nil
	}, func() { dialRaw(a, size) })
}

// swapFile has one number mean a socket of a network and a unix socket in turn.
func swapFile() error {
	tcp, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	local, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	const number = 700
	files := [2]int{tcp, local}
	swap := func() error {
		files[0], files[1] = files[1], files[0]
		return unix.Dup3(files[0], number, 0)
	}
	if err := swap(); err != nil {
		return err
	}
	a, size := unixAddress(os.Getenv("OUT_UNIX"))
	return race(swap, func() { _ = connectRaw(number, a, size) })
}

// swapLink has a symbolic link lead to one of our servers and out in turn.
func swapLink() error {
	ours, err := ourServer("ours")
	if err != nil {
		return err
	}
	link := filepath.Join(os.Getenv("OUT_DIR"), "link")
	swap := func() error {
		for _, target := range []string{ours, os.Getenv("OUT_UNIX")} {
			if err := errors.Join(os.Symlink(target, link+".new"), os.Rename(link+".new", link)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := swap(); err != nil {
		return err
	}
	a, size := unixAddress(link)
	return race(swap, func() { dialRaw(a, size) })
}

// datagramPair has two sockets, and sends from one of them to a third.
func datagramPair() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	to := &unix.SockaddrUnix{Name: os.Getenv("OUT_UNIXGRAM")}
	return errors.Join(unix.Sendto(fds[0], []byte("hello"), 0, to), unix.Sendmsg(fds[0], []byte("hello"), nil, to, 0))
}

// peer connects to a server of ours, and returns the process behind the
// connection, as the kernel gives it to the server.
func peer() (int, error) {
	l, err := net.Listen("unix", "@proxaudit-peer")
	if err != nil {
		return -1, err
	}
	c, err := net.Dial("unix", "@proxaudit-peer")
	if err != nil {
		return -1, err
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		return -1, err
	}
	f, err := s.(*net.UnixConn).File()
	if err != nil {
		return -1, err
	}
	const peerPidfd = 77 // SO_PEERPIDFD of asm-generic/socket.h, since Linux 6.5
	return unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, peerPidfd)
}

func signalPeer() error {
	pidfd, err := peer()
	if err != nil {
		return err
	}
	return unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
}

func takeFileOfPeer() error {
	pidfd, err := peer()
	if err != nil {
		return err
	}
	_, err = unix.PidfdGetfd(pidfd, 0, 0)
	return err
}

func joinPeer() error {
	pidfd, err := peer()
	if err != nil {
		return err
	}
	return unix.Setns(pidfd, unix.CLONE_NEWNET)
}

// serveElsewhere is a server of another network namespace.
func serveElsewhere() error {
	l, err := net.Listen("unix", os.Getenv("OUT_UNIX"))
	if err != nil {
		return err
	}
	fmt.Println("up")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		fmt.Println("connection")
		_, _ = io.WriteString(c, "outside\n")
		c.Close()
	}
}

// ended is an errno that a test waits for, or none.
func ended(err error, want syscall.Errno) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("ended with %w, not %w", err, want)
}

// serveByALink connects to a socket of the jail by a symbolic link without a
// directory, and prints whom the server sees.
func serveByALink() error {
	dir, err := os.MkdirTemp("/tmp", "link")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chdir(dir); err != nil {
		return err
	}
	l, err := net.Listen("unix", "socket")
	if err := errors.Join(err, os.Symlink("socket", "link")); err != nil {
		return err
	}
	c, err := net.Dial("unix", "link")
	if err != nil {
		return err
	}
	defer c.Close()
	a, err := l.Accept()
	if err != nil {
		return err
	}
	raw, err := a.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			fmt.Println("peer", peer.Uid, peer.Gid)
		}
	})
}
