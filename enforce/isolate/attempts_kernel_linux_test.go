package isolate

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelAttempts are at other doors of the kernel than sockets of TCP and UDP.
var kernelAttempts = map[string]func() error{
	"tcp to the host's address, mapped":   func() error { return mapped(unix.SOCK_STREAM, "OUT_TCP4") },
	"udp to the host's address, mapped":   func() error { return mapped(unix.SOCK_DGRAM, "OUT_UDP4") },
	"tcp to the metadata address":         func() error { return talk("tcp", "169.254.169.254:80") },
	"tcp to a link-local address":         func() error { return talk("tcp", "[fe80::1%lo]:80") },
	"multicast by the host's address":     multicast,
	"broadcast by the host's address":     broadcast,
	"tcp fast open by sendmsg":            fastOpenMessage,
	"tcp fast open by an option":          fastOpenOption,
	"disconnect and connect elsewhere":    disconnect,
	"dccp":                                func() error { return open(unix.AF_INET, sockDCCP, unix.IPPROTO_DCCP) },
	"ping":                                func() error { return open(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP) },
	"ping over IPv6":                      func() error { return open(unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_ICMPV6) },
	"raw IPv6 socket":                     func() error { return open(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_RAW) },
	"packets past the network":            func() error { return open(unix.AF_PACKET, unix.SOCK_DGRAM, 0) },
	"xdp socket":                          func() error { return open(unix.AF_XDP, unix.SOCK_RAW, 0) },
	"smc":                                 func() error { return open(unix.AF_SMC, unix.SOCK_STREAM, 0) },
	"every other address family":          everyFamily,
	"every other netlink protocol":        everyNetlink,
	"message queue of the host":           sendMessage,
	"named message queue of the host":     sendNamedMessage,
	"message queue by its file":           sendToQueueFile,
	"performance events":                  func() error { return call(unix.SYS_PERF_EVENT_OPEN, zeroed(256), 0, ^uintptr(0)) },
	"a key":                               func() error { return call(unix.SYS_ADD_KEY, zeroed(8), zeroed(8)) },
	"a key that is asked for":             func() error { return call(unix.SYS_REQUEST_KEY, zeroed(8), zeroed(8)) },
	"enter io_uring":                      func() error { return call(unix.SYS_IO_URING_ENTER, 0, 0, 0) },
	"register with io_uring":              func() error { return call(unix.SYS_IO_URING_REGISTER, 0, 0, 0) },
	"userfaultfd by its device":           func() error { return writeFile("/dev/userfaultfd") },
	"the kernel's memory":                 func() error { return openFile("/dev/mem") },
	"the kernel's log":                    func() error { return writeFile("/dev/kmsg") },
	"a module":                            func() error { return call(unix.SYS_FINIT_MODULE, 0, zeroed(8), 0) },
	"another kernel":                      func() error { return call(unix.SYS_KEXEC_LOAD, 0, 0, 0) },
	"a new file system":                   func() error { return call(unix.SYS_FSOPEN, name("tmpfs"), 0) },
	"a file system to change":             func() error { return call(unix.SYS_FSPICK, atCWD, name("/"), 0) },
	"a copy of the tree":                  func() error { return call(unix.SYS_OPEN_TREE, atCWD, name("/"), unix.OPEN_TREE_CLONE) },
	"change a mount":                      changeMount,
	"move a mount":                        moveMount,
	"change the tree's root":              func() error { return unix.PivotRoot("/", "/") },
	"unshare each namespace":              unshareEach,
	"clone3 a user namespace":             func() error { return clone3(unix.CLONE_NEWUSER) },
	"clone3 a network":                    func() error { return clone3(unix.CLONE_NEWNET) },
	"write memory of the first process":   writeMemory,
	"handle of the proxy":                 func() error { _, err := unix.PidfdOpen(number("OUT_PID"), 0); return ours(err) },
	"namespaces of the first process":     joinFirst,
	"the host's name":                     func() error { return unix.Sethostname([]byte("x")) },
	"the host's clock":                    func() error { return unix.Settimeofday(&unix.Timeval{Sec: 1}) },
	"end the machine":                     func() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) },
	"the kernel's log, emptied":           func() error { return call(unix.SYS_SYSLOG, 5, 0, 0) }, // SYSLOG_ACTION_CLEAR
	"unix stream that is named by sendto": namedStream,
}

