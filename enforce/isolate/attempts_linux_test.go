package isolate

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// init breaks the cycle between the table and an attempt that makes a jail.
func init() {
	attempts["be a proxy"] = beAProxy
	attempts["be a proxy on a terminal"] = beAProxyOnATerminal
	attempts["be a proxy of one that dials"] = beAProxyOfOneThatDials
}

// attempts are what a hostile command would try. Each returns nil when it was
// let.
var attempts = map[string]func() error{
	"tcp to the host's loopback":       func() error { return talk("tcp", "127.0.0.1:"+os.Getenv("OUT_TCP4")) },
	"tcp to the host's IPv6 loopback":  func() error { return talk("tcp", "[::1]:"+os.Getenv("OUT_TCP6")) },
	"tcp to the host's address":        func() error { return talk("tcp", os.Getenv("OUT_HOST")+":"+os.Getenv("OUT_TCP4")) },
	"udp to the host's loopback":       func() error { return talk("udp", "127.0.0.1:"+os.Getenv("OUT_UDP4")) },
	"udp to the host's address":        func() error { return talk("udp", os.Getenv("OUT_HOST")+":"+os.Getenv("OUT_UDP4")) },
	"abstract unix socket":             func() error { return talk("unix", os.Getenv("OUT_ABSTRACT")) },
	"unix socket":                      func() error { return talk("unix", os.Getenv("OUT_UNIX")) },
	"unix datagram socket":             func() error { return talk("unixgram", os.Getenv("OUT_UNIXGRAM")) },
	"unix socket by another spelling":  func() error { return talk("unix", "/proc/self/root"+os.Getenv("OUT_UNIX")) },
	"unix socket, renamed":             renamed,
	"unix socket, hard link":           hardLink,
	"unix socket by a relative path":   relative,
	"unix socket by a symbolic link":   symbolicLink,
	"unix socket by /proc/self/cwd":    workingDirectory,
	"unix socket by an open directory": openDirectory,
	"unix socket by an open file":      openSocketFile,
	"unix socket over ours":            overOurs,
	"unix packet socket":               func() error { return talk("unixpacket", os.Getenv("OUT_PACKET")) },
	"unix raw socket":                  func() error { return open(unix.AF_UNIX, unix.SOCK_RAW, 0) },
	"unix datagram socket of a pair":   datagramPair,
	"swap the address":                 swapAddress,
	"swap the file":                    swapFile,
	"swap the link":                    swapLink,
	"signal the supervisor":            signalPeer,
	"take a file of the supervisor":    takeFileOfPeer,
	"join the supervisor's network":    joinPeer,
	"serve elsewhere":                  serveElsewhere,
	"serve by a link":                  serveByALink,
	"use unix sockets":                 useUnixSockets,
	"dial often":                       dialOften,
	"get":                              get,
	"use the terminal":                 useTheTerminal,
	"wait for ever":                    waitForEver,
	"wait to be continued":             waitToBeContinued,
	"serve port 3000":                  servePort3000,
	"dial all":                         dialAll,
	"dial oneself":                     dialOneself,
	"dial at once":                     dialAtOnce,
	"serve and use":                    serveAndUse,
	"connect and hand on":              connectAndHandOn,
	"connect, hand on and end":         connectHandOnAndEnd,
	"connect and pass a file on":       connectAndPassOn,
	"connect and become another":       connectAndBecome,
	"connect often in many threads":    connectInThreads,
	"write to a file":                  writeToConnection,
	"write when all have ended":        writeAtTheEnd,
	"ask":                              ask,
	"start one that dials":             startOneThatDials,
	"unmount in a namespace":           unmountInNamespace,
	"within":                           within,
	"dial when told":                   dialWhenTold,
	"unmount":                          unmountAll,
	"nothing":                          func() error { return nil },
	"multipath tcp":                    func() error { return connectAs(unix.IPPROTO_MPTCP) },
	"sctp":                             func() error { return connectAs(unix.IPPROTO_SCTP) },
	"udp-lite":                         udpLite,
	"tcp fast open":                    fastOpen,
	"raw socket":                       func() error { return open(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW) },
	"packet socket":                    func() error { return open(unix.AF_PACKET, unix.SOCK_RAW, 0) },
	"vsock":                            func() error { return open(unix.AF_VSOCK, unix.SOCK_STREAM, 0) },
	"kernel crypto socket":             func() error { return open(unix.AF_ALG, unix.SOCK_SEQPACKET, 0) },
	"bluetooth":                        func() error { return open(unix.AF_BLUETOOTH, unix.SOCK_RAW, 0) },
	"netfilter socket":                 func() error { return open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER) },
	"io_uring":                         func() error { return call(unix.SYS_IO_URING_SETUP, 1, zeroed(256)) },
	"bpf":                              func() error { return call(unix.SYS_BPF, 0, zeroed(256), 256) },
	"userfaultfd":                      func() error { return call(unix.SYS_USERFAULTFD, 1) },
	"keyring":                          func() error { return call(unix.SYS_KEYCTL, 0, ^uintptr(2)) },
	"handle of a file":                 func() error { return call(unix.SYS_OPEN_BY_HANDLE_AT, 0, zeroed(256)) },
	"an interface":                     func() error { return netlink.LinkAdd(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "out"}}) },
	"a route":                          route,
	"a user namespace":                 userNamespace,
	"the host's network namespace":     joinNetwork,
	"kill the proxy":                   func() error { return unix.Kill(number("OUT_PID"), unix.SIGKILL) },
	"look at the proxy":                func() error { _, err := os.Stat("/proc/" + os.Getenv("OUT_PID")); return ours(err) },
	"trace the first process":          func() error { return unix.PtraceAttach(1) },
	"memory of the first process":      func() error { return openFile("/proc/1/mem") },
	"files of the first process":       filesOfFirst,
	"tree of the first process":        func() error { _, err := os.ReadDir("/proc/1/root/"); return err },
	"environment of the first process": func() error { return openFile("/proc/1/environ") },
	"read memory of the first process": readMemory,
	"take a file of the first process": takeFile,
	"unmount what hides":               func() error { return unix.Unmount(os.Getenv("OUT_UNIX"), unix.MNT_DETACH) },
	"mount":                            func() error { return unix.Mount("tmpfs", "/tmp", "tmpfs", 0, "") },
	"make a device":                    func() error { return unix.Mknod("/tmp/proxaudit-disk", unix.S_IFBLK|0o600, 8<<8) },
	"change root":                      func() error { return unix.Chroot("/tmp") },
	"type into the terminal":           typeIn,
	"standard input as a socket":       reconnect,
	"standard input as a directory":    func() error { _, err := unix.Openat(0, "..", unix.O_RDONLY, 0); return err },
	"inherited files":                  inherited,
	"a call of the x32 ABI":            func() error { return call(0x40000000+unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM) },
	"a program that the kernel runs":   func() error { return writeFile("/proc/sys/kernel/core_pattern") },
	"a switch of the kernel":           func() error { return writeFile(switchOfTheKernel()) },
	"the magic key":                    func() error { return writeFile("/proc/sysrq-trigger") },
	"kill everybody":                   func() error { return unix.Kill(-1, unix.SIGKILL) },
	"kill our process group":           func() error { return unix.Kill(0, unix.SIGKILL) },
	"kill the first process":           func() error { _ = unix.Kill(1, unix.SIGKILL); return unix.Kill(1, unix.SIGSTOP) },
	"signal the first process":         everySignal,
	"raise our privileges":             raise,
	"remount the devices":              remountDevices,
	"open to write":                    func() error { return writeFile(os.Getenv("OUT_FILE")) },
	"open to read":                     func() error { return openFile(os.Getenv("OUT_FILE")) },
	"turn no_new_privs off":            func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) },
}

