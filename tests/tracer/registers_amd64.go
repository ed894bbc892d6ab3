package tracer

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Where x86_64 keeps a system call, syscall(2).

func callNumber(regs *unix.PtraceRegs) uintptr { return uintptr(regs.Orig_rax) }

func argument(regs *unix.PtraceRegs, n int) uint64 {
	return [...]uint64{regs.Rdi, regs.Rsi, regs.Rdx, regs.R10, regs.R8, regs.R9}[n]
}

// skipCall has the kernel do nothing: no call has the number -1.
func skipCall(pid int, regs *unix.PtraceRegs) error {
	regs.Orig_rax = ^uint64(0)
	return unix.PtraceSetRegs(pid, regs)
}

func setResult(pid int, regs *unix.PtraceRegs, errno syscall.Errno) error {
	regs.Rax = -uint64(errno)
	return unix.PtraceSetRegs(pid, regs)
}
