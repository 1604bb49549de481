//go:build linux && (amd64 || arm64)

package seccomp

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (seccomp(2)). Arguments are 64 bits wide; what
// is compared here is an int or an unsigned int to the kernel, which ignores
// the upper half too. The low half comes first on the little-endian machines
// that this builds for.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// Install puts the filter on every thread of the process and on what they will
// fork or exec. The calling thread must have no_new_privs set, which the others
// get with the filter. The file is where the calls
// arrive that are not decided here (seccomp_unotify(2)); when its last copy is
// closed, they fail with ENOSYS.
func Install() (*os.File, error) {
	// Without TSYNC_ESRCH, the result could be a file or a thread.
	return install(unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
}

// InstallHere puts the filter on the calling thread alone.
func InstallHere() (*os.File, error) { return install(0) }

// install does not ask for WAIT_KILLABLE_RECV: a connection that takes long can
// be interrupted by a signal, as alarm(2) is used for, only without.
func install(flags uintptr) (*os.File, error) {
	raw, err := bpf.Assemble(program())
	if err != nil {
		return nil, fmt.Errorf("assemble the system call filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		flags|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return nil, fmt.Errorf("install the system call filter: %w", errno)
	}
	return os.NewFile(fd, "seccomp"), nil
}

// program refuses what reaches around the network namespace or out of the jail,
// leaves to the supervisor what only it can see, and allows the rest.
func program() []bpf.Instruction {
	p := []bpf.Instruction{
		load(offsetArch),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1},
		kill,
		load(offsetNumber),
	}
	p = append(p, otherABI...)
	for _, nr := range unknown {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: nr, SkipFalse: 1}, fail(unix.ENOSYS))
	}
	for _, nr := range forbidden {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: nr, SkipFalse: 1}, fail(unix.EPERM))
	}
	for _, nr := range supervised {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: nr, SkipFalse: 1}, ask)
	}
	// What the kernel itself says of a type that it does not have: programs go on
	// with a stream, or without their log.
	p = append(p, on(unix.SYS_SOCKET, socketRules(fail(unix.ESOCKTNOSUPPORT)))...)
	p = append(p, on(unix.SYS_SOCKETPAIR, socketRules(ask))...)
	p = append(p, on(unix.SYS_IOCTL, ioctlRules())...)
	p = append(p, on(unix.SYS_UNSHARE, namespaceRules())...)
	p = append(p, on(unix.SYS_CLONE, namespaceRules())...)
	return append(p, allow)
}

var (
	allow = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	kill  = bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}
	ask   = bpf.RetConstant{Val: unix.SECCOMP_RET_USER_NOTIF}
)

func fail(e unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(e)}
}

func load(offset uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offset, Size: 4} }

func arg(i uint32) bpf.Instruction { return load(offsetArgs + 8*i) }

// on runs rules, which must end in a verdict, for one call.
func on(nr uint32, rules []bpf.Instruction) []bpf.Instruction {
	jump := bpf.JumpIf{Cond: bpf.JumpEqual, Val: nr, SkipFalse: uint8(len(rules))}
	return append([]bpf.Instruction{jump}, rules...)
}

// unknown are calls that programs do without where the kernel lacks them.
var unknown = []uint32{
	// io_uring does socket calls that no filter sees.
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	// Keyrings belong to the user, not to a namespace.
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
}

// supervised are calls that depend on an address, which a filter cannot read:
// the path of a unix socket leads out of a network namespace (unix(7)). listen
// tells the supervisor which sockets are the jail's own.
var supervised = []uint32{unix.SYS_CONNECT, unix.SYS_LISTEN}

// forbidden are calls that need no namespaced capability everywhere, or reach
// what the whole machine shares.
var forbidden = []uint32{
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
}

// socketRules allow the address families that a network namespace confines.
// AF_VSOCK reaches the hypervisor, AF_ALG and the rest only widen what can be
// attacked; an unlisted family is one that nobody has looked at.
//
// A unix datagram socket can name another receiver with every message, and
// sendmsg(2) names it in memory, so datagram is the verdict on those. A stream
// refuses a name, and SOCK_SEQPACKET ignores it (net/unix/af_unix.c). SOCK_RAW
// is another word for SOCK_DGRAM there.
func socketRules(datagram bpf.Instruction) []bpf.Instruction {
	const typeMask = 0xf // SOCK_TYPE_MASK of linux/net.h: the rest are flags
	return []bpf.Instruction{
		arg(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: 8},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 12},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 11},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_NETLINK, SkipTrue: 1},
		fail(unix.EAFNOSUPPORT),
		arg(2),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.NETLINK_ROUTE, SkipTrue: 7},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.NETLINK_SOCK_DIAG, SkipTrue: 6},
		// What programs take for "no audit in this kernel" and go on.
		fail(unix.EPROTONOSUPPORT),
		arg(1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: typeMask},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_STREAM, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_SEQPACKET, SkipTrue: 1},
		datagram,
		allow,
	}
}

// namespaceRules let the supervisor hear of user namespaces, to tell the user what
// to do. They protect nothing: clone3(2) has its flags in memory, and the kernel
// has a limit for the jail.
func namespaceRules() []bpf.Instruction {
	return []bpf.Instruction{
		arg(0),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.CLONE_NEWUSER, SkipFalse: 1},
		ask,
		allow,
	}
}

// ioctlRules refuse to type into the caller's terminal: TIOCSTI pushes bytes
// into its input, and TIOCLINUX pastes the selection on a console
// (ioctl_tty(2)).
func ioctlRules() []bpf.Instruction {
	return []bpf.Instruction{
		arg(1),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCSTI, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: tiocLinux, SkipTrue: 1},
		fail(unix.EPERM),
		allow,
	}
}

// tiocLinux is TIOCLINUX of asm-generic/ioctls.h.
const tiocLinux = 0x541c
