package process

import (
	"math/bits"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// capabilityNames are those of capabilities(7), by number.
var capabilityNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
	"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// CapabilityNames lists the capabilities the runtime knows, for `features`.
func CapabilityNames() []string { return capabilityNames[:] }

// capabilities are the five sets of a thread, as bit masks.
type capabilities struct {
	bounding, effective, permitted, inheritable, ambient uint64

	// stage is what the stage has while it is still privileged, and last the
	// highest capability of the kernel: what is beyond our names must go too.
	stage uint64
	last  int
}

// capabilitiesFor computes the sets of the process. A capability that does not
// exist, or that the runtime itself does not have, is left out with a warning
// (config.md#linux-process); none is ever added. No `capabilities` at all means
// none of them, as in runc.
func (x *Process) capabilitiesFor(h *Host) (c capabilities, warnings []string) {
	c.last = h.Last
	all := uint64(1)<<(h.Last+1) - 1
	switch {
	case x.in.Userns:
		c.stage = all // within its namespace, user_namespaces(7)
	case h.Root:
		c.stage = h.Bounding
	}
	config := x.in.Process.Capabilities
	if config == nil {
		return c, nil
	}
	missing := missingNames{}
	c.bounding = missing.grant(config.Bounding, c.stage)
	c.permitted = missing.grant(config.Permitted, c.stage)
	c.inheritable = missing.grant(config.Inheritable, c.stage)
	c.effective = missing.grant(config.Effective, c.stage)
	c.ambient = missing.grant(config.Ambient, c.stage)
	if len(missing) > 0 {
		warnings = append(warnings, "ignoring unknown or unavailable capabilities: ["+strings.Join(missing, " ")+"]")
	}
	// What the kernel does not allow one set to have without the others.
	if bad := c.effective &^ c.permitted; bad != 0 {
		c.effective &= c.permitted
		warnings = append(warnings, "process.capabilities.effective: ignoring "+maskNames(bad)+", which permitted lacks")
	}
	if bad := c.ambient &^ (c.permitted & c.inheritable); bad != 0 {
		c.ambient &= c.permitted & c.inheritable
		warnings = append(warnings, "process.capabilities.ambient: ignoring "+maskNames(bad)+", which permitted or inheritable lacks")
	}
	return c, warnings
}

// missingNames are the names that could not be granted, each once.
type missingNames []string

// grant returns the set that names spell, as far as available has them.
func (m *missingNames) grant(names []string, available uint64) (set uint64) {
	for _, name := range names {
		n := capabilityNumber(name)
		if n >= 0 && available&(1<<n) != 0 {
			set |= 1 << n
			continue
		}
		m.add(name)
	}
	return set
}

func (m *missingNames) add(name string) {
	for _, known := range *m {
		if known == name {
			return
		}
	}
	*m = append(*m, name)
}

// capabilityNumber returns -1 for an unknown name.
func capabilityNumber(name string) int {
	for n, known := range capabilityNames {
		if known == name {
			return n
		}
	}
	return -1
}

// maskNames words a set.
func maskNames(set uint64) string {
	var names []string
	for ; set != 0; set &= set - 1 {
		names = append(names, capabilityNames[bits.TrailingZeros64(set)])
	}
	return "[" + strings.Join(names, " ") + "]"
}

// AddCapabilities returns c with names in its bounding, effective and permitted
// sets, as `exec --cap` wants. Inheritable and ambient sets stay what they are:
// a program must not inherit what it did not ask for (CVE-2022-29162).
func AddCapabilities(c *specs.LinuxCapabilities, names []string) *specs.LinuxCapabilities {
	sum := specs.LinuxCapabilities{}
	if c != nil {
		sum = *c
	}
	for _, set := range []*[]string{&sum.Bounding, &sum.Effective, &sum.Permitted} {
		*set = append((*set)[:len(*set):len(*set)], names...)
	}
	return &sum
}
