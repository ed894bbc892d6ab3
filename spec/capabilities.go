package spec

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// capabilityNames are those of capabilities(7), in the order of their numbers;
// the last one came with Linux 5.9.
const capabilityNames = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID " +
	"CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK " +
	"CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT " +
	"CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL " +
	"CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON " +
	"CAP_BPF CAP_CHECKPOINT_RESTORE"

// Capability returns the kernel's number for a name such as "CAP_CHOWN", and
// whether it has one.
func Capability(name string) (number int, ok bool) {
	rest := capabilityNames
	for rest != "" {
		var next string
		next, rest, _ = strings.Cut(rest, " ")
		if next == name {
			return number, true
		}
		number++
	}
	return 0, false
}

// capabilities warns of names that are not known, which config.md#linux-process
// does not allow to be errors, and of sets that the kernel will not grant, see
// capabilities(7).
func (c *checker) capabilities(field string, caps *specs.LinuxCapabilities) {
	for _, set := range []struct {
		name string
		list []string
	}{
		{"bounding", caps.Bounding}, {"effective", caps.Effective}, {"inheritable", caps.Inheritable},
		{"permitted", caps.Permitted}, {"ambient", caps.Ambient},
	} {
		for i, name := range set.list {
			if _, ok := Capability(name); !ok {
				c.unknown(at(in(field, set.name), i), "capability, it is ignored", name, capabilityNames)
			}
		}
	}
	c.notIn(in(field, "effective"), caps.Effective, "permitted", caps.Permitted)
	c.notIn(in(field, "ambient"), caps.Ambient, "permitted", caps.Permitted)
	c.notIn(in(field, "ambient"), caps.Ambient, "inheritable", caps.Inheritable)
}

// notIn warns of capabilities that are lost because another set lacks them, in
// one line: buildah gives every container 13 that are.
func (c *checker) notIn(field string, list []string, other string, needed []string) {
	var lost []string
	for _, name := range list {
		if _, ok := Capability(name); ok && !slices.Contains(needed, name) {
			lost = append(lost, name)
		}
	}
	if lost != nil {
		c.value(field, strings.Join(lost, " "), "not in "+other+" and so ignored")
	}
}
