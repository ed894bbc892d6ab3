package spec

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Limits of single properties.
const (
	maxPermissions = 0o777
	maxWindow      = 1<<16 - 1 // unsigned short, see ioctl_tty(2)
	maxOOMScoreAdj = 1000      // proc_pid_oom_score_adj(5)
)

// process checks config.md#process. A configuration without one is valid: it
// is start that then fails.
func (c *checker) process(field string, p *specs.Process) {
	if p == nil {
		return
	}
	if p.ConsoleSize != nil && p.Terminal {
		c.consoleSize(in(field, "consoleSize"), p.ConsoleSize)
	}
	c.user(field, &p.User)
	c.args(field, p)
	if !isAbsolute(p.Cwd) {
		c.value(in(field, "cwd"), p.Cwd, "must be an absolute path")
	}
	c.rlimits(in(field, "rlimits"), p.Rlimits)
	if n := p.OOMScoreAdj; n != nil && (*n < -maxOOMScoreAdj || *n > maxOOMScoreAdj) {
		c.number(in(field, "oomScoreAdj"), int64(*n), "must be from -1000 to 1000")
	}
	c.scheduler(in(field, "scheduler"), p.Scheduler)
	c.ioPriority(in(field, "ioPriority"), p.IOPriority)
	if a := p.ExecCPUAffinity; a != nil {
		c.cpuList(in(field, "execCPUAffinity.initial"), a.Initial)
		c.cpuList(in(field, "execCPUAffinity.final"), a.Final)
	}
}

func (c *checker) consoleSize(field string, size *specs.Box) {
	if size.Height > maxWindow {
		c.unsigned(field+".height", uint64(size.Height), "must be at most 65535")
	}
	if size.Width > maxWindow {
		c.unsigned(field+".width", uint64(size.Width), "must be at most 65535")
	}
}

func (c *checker) user(field string, u *specs.User) {
	field = in(field, "user")
	c.containerID(field+".uid", "uid", u.UID)
	c.containerID(field+".gid", "gid", u.GID)
	for i, gid := range u.AdditionalGids {
		c.containerID(at(field+".additionalGids", i), "gid", gid)
	}
	if u.Umask != nil && *u.Umask > maxPermissions {
		c.unsigned(field+".umask", uint64(*u.Umask), "must be at most 511 (0777)")
	}
}

// args checks the program's arguments and its environment.
func (c *checker) args(field string, p *specs.Process) {
	switch {
	case len(p.Args) == 0:
		c.problem(in(field, "args"), "is missing: there is no program to run")
	case p.Args[0] == "":
		c.problem(in(field, "args[0]"), "is empty: there is no program to run")
	}
	c.environment(in(field, "env"), p.Env)
}

// environment checks environ(7): every entry is NAME=value.
func (c *checker) environment(field string, env []string) {
	for i, variable := range env {
		if strings.IndexByte(variable, '=') <= 0 {
			c.value(at(field, i), variable, "must be of the form NAME=value")
		}
	}
}