// talk is reached when the other side is an outside server or takes datagrams.
func talk(network, addr string) error {
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err
	}
	if network == "unixgram" {
		return nil
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if err == nil {
		fmt.Printf("answer: %s", buf[:n])
	}
	return err
}

func renamed() error {
	path := os.Getenv("OUT_UNIX") + ".renamed"
	if err := os.Rename(os.Getenv("OUT_UNIX"), path); err != nil {
		return err
	}
	return talk("unix", path)
}

func hardLink() error {
	path := filepath.Join(os.Getenv("OUT_DIR"), "link")
	if err := os.Link(os.Getenv("OUT_UNIX"), path); err != nil {
		return err
	}
	return talk("unix", path)
}

func hostSockaddr() (*unix.SockaddrInet4, error) {
	ip := net.ParseIP(os.Getenv("OUT_HOST")).To4()
	if ip == nil {
		return nil, errors.New("the host has no address")
	}
	return &unix.SockaddrInet4{Port: number("OUT_TCP4"), Addr: [4]byte(ip)}, nil
}

func connectAs(protocol int) error {
	to, err := hostSockaddr()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, protocol)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, to); err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte("hello"))
	return err
}

func udpLite() error {
	to, err := hostSockaddr()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE)
	if err != nil {
		return err
	}
	return unix.Sendto(fd, []byte("hello"), 0, to)
}

