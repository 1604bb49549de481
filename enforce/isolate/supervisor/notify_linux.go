package supervisor

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is struct seccomp_notif of linux/seccomp.h: a system call that a thread
// waits in. The PID is the thread's, as this program sees it.
type call struct {
	id   uint64
	pid  uint32
	_    uint32
	nr   int32
	_    uint32 // the architecture, which the filter has judged
	_    uint64
	args [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// addition is struct seccomp_notif_addfd.
type addition struct {
	id       uint64
	_        uint32
	source   uint32
	_        uint32
	newFlags uint32
}

// listener is where the calls arrive.
type listener struct {
	f  *os.File
	fd int
}

func newListener(f *os.File) listener {
	l := listener{f: f, fd: int(f.Fd())}
	// Since Linux 6.6: caller and supervisor take turns, so they need not be woken
	// on different processors. Without, it is slower.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	return l
}

func (l listener) ioctl(request uint, arg unsafe.Pointer) (int, unix.Errno) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), uintptr(request), uintptr(arg))
	return int(n), errno
}

// errGone means that the thread waits no more: it has been killed or
// interrupted.
var errGone = errors.New("the caller has gone")

// receive takes the next call. It blocks where there is none, for good where
// nobody is left to make one; see wait.
func (l listener) receive(c *call) error {
	*c = call{} // the kernel insists
	_, errno := l.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(c))
	switch errno {
	case 0:
		return nil
	case unix.ENOENT, unix.EINTR:
		return errGone
	default:
		return fmt.Errorf("receive a call: %w", errno)
	}
}

// valid reports whether the thread still waits in this very call. What was read
// by its PID before is then its own: a PID is not given to another meanwhile.
func (l listener) valid(id uint64) bool {
	_, errno := l.ioctl(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id))
	return errno == 0
}

// fail ends the call: with success where errno is 0. It reports whether the
// thread was told.
func (l listener) fail(id uint64, errno unix.Errno) bool {
	_, e := l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer{id: id, errno: -int32(errno)}))
	return e == 0
}

// proceed lets the kernel execute the call, with whatever its arguments are by
// then: for calls that are not judged.
func (l listener) proceed(id uint64) {
	l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer{id: id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}))
}

// give opens a file of this program in the thread's process, and returns its
// number there.
func (l listener) give(id uint64, fd int, closeOnExec bool) (int, unix.Errno) {
	a := addition{id: id, source: uint32(fd)}
	if closeOnExec {
		a.newFlags = unix.O_CLOEXEC
	}
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a))
}
