package seccomp

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const arch = unix.AUDIT_ARCH_X86_64

// x32Bit marks the calls of the x32 ABI, which has the same architecture value
// and other numbers.
const x32Bit = 0x40000000

// otherABI kills a caller of the x32 ABI. The number −1 has the bit as well: a
// tracer writes it to have a call skipped.
var otherABI = []bpf.Instruction{
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0xffffffff, SkipTrue: 2},
	bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: x32Bit, SkipTrue: 1},
	kill,
}
