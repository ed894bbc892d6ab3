package spec

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Warnings returns what is allowed in config but will not do what its author
// may expect. Nothing in it keeps a container from being created.
func Warnings(config *specs.Spec) Problems {
	c := newChecker(config, Host{})
	if p := config.Process; p != nil && p.Capabilities != nil {
		c.capabilities("process.capabilities", p.Capabilities)
	}
	for i := range config.Mounts {
		c.mountWarnings(i, &config.Mounts[i])
	}
	if l := config.Linux; l != nil {
		c.deviceWarnings(l.Devices)
		if s := l.Seccomp; s != nil && kills(s.DefaultAction) && len(s.Syscalls) == 0 {
			c.problem("linux.seccomp.syscalls", "is empty: the process will be killed at its first system call")
		}
		if r := l.IntelRdt; r != nil && r.L3CacheSchema != "" &&
			(!strings.HasPrefix(r.L3CacheSchema, "L3:") || strings.Contains(r.L3CacheSchema, "\n")) {
			c.value("linux.intelRdt.l3CacheSchema", r.L3CacheSchema, `should be a single line that begins with "L3:"`)
		}
	}
	for _, p := range c.problems {
		p.Code = CodeWarning
	}
	return c.problems
}

func (c *checker) mountWarnings(i int, m *specs.Mount) {
	if m.Destination != "" && !isAbsolute(m.Destination) {
		c.value(at("mounts", i)+".destination", m.Destination, `is relative, which is deprecated; it is taken from "/"`)
	}
	if len(m.UIDMappings) == 0 {
		return
	}
	for _, o := range m.Options {
		if o == "idmap" || o == "ridmap" {
			return
		}
	}
	c.problem(at("mounts", i)+".options", `should hold "idmap" or "ridmap", as there are uidMappings; "idmap" is assumed`)
}

func (c *checker) deviceWarnings(list []specs.LinuxDevice) {
	for i, d := range list {
		for j, e := range list[:i] {
			if d.Type == e.Type && d.Type != "p" && d.Major == e.Major && d.Minor == e.Minor {
				c.problem(at("linux.devices", i), "is the same device as "+at("linux.devices", j))
				break
			}
		}
	}
}

func kills(action specs.LinuxSeccompAction) bool {
	return action == specs.ActKill || action == specs.ActKillProcess || action == specs.ActKillThread
}