func fastOpen() error {
	to, err := hostSockaddr()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return unix.Sendto(fd, []byte("hello"), unix.MSG_FASTOPEN, to)
}

func open(domain, kind, protocol int) error {
	_, err := unix.Socket(domain, kind, protocol)
	return err
}

func call(nr uintptr, args ...uintptr) error {
	var a [3]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall(nr, a[0], a[1], a[2]); errno != 0 {
		return errno
	}
	return nil
}

func zeroed(n int) uintptr { return uintptr(unsafe.Pointer(&make([]byte, n)[0])) }

func route() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	_, dst, _ := net.ParseCIDR("203.0.113.0/24")
	return netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: dst})
}

func joinNetwork() error {
	fd, err := unix.Open("/proc/"+os.Getenv("OUT_PID")+"/ns/net", unix.O_RDONLY, 0)
	if err != nil {
		// Numbers mean other processes in here; the parent is the first process.
		if fd, err = unix.Open("/proc/1/ns/net", unix.O_RDONLY, 0); err != nil {
			return err
		}
	}
	return unix.Setns(fd, unix.CLONE_NEWNET)
}

// ours is for a look at a number that may be a process of the jail.
func ours(err error) error {
	if err != nil {
		return syscall.ENOENT
	}
	exe, err := os.Readlink("/proc/" + os.Getenv("OUT_PID") + "/cmdline")
	if err != nil {
		return syscall.ENOENT
	}
	return fmt.Errorf("a process of the jail: %s", exe)
}

func openFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = f.Read(make([]byte, 1))
	return err
}

// userNamespace needs a new process: one with threads cannot make one.
func userNamespace() error {
	cmd := exec.Command("/proc/self/exe", attemptArg, "nothing")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	return cmd.Run()
}

