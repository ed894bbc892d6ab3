package seccomp

import (
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// flagTsync has no constant in specs-go, but config-linux.md lists it.
const flagTsync specs.LinuxSeccompFlag = "SECCOMP_FILTER_FLAG_TSYNC"

// Actions lists the actions a profile may name.
func Actions() []string {
	return []string{
		string(specs.ActAllow), string(specs.ActErrno), string(specs.ActKill),
		string(specs.ActKillProcess), string(specs.ActKillThread), string(specs.ActLog),
		string(specs.ActNotify), string(specs.ActTrace), string(specs.ActTrap),
	}
}

// Operators lists the comparisons a profile may make.
func Operators() []string {
	return []string{
		string(specs.OpEqualTo), string(specs.OpGreaterEqual), string(specs.OpGreaterThan),
		string(specs.OpLessEqual), string(specs.OpLessThan), string(specs.OpMaskedEqual),
		string(specs.OpNotEqual),
	}
}

// KnownFlags lists the flags a profile may set, on whatever kernel.
func KnownFlags() []string {
	return []string{
		string(specs.LinuxSeccompFlagLog), string(specs.LinuxSeccompFlagSpecAllow),
		string(flagTsync), string(specs.LinuxSeccompFlagWaitKillableRecv),
	}
}

// isAction reports whether the specification has the action.
func isAction(word specs.LinuxSeccompAction) bool {
	_, ok := verdict(word, 0)
	return ok
}

// verdict is the value a filter returns for an action, see seccomp(2). data is
// the errno, or the number the tracer gets; other actions have none.
func verdict(word specs.LinuxSeccompAction, data uint16) (uint32, bool) {
	switch word {
	case specs.ActKill, specs.ActKillThread: // KILL is the older name
		return unix.SECCOMP_RET_KILL_THREAD, true
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, true
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, true
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | uint32(data), true
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | uint32(data), true
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, true
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, true
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF, true
	}
	return 0, false
}

// isOperator reports whether the specification has the comparison.
func isOperator(word specs.LinuxSeccompOperator) bool {
	switch word {
	case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo,
		specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual:
		return true
	}
	return false
}

// flagBit is the bit seccomp(2) knows the flag by.
func flagBit(word specs.LinuxSeccompFlag) (uint64, bool) {
	switch word {
	case flagTsync:
		return unix.SECCOMP_FILTER_FLAG_TSYNC, true
	case specs.LinuxSeccompFlagLog:
		return unix.SECCOMP_FILTER_FLAG_LOG, true
	case specs.LinuxSeccompFlagSpecAllow:
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, true
	case specs.LinuxSeccompFlagWaitKillableRecv: // Linux 5.19
		return unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, true
	}
	return 0, false
}

// nativeArch is the architecture of this binary, which every filter covers
// whether the profile lists it or not: the container's process starts in it.
func nativeArch() specs.Arch {
	switch runtime.GOARCH {
	case "amd64":
		return specs.ArchX86_64
	case "arm64":
		return specs.ArchAARCH64
	case "386":
		return specs.ArchX86
	case "arm":
		return specs.ArchARM
	case "ppc64":
		return specs.ArchPPC64
	case "ppc64le":
		return specs.ArchPPC64LE
	case "s390x":
		return specs.ArchS390X
	case "riscv64":
		return specs.ArchRISCV64
	case "loong64":
		return specs.ArchLOONGARCH64
	case "mips":
		return specs.ArchMIPS
	case "mipsle":
		return specs.ArchMIPSEL
	case "mips64":
		return specs.ArchMIPS64
	case "mips64le":
		return specs.ArchMIPSEL64
	}
	return ""
}
