package spec

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const (
	seccompActions = "SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP SCMP_ACT_ERRNO SCMP_ACT_TRACE " +
		"SCMP_ACT_ALLOW SCMP_ACT_LOG SCMP_ACT_NOTIFY"
	seccompArchitectures = "SCMP_ARCH_X86 SCMP_ARCH_X86_64 SCMP_ARCH_X32 SCMP_ARCH_ARM SCMP_ARCH_AARCH64 SCMP_ARCH_LOONGARCH64 " +
		"SCMP_ARCH_M68K SCMP_ARCH_MIPS SCMP_ARCH_MIPS64 SCMP_ARCH_MIPS64N32 SCMP_ARCH_MIPSEL SCMP_ARCH_MIPSEL64 " +
		"SCMP_ARCH_MIPSEL64N32 SCMP_ARCH_PPC SCMP_ARCH_PPC64 SCMP_ARCH_PPC64LE SCMP_ARCH_S390 SCMP_ARCH_S390X SCMP_ARCH_SH " +
		"SCMP_ARCH_SHEB SCMP_ARCH_PARISC SCMP_ARCH_PARISC64 SCMP_ARCH_RISCV64"
	seccompFlags = "SECCOMP_FILTER_FLAG_TSYNC SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW " +
		"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
	seccompOperators = "SCMP_CMP_NE SCMP_CMP_LT SCMP_CMP_LE SCMP_CMP_EQ SCMP_CMP_GE SCMP_CMP_GT SCMP_CMP_MASKED_EQ"

	maxSyscallArg = 5
	// The most that libseccomp takes as an errno, one less than MAX_ERRNO, and
	// that SECCOMP_RET_DATA has room for; see seccomp(2).
	maxErrno     = 4094
	maxTraceData = 1<<16 - 1
)

// seccomp checks config-linux.md#seccomp. Names of system calls are not
// checked: portable profiles list those of every architecture and kernel.
func (c *checker) seccomp(s *specs.LinuxSeccomp) {
	const field = "linux.seccomp"
	if s == nil {
		return
	}
	if !oneOf(s.DefaultAction, seccompActions) {
		c.unknown(field+".defaultAction", "action", string(s.DefaultAction), seccompActions)
	}
	if s.DefaultAction == specs.ActNotify {
		c.value(field+".defaultAction", string(s.DefaultAction), "would stop the process before its listener can be handed over")
	}
	if s.DefaultErrnoRet != nil {
		c.errnoRet(field+".defaultErrnoRet", s.DefaultAction, *s.DefaultErrnoRet)
	}
	for i, arch := range s.Architectures {
		if !oneOf(arch, seccompArchitectures) {
			c.unknown(at(field+".architectures", i), "architecture", string(arch), seccompArchitectures)
		}
	}
	for i, flag := range s.Flags {
		if !oneOf(flag, seccompFlags) {
			c.unknown(at(field+".flags", i), "filter flag", string(flag), seccompFlags)
		}
	}
	notify := false
	for i := range s.Syscalls {
		c.syscallRule(i, &s.Syscalls[i])
		notify = notify || s.Syscalls[i].Action == specs.ActNotify
	}
	if s.ListenerPath == "" {
		if s.ListenerMetadata != "" {
			c.problem(field+".listenerMetadata", "must not be set without listenerPath")
		}
		if notify {
			c.problem(field+".listenerPath", "is missing: SCMP_ACT_NOTIFY needs an agent to notify")
		}
	}
}

func (c *checker) syscallRule(i int, rule *specs.LinuxSyscall) {
	const field = "linux.seccomp.syscalls"
	if !oneOf(rule.Action, seccompActions) {
		c.unknown(at(field, i)+".action", "action", string(rule.Action), seccompActions)
	}
	if rule.ErrnoRet != nil {
		c.errnoRet(at(field, i)+".errnoRet", rule.Action, *rule.ErrnoRet)
	}
	if len(rule.Names) == 0 {
		c.problem(at(field, i)+".names", "is missing")
	}
	for j, name := range rule.Names {
		switch {
		case name == "":
			c.problem(at(at(field, i)+".names", j), "is empty")
		case rule.Action == specs.ActNotify && (name == "write" || name == "sendmsg"):
			c.value(at(at(field, i)+".names", j), name, "cannot have SCMP_ACT_NOTIFY: it is needed to hand over the listener")
		}
	}
	for j := range rule.Args {
		arg := &rule.Args[j]
		if arg.Index > maxSyscallArg {
			c.unsigned(at(at(field, i)+".args", j)+".index", uint64(arg.Index), "must be at most 5")
		}
		if !oneOf(arg.Op, seccompOperators) {
			c.unknown(at(at(field, i)+".args", j)+".op", "operator", string(arg.Op), seccompOperators)
		}
	}
}

// errnoRet checks "When the action doesn't support an errno, the runtime MUST
// print an error and fail".
func (c *checker) errnoRet(field string, action specs.LinuxSeccompAction, value uint) {
	most := uint(0)
	switch action {
	case specs.ActErrno:
		most = maxErrno
	case specs.ActTrace:
		most = maxTraceData
	default:
		if oneOf(action, seccompActions) {
			c.problem(field, "must not be set: "+string(action)+" returns no errno")
		}
		return
	}
	if value > most {
		c.unsigned(field, uint64(value), "must be at most "+strconv.FormatUint(uint64(most), 10))
	}
}
