package seccomp

import (
	"errors"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// field is where a profile lies in config.json.
const field = "linux.seccomp"

const (
	// maxErrno is the highest that libseccomp takes. The kernel's MAX_ERRNO is
	// one more, and it silently lowers anything above to that.
	maxErrno = 4094
	// maxTraceData is all that SECCOMP_RET_DATA has room for.
	maxTraceData = unix.SECCOMP_RET_DATA
	// maxArgument is the index of the last system call argument.
	maxArgument = 5
)

// Check reports the first value of profile that the specification does not
// have, the kernel cannot carry out, or that would leave the container stuck.
// It is pure, and needs no libseccomp.
func Check(p *specs.LinuxSeccomp) error {
	if e := check(p); e != nil {
		e.Field = field + e.Field
		return e
	}
	return nil
}

// check and all below it name fields relative to what they are given, so that
// nothing is put together for the hundreds of names that are right.
func check(p *specs.LinuxSeccomp) *diag.Error {
	if e := checkDefault(p); e != nil {
		return e
	}
	for i, name := range p.Architectures {
		if _, ok := abiOf(name); !ok {
			return unknown(index(".architectures", i), "architecture", string(name))
		}
	}
	for i, name := range p.Flags {
		if _, ok := flagBit(name); !ok {
			return unknown(index(".flags", i), "flag", string(name))
		}
	}
	notify := false
	for i := range p.Syscalls {
		if e := checkSyscall(&p.Syscalls[i]); e != nil {
			e.Field = index(".syscalls", i) + e.Field
			return e
		}
		notify = notify || p.Syscalls[i].Action == specs.ActNotify
	}
	return checkListener(p, notify)
}

func checkDefault(p *specs.LinuxSeccomp) *diag.Error {
	if p.DefaultAction == specs.ActNotify {
		// Whatever the process calls first waits for the listener, and only
		// its own next call could hand the listener over.
		return &diag.Error{Field: ".defaultAction", Path: string(specs.ActNotify),
			Err: errors.New("every call would wait for a listener that is not there yet")}
	}
	if !isAction(p.DefaultAction) {
		return unknown(".defaultAction", "action", string(p.DefaultAction))
	}
	return checkErrno(".defaultErrnoRet", p.DefaultAction, p.DefaultErrnoRet)
}

// checkErrno holds config-linux.md to its word: "If the action doesn't support
// returning an errno, an error MUST be generated".
func checkErrno(where string, action specs.LinuxSeccompAction, errno *uint) *diag.Error {
	if errno == nil {
		return nil
	}
	max := uint(0)
	switch action {
	case specs.ActErrno:
		max = maxErrno
	case specs.ActTrace:
		max = maxTraceData
	default:
		return &diag.Error{Field: where, Err: errors.New(string(action) + " returns no errno"),
			Hint: "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do"}
	}
	if *errno > max {
		return &diag.Error{Field: where, Path: strconv.FormatUint(uint64(*errno), 10),
			Err:  errors.New("is more than " + string(action) + " can return"),
			Hint: "at most " + strconv.FormatUint(uint64(max), 10)}
	}
	return nil
}

func checkSyscall(s *specs.LinuxSyscall) *diag.Error {
	if len(s.Names) == 0 {
		return &diag.Error{Field: ".names", Err: errors.New("is empty")}
	}
	if !isAction(s.Action) {
		return unknown(".action", "action", string(s.Action))
	}
	if e := checkErrno(".errnoRet", s.Action, s.ErrnoRet); e != nil {
		return e
	}
	for i, name := range s.Names {
		if e := checkName(name, s.Action); e != nil {
			e.Field = index(".names", i)
			return e
		}
	}
	for i := range s.Args {
		if e := checkArg(&s.Args[i]); e != nil {
			e.Field = index(".args", i) + e.Field
			return e
		}
	}
	return nil
}

func checkName(name string, action specs.LinuxSeccompAction) *diag.Error {
	if name == "" {
		return &diag.Error{Err: errors.New("is empty")}
	}
	if strings.IndexByte(name, 0) >= 0 {
		// libseccomp would read only what stands before it: another call.
		return &diag.Error{Path: name, Err: errors.New("holds a null byte")}
	}
	if action == specs.ActNotify && neededForHandover(name) {
		return &diag.Error{Path: name,
			Err: errors.New("cannot be SCMP_ACT_NOTIFY: the call hands the listener over, and would wait for it")}
	}
	return nil
}

// neededForHandover are the calls with which the process that has just loaded
// the filter sends the listener's fd out, or says that it could not. They run
// under the filter, when nobody listens yet.
func neededForHandover(name string) bool {
	return name == "write" || name == "sendmsg"
}

func checkArg(a *specs.LinuxSeccompArg) *diag.Error {
	if a.Index > maxArgument {
		return &diag.Error{Field: ".index", Path: strconv.FormatUint(uint64(a.Index), 10),
			Err: errors.New("a system call has six arguments, 0 to 5")}
	}
	if !isOperator(a.Op) {
		return unknown(".op", "operator", string(a.Op))
	}
	return nil
}

func checkListener(p *specs.LinuxSeccomp, notify bool) *diag.Error {
	if p.ListenerPath != "" {
		return nil
	}
	if notify {
		// Without a listener the kernel answers such calls with ENOSYS, which
		// is not what "notify" was written for.
		return &diag.Error{Field: ".listenerPath", Err: errors.New("is missing"),
			Hint: "a rule has the action SCMP_ACT_NOTIFY"}
	}
	if p.ListenerMetadata != "" {
		return &diag.Error{Field: ".listenerMetadata", Err: errors.New("is set without listenerPath")}
	}
	return nil
}

// at is the full name of an element of one of the profile's lists.
func at(list string, i int) string { return field + "." + index(list, i) }

func index(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

func unknown(where, kind, value string) *diag.Error {
	if value == "" {
		return &diag.Error{Field: where, Err: errors.New("is missing")}
	}
	return &diag.Error{Field: where, Op: kind, Path: value, Err: errors.New("is not one the specification has")}
}
