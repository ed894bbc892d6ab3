//go:build cgo && !seccomp_helper

package seccomp

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Enabled reports whether this build can compile profiles.
func Enabled() bool { return true }

// Version is libseccomp's, "2.5.4", or "" without it.
func Version() string {
	major, minor, micro := libseccomp.GetLibraryVersion()
	number := func(n uint) string { return strconv.FormatUint(uint64(n), 10) }
	return number(major) + "." + number(minor) + "." + number(micro)
}

// engine names what compiles, for the cache key.
func engine() string { return Version() }

// apiLevel is the highest level of libseccomp 2.5. Set by hand, it keeps the
// library from trying out what this kernel has: a cached filter depends on the
// profile alone, and every kernel since 5.7 has all of level 6.
const apiLevel = 6

// compile translates a checked profile.
func compile(p *specs.LinuxSeccomp) (*Filter, []Warning, error) {
	fallback := defaultVerdict(p)
	lib, limits, err := newLibFilter(p, fallback)
	if err != nil {
		return nil, nil, err
	}
	defer lib.Release()

	rules, warnings := plan(p)
	notify := false
	for i := range rules {
		unknown, err := addRule(lib, &rules[i])
		if err != nil {
			return nil, nil, err
		}
		for _, name := range unknown {
			warnings = append(warnings, unknownName(&rules[i], name, fallback))
		}
		if len(unknown) < len(rules[i].names) && rules[i].verdict == unix.SECCOMP_RET_USER_NOTIF {
			notify = true
		}
	}

	program, err := export(lib)
	if err != nil {
		return nil, nil, &diag.Error{Field: field, Op: "seccomp_export_bpf", Err: err}
	}
	if wantsGuard(fallback) {
		noteNames(p, limits)
		program = append(assemble(guard(limits)), program...)
	}
	// libseccomp's own optimisation (SCMP_FLTATR_CTL_OPTIMIZE=2, a tree over all
	// numbers) stays off: it takes 10 ms more and compact's result is the same.
	program = compact(program)
	if n := len(program) / instructionSize; n > unix.BPF_MAXINSNS {
		return nil, nil, &diag.Error{Field: field,
			Err:  errors.New("the filter has " + strconv.Itoa(n) + " instructions"),
			Hint: "the kernel takes at most " + strconv.Itoa(unix.BPF_MAXINSNS)}
	}
	bits, more := flags(p, notify)
	return &Filter{Program: program, Flags: bits, Notify: notify}, append(warnings, more...), nil
}

// newLibFilter makes an empty filter for the profile's architectures and ours,
// and the limit of each.
func newLibFilter(p *specs.LinuxSeccomp, fallback uint32) (_ *libseccomp.ScmpFilter, _ []limit, err error) {
	if err := libseccomp.SetAPI(apiLevel); err != nil {
		return nil, nil, &diag.Error{Field: field, Op: "libseccomp " + Version(), Err: err, Hint: "2.5 or newer is needed"}
	}
	lib, err := libseccomp.NewFilter(libAction(fallback))
	if err != nil {
		return nil, nil, &diag.Error{Field: field + ".defaultAction", Op: "seccomp_init", Err: err}
	}
	defer func() {
		if err != nil {
			lib.Release()
		}
	}()
	limits := addLimit(nil, nativeArch()) // libseccomp begins with it too
	for i, name := range p.Architectures {
		arch, err := libArch(name)
		if err == nil {
			err = lib.AddArch(arch)
		}
		if errors.Is(err, unix.EDOM) {
			err = errors.New("has another byte order than this machine")
		}
		if err != nil {
			return nil, nil, &diag.Error{Field: at("architectures", i), Path: string(name), Err: err}
		}
		limits = addLimit(limits, name)
	}
	return lib, limits, nil
}

func addLimit(limits []limit, name specs.Arch) []limit {
	a, ok := abiOf(name)
	if !ok || find(limits, a.audit, a.base) != nil {
		return limits
	}
	return append(limits, newLimit(name, a))
}