// kernelEscapes go with kernelAttempts; see escapes.
var kernelEscapes = []escape{
	{name: "tcp to the host's address, mapped", want: []string{"done"}, captured: true, control: true, root: true, user: true},
	{name: "udp to the host's address, mapped", want: []string{"ECONNREFUSED"}, refused: true, control: true, root: true, user: true},
	{name: "tcp to the metadata address", want: []string{"answer: proxied"}, captured: true, root: true, user: true},
	{name: "tcp to a link-local address", want: []string{"answer: proxied", "ENETUNREACH", "ECONNREFUSED", "EADDRNOTAVAIL"}, root: true, user: true},
	{name: "multicast by the host's address", want: []string{"ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "ENODEV", "done"}, control: true, open: multicastOutside, root: true, user: true},
	{name: "broadcast by the host's address", want: []string{"ECONNREFUSED", "ENETUNREACH", "EACCES", "done"}, control: true, root: true, user: true},
	{name: "tcp fast open by sendmsg", want: []string{"done", "EOPNOTSUPP"}, control: true, root: true, user: true},
	{name: "tcp fast open by an option", want: []string{"done"}, captured: true, control: true, root: true, user: true},
	{name: "disconnect and connect elsewhere", want: []string{"ECONNREFUSED"}, captured: true, control: true, root: true, user: true},
	{name: "dccp", want: []string{"ESOCKTNOSUPPORT", "EPROTONOSUPPORT"}, root: true, user: true},
	{name: "ping", want: []string{"EACCES"}, root: true, user: true},
	{name: "ping over IPv6", want: []string{"EACCES"}, root: true, user: true},
	{name: "raw IPv6 socket", want: []string{"EPERM"}, root: true, user: true},
	{name: "packets past the network", want: []string{"EAFNOSUPPORT"}, root: true, user: true},
	{name: "xdp socket", want: []string{"EAFNOSUPPORT"}, root: true, user: true},
	{name: "smc", want: []string{"EAFNOSUPPORT"}, root: true, user: true},
	{name: "every other address family", want: []string{"EAFNOSUPPORT"}, root: true, user: true},
	{name: "every other netlink protocol", want: []string{"EPROTONOSUPPORT"}, root: true, user: true},
	{name: "message queue of the host", want: []string{"ENOENT"}, control: true, open: queueOutside, root: true, user: true},
	{name: "named message queue of the host", want: []string{"ENOENT"}, control: true, open: namedQueueOutside, root: true, user: true},
	{name: "message queue by its file", want: []string{"ENOENT"}, control: true, open: queueFileOutside, root: true},
	{name: "performance events", want: []string{"EPERM"}, root: true, user: true},
	{name: "a key", want: []string{"ENOSYS"}, root: true, user: true},
	{name: "a key that is asked for", want: []string{"ENOSYS"}, root: true, user: true},
	{name: "enter io_uring", want: []string{"ENOSYS"}, root: true, user: true},
	{name: "register with io_uring", want: []string{"ENOSYS"}, root: true, user: true},
	{name: "userfaultfd by its device", want: []string{"EACCES", "ENOENT", "EPERM"}, root: true, user: true},
	{name: "the kernel's memory", want: []string{"EACCES", "ENOENT", "EPERM"}, root: true, user: true},
	{name: "the kernel's log", want: []string{"EACCES", "ENOENT", "EPERM"}, root: true, user: true},
	{name: "a module", want: []string{"EPERM"}, root: true, user: true},
	{name: "another kernel", want: []string{"EPERM"}, root: true, user: true},
	{name: "a new file system", want: []string{"EPERM"}, root: true, user: true},
	{name: "a file system to change", want: []string{"EPERM"}, root: true, user: true},
	{name: "a copy of the tree", want: []string{"EPERM"}, root: true, user: true},
	{name: "change a mount", want: []string{"EPERM"}, root: true, user: true},
	{name: "move a mount", want: []string{"EPERM"}, root: true, user: true},
	{name: "change the tree's root", want: []string{"EPERM"}, root: true, user: true},
	{name: "unshare each namespace", want: []string{"EPERM"}, root: true, user: true},
	{name: "clone3 a user namespace", want: []string{"ENOSPC"}, root: true, user: true},
	{name: "clone3 a network", want: []string{"EPERM"}, root: true, user: true},
	{name: "write memory of the first process", want: []string{"EPERM"}, root: true, user: true},
	{name: "handle of the proxy", want: []string{"ENOENT"}, root: true, user: true},
	{name: "namespaces of the first process", want: []string{"EPERM"}, root: true, user: true},
	{name: "the host's name", want: []string{"EPERM"}, root: true, user: true},
	{name: "the host's clock", want: []string{"EPERM"}, root: true, user: true},
	{name: "end the machine", want: []string{"EPERM"}, root: true, user: true},
	{name: "the kernel's log, emptied", want: []string{"EPERM"}, root: true, user: true},
	{name: "unix stream that is named by sendto", want: []string{"ENOTCONN"}, root: true, user: true},
}

// Constants that x/sys/unix lacks: linux/net.h, and AT_FDCWD as an argument.
const (
	sockDCCP = 6
	atCWD    = ^uintptr(99)
)

func name(s string) uintptr {
	b, _ := unix.BytePtrFromString(s)
	return uintptr(unsafe.Pointer(b))
}

// mapped reaches the host's IPv4 address by a socket of IPv6 (RFC 4291 section
// 2.5.5.2).
func mapped(kind int, port string) error {
	ip := net.ParseIP(os.Getenv("OUT_HOST")).To16()
	fd, err := unix.Socket(unix.AF_INET6, kind, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet6{Port: number(port), Addr: [16]byte(ip)}); err != nil {
		return err
	}
	return sayHello(fd)
}

// sayHello waits for an answer, which may be a refusal.
func sayHello(fd int) error {
	if _, err := unix.Write(fd, []byte("hello")); err != nil {
		return err
	}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2})
	_, err := unix.Read(fd, make([]byte, 8))
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return err
}

