package seccomp

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rule is one entry of syscalls[] in a form libseccomp takes: its action is not
// the default one, and no argument is compared twice.
type rule struct {
	field   string
	names   []string
	verdict uint32
	args    []specs.LinuxSeccompArg
}

// defaultErrno is what a call fails with when the profile gives no number.
const defaultErrno = uint16(unix.EPERM)

// defaultVerdict is the answer to calls that no rule matches. p is checked.
func defaultVerdict(p *specs.LinuxSeccomp) uint32 {
	v, _ := verdict(p.DefaultAction, errnoOr(p.DefaultErrnoRet))
	return v
}

func errnoOr(errno *uint) uint16 {
	if errno == nil {
		return defaultErrno
	}
	return uint16(*errno)
}

// plan lists the rules of a checked profile, in its order.
func plan(p *specs.LinuxSeccomp) ([]rule, []Warning) {
	var rules []rule
	var warnings []Warning
	fallback := defaultVerdict(p)
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		r := rule{field: at("syscalls", i), names: s.Names, args: s.Args}
		r.verdict, _ = verdict(s.Action, errnoOr(s.ErrnoRet))
		if r.verdict == fallback {
			// libseccomp refuses such a rule, and without it the answer is the same.
			warnings = append(warnings, Warning{Field: r.field, Text: "left out: its action is the default one", Debug: true})
			continue
		}
		if index, twice := comparedTwice(s.Args); twice {
			alternatives := split(r)
			rules = append(rules, alternatives...)
			warnings = append(warnings, Warning{Field: r.field + ".args", Text: "argument " + strconv.Itoa(int(index)) +
				" is compared more than once: the rule applies if any one of the comparisons holds"})
			continue
		}
		rules = append(rules, r)
	}
	return rules, warnings
}

// comparedTwice finds an argument with two conditions. One libseccomp rule
// cannot hold them.
func comparedTwice(args []specs.LinuxSeccompArg) (index uint, twice bool) {
	var seen [maxArgument + 1]bool
	for _, a := range args {
		if seen[a.Index] {
			return a.Index, true
		}
		seen[a.Index] = true
	}
	return 0, false
}

// split makes each condition a rule of its own. Profiles written for Docker
// before 1.12 list the allowed values of one argument that way, and runc and
// crun have read them so ever since.
func split(r rule) []rule {
	alternatives := make([]rule, 0, len(r.args))
	for i := range r.args {
		one := r
		one.args = r.args[i : i+1]
		alternatives = append(alternatives, one)
	}
	return alternatives
}

// flags is the word for seccomp(2). Flags that are absent, rather than an empty
// list, mean SPEC_ALLOW as in runc: a kernel before 5.16 slows every filtered
// process down against Speculative Store Bypass otherwise.
func flags(p *specs.LinuxSeccomp, notify bool) (uint64, []Warning) {
	if p.Flags == nil {
		return listenerFlags(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, notify), nil
	}
	var bits uint64
	var warnings []Warning
	for i, name := range p.Flags {
		bit, _ := flagBit(name)
		if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !notify {
			// The kernel refuses it with EINVAL when there is no listener to wait for.
			warnings = append(warnings, Warning{Field: at("flags", i), Text: "left out: no rule has the action SCMP_ACT_NOTIFY", Debug: true})
			continue
		}
		bits |= bit
	}
	return listenerFlags(bits, notify), warnings
}

// listenerFlags asks for the listener's fd. TSYNC has to report a thread it
// could not change as ESRCH then (Linux 5.7), since a positive result is the fd.
func listenerFlags(bits uint64, notify bool) uint64 {
	if !notify {
		return bits
	}
	if bits&unix.SECCOMP_FILTER_FLAG_TSYNC != 0 {
		bits |= unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	}
	return bits | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
}

// runs reports whether the kernel carries out a call that gets this verdict.
func runs(v uint32) bool {
	return v == unix.SECCOMP_RET_ALLOW || v == unix.SECCOMP_RET_LOG
}

// unknownName words a name that libseccomp cannot translate. It matters only
// when the call was to be stopped and is not: it then runs unfiltered.
func unknownName(r *rule, name string, fallback uint32) Warning {
	w := Warning{Field: r.field + ".names", Debug: true,
		Text: "left out \"" + name + "\": libseccomp " + Version() + " knows no such call on any architecture"}
	if runs(fallback) && !runs(r.verdict) {
		w.Debug = false
		w.Text += "; if the kernel has it, it stays allowed"
	}
	return w
}
