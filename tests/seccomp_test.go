package tests

import (
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// TestSeccompForbidsTheStart: the filter is in force for the last calls before
// the program, and may answer them with anything. That is an end, never a wait:
// errnos of more than eight bits included, which no kernel returns by itself.
func TestSeccompForbidsTheStart(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	requireSeccomp(t, env)
	running := env.Running(env.Bundle(harness.Forever))
	answers := map[string]specs.LinuxSyscall{
		"kill process": {Action: specs.ActKillProcess}, "kill thread": {Action: specs.ActKillThread},
		"trap": {Action: specs.ActTrap}, "trace": {Action: specs.ActTrace},
	}
	for name, errno := range map[string]uint{"errno 1": 1, "errno 512": 512, "errno 4094": 4094} {
		answers[name] = specs.LinuxSyscall{Action: specs.ActErrno, ErrnoRet: &errno}
	}
	for name, answer := range answers {
		for which, names := range map[string][]string{
			"the start": {"execve"}, "all there is": {"execve", "write", "read", "sendmsg", "exit_group", "exit"},
		} {
			profile := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
			answer.Names = names
			profile.Syscalls = []specs.LinuxSyscall{answer}
			bundle := env.Bundle(harness.Args("echo", "started"), func(c *specs.Spec) { c.Linux.Seccomp = profile })
			began := time.Now()
			if r := env.Run(bundle); r.Code == 0 || r.Stdout != "" {
				t.Errorf("run, %s for %s: %s", name, which, r)
			}
			c := env.Create(bundle)
			c.Call("start") // may not know
			c.Wait()
			c.WantStatus("stopped")
			c.Delete()
			if took := time.Since(began); took > harness.Timeout()/2 {
				t.Errorf("%s for %s took %s", name, which, took)
			}
		}
	}
	running.WantStatus("running")
}

// TestSeccompDefaultForbids: nothing is allowed but by name, and no name is that
// of a call of ours, or of Go.
func TestSeccompDefaultForbids(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	requireSeccomp(t, env)
	for _, action := range []specs.LinuxSeccompAction{specs.ActErrno, specs.ActKillProcess, specs.ActTrap} {
		needed := []string{"execve", "brk", "arch_prctl", "write", "exit_group", "prctl", "mprotect", "readlink", "uname",
			"getuid", "getgid", "geteuid", "getegid", "setuid", "setgid", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom", "readlinkat", "fstat", "newfstatat", "ioctl", "mmap", "munmap"}
		bundle := env.Bundle(harness.Args("/bin/busybox", "echo", "started"), func(c *specs.Spec) {
			c.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: action, Syscalls: []specs.LinuxSyscall{{Names: needed, Action: specs.ActAllow}}}
		})
		want(t, string(action), env.Run(bundle).WantCode(t, 0).Stdout, "started\n")
		c := env.Create(bundle).Start()
		c.Wait()
		want(t, string(action), c.Stdout(), "started\n")
	}
}
