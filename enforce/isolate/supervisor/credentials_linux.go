package supervisor

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// credentials are what decides which files a thread may reach, and what the
// other side of a connection learns of it (unix(7), SO_PEERCRED).
type credentials struct {
	uid, gid  uint32
	groups    []uint32
	effective uint64
}

// credentialsOf reads them. They are nil where they are root's, who may follow
// any path: this program has the same.
func credentialsOf(thread int) (*credentials, error) {
	fields := status(thread)
	uids, gids := strings.Fields(fields["Uid"]), strings.Fields(fields["Gid"])
	if len(uids) != 4 || len(gids) != 4 {
		return nil, unix.ESRCH
	}
	// Real, effective, saved, file system (proc_pid_status(5)).
	uid, err1 := strconv.ParseUint(uids[1], 10, 32)
	gid, err2 := strconv.ParseUint(gids[1], 10, 32)
	effective, err3 := strconv.ParseUint(fields["CapEff"], 16, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if uid == 0 && gid == 0 && effective&(1<<unix.CAP_DAC_OVERRIDE) != 0 {
		return nil, nil
	}
	c := &credentials{uid: uint32(uid), gid: uint32(gid), effective: effective}
	for _, field := range strings.Fields(fields["Groups"]) {
		group, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, err
		}
		c.groups = append(c.groups, uint32(group))
	}
	return c, nil
}

// do runs f on a thread that has the credentials. They are per thread to the
// kernel (credentials(7)), so the calls of the standard library, which change
// them all, are of no use here. A thread that cannot be changed back is the end
// of the program.
func (c *credentials) do(f func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var head unix.CapUserHeader
	var own [2]unix.CapUserData
	head.Version = unix.LINUX_CAPABILITY_VERSION_3
	if err := unix.Capget(&head, &own[0]); err != nil {
		return err
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return err
	}
	mine := make([]uint32, len(groups))
	for i, g := range groups {
		mine[i] = uint32(g)
	}
	uid, gid := uint32(unix.Geteuid()), uint32(unix.Getegid())
	err = c.become(&head, own)
	if err == nil {
		f()
	}
	back := &credentials{uid: uid, gid: gid, groups: mine, effective: ^uint64(0)}
	if e := setThread(unix.SYS_SETRESUID, uid); e != nil {
		panic(fmt.Sprintf("become user %d again: %v", uid, e))
	}
	if e := unix.Capset(&head, &own[0]); e != nil {
		panic(fmt.Sprintf("take capabilities back: %v", e))
	}
	if e := back.become(&head, own); e != nil {
		panic(fmt.Sprintf("become user %d again: %v", uid, e))
	}
	return err
}

// become gives the thread the credentials, of own no more capabilities than
// they have.
func (c *credentials) become(head *unix.CapUserHeader, own [2]unix.CapUserData) error {
	var first unsafe.Pointer
	if len(c.groups) > 0 {
		first = unsafe.Pointer(&c.groups[0])
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(c.groups)), uintptr(first), 0); errno != 0 {
		return errno
	}
	if err := setThread(unix.SYS_SETRESGID, c.gid); err != nil {
		return err
	}
	// From root to another user the kernel takes the effective capabilities.
	if err := setThread(unix.SYS_SETRESUID, c.uid); err != nil {
		return err
	}
	for i := range own {
		own[i].Effective &= uint32(c.effective >> (32 * i))
	}
	return unix.Capset(head, &own[0])
}

// setThread sets the effective ID, which that for files follows.
func setThread(call uintptr, id uint32) error {
	const unchanged = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(call, unchanged, uintptr(id), unchanged); errno != 0 {
		return errno
	}
	return nil
}
