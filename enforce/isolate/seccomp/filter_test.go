//go:build linux && (amd64 || arm64)

package seccomp

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// call is struct seccomp_data. The interpreter loads in network order, so the
// low half of each argument is written that way, at the offset where a
// little-endian kernel has it.
func call(arch, nr uint32, args ...uint64) []byte {
	b := make([]byte, 64)
	binary.BigEndian.PutUint32(b[offsetNumber:], nr)
	binary.BigEndian.PutUint32(b[offsetArch:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(b[offsetArgs+8*i:], uint32(a))
		binary.BigEndian.PutUint32(b[offsetArgs+8*i+4:], uint32(a>>32))
	}
	return b
}

func TestProgram(t *testing.T) {
	const ok = unix.SECCOMP_RET_ALLOW
	errno := func(e unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }
	const upper = 1 << 32 // the kernel ignores the upper half of an int
	cases := []struct {
		name string
		call []byte
		want uint32
	}{
		{"read", call(arch, unix.SYS_READ), ok},
		{"execve", call(arch, unix.SYS_EXECVE), ok},
		{"another architecture", call(unix.AUDIT_ARCH_I386, unix.SYS_READ), unix.SECCOMP_RET_KILL_PROCESS},
		{"a skipped call", call(arch, 0xffffffff), ok},
		{"socket unix", call(arch, unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM), ok},
		{"socket inet", call(arch, unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM), ok},
		{"socket inet6", call(arch, unix.SYS_SOCKET, unix.AF_INET6, unix.SOCK_STREAM), ok},
		{"socket route", call(arch, unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE), ok},
		{"socket diag", call(arch, unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG), ok},
		{"socket audit", call(arch, unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT), errno(unix.EPROTONOSUPPORT)},
		{"socket nftables", call(arch, unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER), errno(unix.EPROTONOSUPPORT)},
		{"socket vsock", call(arch, unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM), errno(unix.EAFNOSUPPORT)},
		{"socket vsock, upper half", call(arch, unix.SYS_SOCKET, upper|unix.AF_VSOCK), errno(unix.EAFNOSUPPORT)},
		{"socket packet", call(arch, unix.SYS_SOCKET, unix.AF_PACKET), errno(unix.EAFNOSUPPORT)},
		{"socket alg", call(arch, unix.SYS_SOCKET, unix.AF_ALG), errno(unix.EAFNOSUPPORT)},
		{"socket bluetooth", call(arch, unix.SYS_SOCKET, unix.AF_BLUETOOTH), errno(unix.EAFNOSUPPORT)},
		{"socket of a family to come", call(arch, unix.SYS_SOCKET, 200), errno(unix.EAFNOSUPPORT)},
		{"socket unix, with flags", call(arch, unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK), ok},
		{"socket unix packets", call(arch, unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_SEQPACKET), ok},
		{"socket unix datagram", call(arch, unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC), errno(unix.ESOCKTNOSUPPORT)},
		{"socket unix raw", call(arch, unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_RAW), errno(unix.ESOCKTNOSUPPORT)},
		{"socket unix datagram, upper half", call(arch, unix.SYS_SOCKET, unix.AF_UNIX, upper|unix.SOCK_DGRAM), errno(unix.ESOCKTNOSUPPORT)},
		{"socketpair unix", call(arch, unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM), ok},
		{"socketpair unix datagram", call(arch, unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_DGRAM), unix.SECCOMP_RET_USER_NOTIF},
		{"connect", call(arch, unix.SYS_CONNECT), unix.SECCOMP_RET_USER_NOTIF},
		{"listen", call(arch, unix.SYS_LISTEN), unix.SECCOMP_RET_USER_NOTIF},
		{"socketpair tipc", call(arch, unix.SYS_SOCKETPAIR, unix.AF_TIPC), errno(unix.EAFNOSUPPORT)},
		{"ioctl TIOCSTI", call(arch, unix.SYS_IOCTL, 0, unix.TIOCSTI), errno(unix.EPERM)},
		{"ioctl TIOCSTI, upper half", call(arch, unix.SYS_IOCTL, 0, upper|unix.TIOCSTI), errno(unix.EPERM)},
		{"ioctl TIOCLINUX", call(arch, unix.SYS_IOCTL, 0, tiocLinux), errno(unix.EPERM)},
		{"ioctl TCGETS", call(arch, unix.SYS_IOCTL, 0, unix.TCGETS), ok},
		{"unshare a user namespace", call(arch, unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_NEWNS), unix.SECCOMP_RET_USER_NOTIF},
		{"unshare a mount namespace", call(arch, unix.SYS_UNSHARE, unix.CLONE_NEWNS), ok},
		{"clone a user namespace", call(arch, unix.SYS_CLONE, unix.CLONE_NEWUSER|uint64(unix.SIGCHLD)), unix.SECCOMP_RET_USER_NOTIF},
		{"clone a thread", call(arch, unix.SYS_CLONE, unix.CLONE_VM|unix.CLONE_THREAD), ok},
		{"io_uring_setup", call(arch, unix.SYS_IO_URING_SETUP), errno(unix.ENOSYS)},
		{"keyctl", call(arch, unix.SYS_KEYCTL), errno(unix.ENOSYS)},
		{"bpf", call(arch, unix.SYS_BPF), errno(unix.EPERM)},
		{"perf_event_open", call(arch, unix.SYS_PERF_EVENT_OPEN), errno(unix.EPERM)},
		{"userfaultfd", call(arch, unix.SYS_USERFAULTFD), errno(unix.EPERM)},
		{"open_by_handle_at", call(arch, unix.SYS_OPEN_BY_HANDLE_AT), errno(unix.EPERM)},
	}
	if arch == unix.AUDIT_ARCH_X86_64 {
		const x32Socket = 0x40000000 + 41
		cases = append(cases, struct {
			name string
			call []byte
			want uint32
		}{"x32 socket", call(arch, x32Socket, unix.AF_VSOCK), unix.SECCOMP_RET_KILL_PROCESS})
	}
	vm, err := bpf.NewVM(program())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := vm.Run(c.call)
			if err != nil || uint32(got) != c.want {
				t.Errorf("verdict %#x, %v; want %#x", uint32(got), err, c.want)
			}
		})
	}
}