// addRule adds a rule for each name, and returns the names libseccomp lacks.
func addRule(lib *libseccomp.ScmpFilter, r *rule) (unknown []string, err error) {
	conditions := libConditions(r.args)
	for _, name := range r.names {
		call, err := libseccomp.GetSyscallFromName(name)
		if err != nil {
			unknown = append(unknown, name)
			continue
		}
		if err := lib.AddRuleConditional(call, libAction(r.verdict), conditions); err != nil {
			return nil, &diag.Error{Field: r.field, Op: "seccomp_rule_add", Path: name, Err: err}
		}
	}
	return unknown, nil
}

// noteNames raises the limits to the newest call the profile names, also in
// entries that plan leaves out.
func noteNames(p *specs.LinuxSeccomp, limits []limit) {
	for i := range limits {
		arch, err := libArch(limits[i].name)
		if err != nil {
			continue // newLibFilter has refused the profile
		}
		for j := range p.Syscalls {
			for _, name := range p.Syscalls[j].Names {
				if number, err := libseccomp.GetSyscallFromNameByArch(name, arch); err == nil {
					limits[i].note(int32(number))
				}
			}
		}
	}
}

// libArch: the binding knows the specification's names without their prefix.
func libArch(name specs.Arch) (libseccomp.ScmpArch, error) {
	return libseccomp.GetArchFromString(strings.TrimPrefix(string(name), "SCMP_ARCH_"))
}

func libAction(v uint32) libseccomp.ScmpAction {
	data := int16(v & unix.SECCOMP_RET_DATA)
	switch v & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_KILL_PROCESS:
		return libseccomp.ActKillProcess
	case unix.SECCOMP_RET_KILL_THREAD:
		return libseccomp.ActKillThread
	case unix.SECCOMP_RET_TRAP:
		return libseccomp.ActTrap
	case unix.SECCOMP_RET_ERRNO:
		return libseccomp.ActErrno.SetReturnCode(data)
	case unix.SECCOMP_RET_TRACE:
		return libseccomp.ActTrace.SetReturnCode(data)
	case unix.SECCOMP_RET_LOG:
		return libseccomp.ActLog
	case unix.SECCOMP_RET_ALLOW:
		return libseccomp.ActAllow
	case unix.SECCOMP_RET_USER_NOTIF:
		return libseccomp.ActNotify
	}
	return libseccomp.ActInvalid
}

func libOperator(word specs.LinuxSeccompOperator) libseccomp.ScmpCompareOp {
	switch word {
	case specs.OpNotEqual:
		return libseccomp.CompareNotEqual
	case specs.OpLessThan:
		return libseccomp.CompareLess
	case specs.OpLessEqual:
		return libseccomp.CompareLessOrEqual
	case specs.OpEqualTo:
		return libseccomp.CompareEqual
	case specs.OpGreaterEqual:
		return libseccomp.CompareGreaterEqual
	case specs.OpGreaterThan:
		return libseccomp.CompareGreater
	case specs.OpMaskedEqual: // value is the mask, valueTwo what to compare with under it
		return libseccomp.CompareMaskedEqual
	}
	return libseccomp.CompareInvalid
}

func libConditions(args []specs.LinuxSeccompArg) []libseccomp.ScmpCondition {
	conditions := make([]libseccomp.ScmpCondition, len(args))
	for i, a := range args {
		conditions[i] = libseccomp.ScmpCondition{Argument: a.Index, Op: libOperator(a.Op), Operand1: a.Value, Operand2: a.ValueTwo}
	}
	return conditions
}

// export reads the program back from a memfd: libseccomp before 2.6 writes to a
// file only, and a pipe may have room for less than the 32 KiB of a filter.
func export(lib *libseccomp.ScmpFilter) ([]byte, error) {
	fd, err := unix.MemfdCreate("seccomp-bpf", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "seccomp-bpf")
	defer file.Close()
	if err := lib.ExportBPF(file); err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(file, 0, maxEntrySize))
}