func datagramTo(addr [4]byte, port, level, option int, value []byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptString(fd, level, option, string(value)); err != nil {
		return err
	}
	return unix.Sendto(fd, []byte("hello"), 0, &unix.SockaddrInet4{Port: port, Addr: addr})
}

func multicast() error {
	ip := net.ParseIP(os.Getenv("OUT_HOST")).To4()
	return datagramTo([4]byte{239, 255, 77, 7}, number("OUT_MULTICAST"), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, ip)
}

func broadcast() error {
	return datagramTo([4]byte{255, 255, 255, 255}, number("OUT_UDP4"), unix.SOL_SOCKET, unix.SO_BROADCAST, []byte{1, 0, 0, 0})
}

func fastOpenMessage() error {
	to, err := hostSockaddr()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return unix.Sendmsg(fd, []byte("hello"), nil, to, unix.MSG_FASTOPEN)
}

func fastOpenOption() error {
	to, err := hostSockaddr()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1); err != nil {
		return err
	}
	if err := unix.Connect(fd, to); err != nil {
		return err
	}
	return sayHello(fd)
}

// disconnect makes a connection and aims its socket elsewhere (connect(2),
// AF_UNSPEC).
func disconnect() error {
	to, err := hostSockaddr()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, to); err != nil {
		return err
	}
	unspec := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	if err := call(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspec)), unsafe.Sizeof(unspec)); err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	return sayHello(fd)
}

// everyFamily tries those that no case names, and those to come.
func everyFamily() error {
	for family := range 100 {
		switch family {
		case unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK:
			continue
		}
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_SEQPACKET} {
			if err := open(family, kind, 0); !errors.Is(err, unix.EAFNOSUPPORT) {
				return fmt.Errorf("family %d, type %d: %v", family, kind, err)
			}
		}
	}
	return unix.EAFNOSUPPORT
}

func everyNetlink() error {
	for protocol := range 64 {
		if protocol == unix.NETLINK_ROUTE || protocol == unix.NETLINK_SOCK_DIAG {
			continue
		}
		for _, kind := range []int{unix.SOCK_RAW, unix.SOCK_DGRAM} {
			if err := open(unix.AF_NETLINK, kind, protocol); !errors.Is(err, unix.EPROTONOSUPPORT) {
				return fmt.Errorf("protocol %d: %v", protocol, err)
			}
		}
	}
	return unix.EPROTONOSUPPORT
}

// sysvMessage is struct msgbuf of msgop(2).
type sysvMessage struct {
	kind int64
	text [8]byte
}

func sendMessage() error {
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, uintptr(number("OUT_KEY")), 0, 0)
	if errno != 0 {
		return errno
	}
	m := sysvMessage{kind: 1, text: [8]byte{'h', 'e', 'l', 'l', 'o'}}
	if _, _, errno := unix.Syscall6(unix.SYS_MSGSND, id, uintptr(unsafe.Pointer(&m)), 8, unix.IPC_NOWAIT, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// queueOutside is a message queue of System V, which every process of an IPC
// namespace can find (ipc_namespaces(7)).
func queueOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{any: make(chan struct{}, 10)}
	key := os.Getpid()<<8 | 7
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, uintptr(key), unix.IPC_CREAT|0o666, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	t.Cleanup(func() { _, _, _ = unix.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0) })
	o.env = []string{fmt.Sprintf("OUT_KEY=%d", key), "OUT_HOST=" + hostAddress()}
	go func() {
		var m sysvMessage
		for {
			_, _, errno := unix.Syscall6(unix.SYS_MSGRCV, id, uintptr(unsafe.Pointer(&m)), 8, 0, 0, 0)
			if errno == unix.EINTR {
				continue
			}
			if errno != 0 {
				return // removed
			}
			o.saw("message " + string(bytes.TrimRight(m.text[:], "\x00")))
		}
	}()
	return o
}

