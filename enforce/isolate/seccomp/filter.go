//go:build linux && (amd64 || arm64)

package seccomp

import (
	"fmt"
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
// fork or exec. All must have no_new_privs set.
func Install() error { return install(unix.SECCOMP_FILTER_FLAG_TSYNC) }

// InstallHere puts the filter on the calling thread alone.
func InstallHere() error { return install(0) }

func install(flags uintptr) error {
	raw, err := bpf.Assemble(program())
	if err != nil {
		return fmt.Errorf("assemble the system call filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// With TSYNC, the result is the number of a thread that could not follow.
	thread, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("install the system call filter: %w", errno)
	}
	if thread != 0 {
		return fmt.Errorf("install the system call filter: thread %d has another one", thread)
	}
	return nil
}

// program refuses what reaches around the network namespace or out of the jail
// and allows the rest.
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
	p = append(p, on(unix.SYS_SOCKET, socketRules())...)
	p = append(p, on(unix.SYS_SOCKETPAIR, socketRules())...)
	p = append(p, on(unix.SYS_IOCTL, ioctlRules())...)
	return append(p, allow)
}

var (
	allow = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	kill  = bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}
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
func socketRules() []bpf.Instruction {
	return []bpf.Instruction{
		arg(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: 8},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 7},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 6},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_NETLINK, SkipTrue: 1},
		fail(unix.EAFNOSUPPORT),
		arg(2),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.NETLINK_ROUTE, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.NETLINK_SOCK_DIAG, SkipTrue: 1},
		// What programs take for "no audit in this kernel" and go on.
		fail(unix.EPROTONOSUPPORT),
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