// within makes another attempt as root of a user and a mount namespace, and ends as
// that does.
func within() error {
	cmd := exec.Command("/proc/self/exe", attemptArg, os.Getenv("WITHIN"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err := cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Sys().(syscall.WaitStatus).Signaled() {
		fmt.Println("signal", int(ended.Sys().(syscall.WaitStatus).Signal()))
		os.Exit(1)
	}
	if err != nil {
		return err
	}
	os.Exit(0)
	return nil
}

// unmountInNamespace does so as root of a user and a mount namespace.
func unmountInNamespace() error {
	cmd := exec.Command("/proc/self/exe", attemptArg, "unmount")
	cmd.Stdout = os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
	}
	return cmd.Run()
}

func unmountAll() error {
	for _, path := range []string{os.Getenv("OUT_UNIX"), os.Getenv("OUT_UNIXGRAM"), "/run"} {
		err := unix.Unmount(path, unix.MNT_DETACH)
		fmt.Println(path, err)
		if err == nil {
			return nil
		}
	}
	if err := talk("unix", os.Getenv("OUT_UNIX")); !errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return syscall.EINVAL
}

// dialOften prints the time that one connection takes, as a duration.
func dialOften() error {
	begun := time.Now()
	for range number("TIMES") {
		if err := fetch(os.Getenv("TARGET")); err != nil {
			return err
		}
	}
	fmt.Println(time.Since(begun) / time.Duration(number("TIMES")))
	os.Exit(0)
	return nil
}

func get() error {
	response, err := http.Get("https://ok.test/")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// filesOfFirst opens them: root may see their numbers.
func filesOfFirst() error {
	err := error(syscall.EACCES)
	for fd := range 100 {
		if err = openFile("/proc/1/fd/" + strconv.Itoa(fd)); err == nil {
			return nil
		}
		if errors.Is(err, syscall.ENOENT) {
			err = syscall.EACCES
		}
	}
	return err
}

func readMemory() error {
	local, remote := make([]byte, 8), unix.RemoteIovec{Base: 0x400000, Len: 8}
	iov := []unix.Iovec{{Base: &local[0], Len: 8}}
	_, err := unix.ProcessVMReadv(1, iov, []unix.RemoteIovec{remote}, 0)
	return err
}

func takeFile() error {
	pidfd, err := unix.PidfdOpen(1, 0)
	if err != nil {
		return err
	}
	for fd := range 100 {
		if _, err = unix.PidfdGetfd(pidfd, fd, 0); err == nil {
			return nil
		}
	}
	_, err = unix.PidfdGetfd(pidfd, 3, 0)
	return err
}

func typeIn() error {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	// On a pseudo-terminal the kernel knows no TIOCLINUX: ENOTTY.
	selection := byte(3) // TIOCL_PASTESEL of linux/tiocl.h
	err = call(unix.SYS_IOCTL, tty.Fd(), 0x541c, uintptr(unsafe.Pointer(&selection)))
	fmt.Println("paste:", err)
	c := byte('!')
	return call(unix.SYS_IOCTL, tty.Fd(), unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))
}

// reconnect takes the socket that standard input is, and aims it elsewhere.
func reconnect() error {
	unspec := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	if err := call(unix.SYS_CONNECT, 0, uintptr(unsafe.Pointer(&unspec)), unsafe.Sizeof(unspec)); err != nil {
		return err
	}
	if err := unix.Connect(0, &unix.SockaddrInet4{Port: number("OUT_TCP4"), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	_, err := unix.Write(0, []byte("hello"))
	return err
}

// inherited reports any open file but the standard ones.
func inherited() error {
	for fd := 3; fd < 1024; fd++ {
		link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		// Go's runtime has files of its own.
		own := strings.HasPrefix(link, "anon_inode:") || strings.HasPrefix(link, "/sys/fs/cgroup/")
		if err == nil && !own {
			fmt.Println(fd, link)
			return nil
		}
	}
	return syscall.EBADF
}

func writeFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close() // opened for writing is enough: nothing is written to a host
}

// switchOfTheKernel is a file that root owns and may write.
func switchOfTheKernel() string {
	for _, path := range []string{
		"/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/mm/ksm/run", "/sys/power/state",
	} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "/sys/none"
}

func raise() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: 1 << unix.CAP_NET_ADMIN, Permitted: 1 << unix.CAP_NET_ADMIN}}
	return unix.Capset(&head, &data[0])
}

func number(name string) int {
	n, _ := strconv.Atoi(os.Getenv(name))
	return n
}

// everySignal sends the first process all signals but those that it cannot catch,
// and those that Go does not catch once they are ignored, which is just after the
// command has been started.
func everySignal() error {
	if err := ignoredBy("/proc/1/status", 32, 34); err != nil {
		return err
	}
	for s := syscall.Signal(1); s <= 64; s++ {
		if s == syscall.SIGKILL || s == syscall.SIGSTOP {
			continue
		}
		for range 1000 {
			if err := unix.Kill(1, s); err != nil {
				return fmt.Errorf("signal %d: %w", s, err)
			}
		}
	}
	const unheard = 1<<31 | 1<<33
	if ours, err := ignoredSignals("/proc/self/status"); err != nil || ours&unheard != 0 {
		return fmt.Errorf("the command ignores %#x, %v", ours, err)
	}
	return nil
}

// ignoredBy waits until a process ignores signals (proc_pid_status(5)).
func ignoredBy(status string, signals ...int) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		ignored, err := ignoredSignals(status)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(signals, func(s int) bool { return ignored&(1<<(s-1)) == 0 }) {
			return nil
		}
	}
	return fmt.Errorf("%v are not ignored", signals)
}

func ignoredSignals(status string) (set uint64, err error) {
	data, err := os.ReadFile(status)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), "SigIgn:\t")
	_, err = fmt.Sscanf(rest, "%x", &set)
	return set, err
}
