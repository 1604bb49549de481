package seccomp

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const arch = unix.AUDIT_ARCH_AARCH64

// otherABI is empty: the 32-bit calls of this machine have an architecture
// value of their own.
var otherABI []bpf.Instruction