func sendNamedMessage() error {
	fd, _, errno := unix.Syscall(unix.SYS_MQ_OPEN, name(os.Getenv("OUT_QUEUE")), unix.O_WRONLY, 0)
	if errno != 0 {
		return errno
	}
	if _, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, fd, name("hello"), 5, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// namedQueueOutside is one of POSIX.
func namedQueueOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{any: make(chan struct{}, 10)}
	queue := fmt.Sprintf("proxaudit-%d", os.Getpid())
	attributes := [8]int64{0, 4, 64} // struct mq_attr: flags, messages, their size
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, name(queue), unix.O_RDONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o666, uintptr(unsafe.Pointer(&attributes)), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_, _, _ = unix.Syscall(unix.SYS_MQ_UNLINK, name(queue), 0, 0)
		close(done)
	})
	o.env = []string{"OUT_QUEUE=" + queue, "OUT_HOST=" + hostAddress()}
	go func() {
		defer unix.Close(int(fd))
		buf := make([]byte, 64)
		for {
			var now unix.Timespec
			_ = unix.ClockGettime(unix.CLOCK_REALTIME, &now)
			now.Nsec += 50e6
			if now.Nsec >= 1e9 {
				now.Sec, now.Nsec = now.Sec+1, now.Nsec-1e9
			}
			n, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, fd, uintptr(unsafe.Pointer(&buf[0])), 64, 0, uintptr(unsafe.Pointer(&now)), 0)
			if errno == 0 {
				o.saw("message " + string(buf[:n]))
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	return o
}

// multicastOutside has a member of a group besides.
func multicastOutside(t *testing.T) *outside {
	t.Helper()
	o := newOutside(t)
	var on *net.Interface
	all, _ := net.Interfaces()
	for _, i := range all {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.String() == hostAddress() {
				on = &i
			}
		}
	}
	c, err := net.ListenMulticastUDP("udp4", on, &net.UDPAddr{IP: net.IPv4(239, 255, 77, 7)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	o.env = append(o.env, "OUT_MULTICAST="+target(c.LocalAddr()))
	go func() {
		buf := make([]byte, 100)
		for {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			o.saw("multicast " + string(buf[:n]))
		}
	}()
	return o
}

func changeMount() error {
	return unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
}

func moveMount() error {
	fd, err := unix.Open("/tmp", unix.O_PATH, 0)
	if err != nil {
		return err
	}
	return unix.MoveMount(fd, "", unix.AT_FDCWD, "/tmp", unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// unshareEach tries all but the user namespace.
func unshareEach() error {
	for _, flag := range []int{
		unix.CLONE_NEWNET, unix.CLONE_NEWNS, unix.CLONE_NEWPID, unix.CLONE_NEWIPC, unix.CLONE_NEWUTS, unix.CLONE_NEWCGROUP, unix.CLONE_NEWTIME,
	} {
		if err := unix.Unshare(flag); !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("unshare %#x: %v", flag, err)
		}
	}
	return unix.EPERM
}

// clone3 makes a process that ends at once.
func clone3(flags uint64) error {
	arguments := [11]uint64{flags, 0, 0, 0, uint64(unix.SIGCHLD)} // struct clone_args of clone(2)
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&arguments)), unsafe.Sizeof(arguments), 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return nil
}

func writeMemory() error {
	local, remote := make([]byte, 8), unix.RemoteIovec{Base: 0x400000, Len: 8}
	iov := []unix.Iovec{{Base: &local[0], Len: 8}}
	_, err := unix.ProcessVMWritev(1, iov, []unix.RemoteIovec{remote}, 0)
	return err
}

// joinFirst tries the namespaces of the first process, which are those of the
// jail: joining would take capabilities there.
func joinFirst() error {
	fd, err := unix.PidfdOpen(1, 0)
	if err != nil {
		return err
	}
	for _, flag := range []int{unix.CLONE_NEWNET, unix.CLONE_NEWNS, unix.CLONE_NEWPID, unix.CLONE_NEWIPC} {
		if err := unix.Setns(fd, flag); !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("setns %#x: %v", flag, err)
		}
	}
	return unix.EPERM
}

// namedStream names a receiver with the bytes, where the socket is not connected: a
// stream refuses that, and packets have no receiver.
func namedStream() error {
	for kind, path := range map[int]string{unix.SOCK_STREAM: "OUT_UNIX", unix.SOCK_SEQPACKET: "OUT_PACKET"} {
		fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
		if err != nil {
			return err
		}
		err = unix.Sendto(fd, []byte("hello"), 0, &unix.SockaddrUnix{Name: os.Getenv(path)})
		if !errors.Is(err, unix.ENOTCONN) && !errors.Is(err, unix.EOPNOTSUPP) {
			return err
		}
	}
	return unix.ENOTCONN
}
