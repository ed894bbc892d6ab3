package spec

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ipcSysctls are those of System V IPC below kernel, see ipc_namespaces(7).
const ipcSysctls = "kernel/msgmax kernel/msgmnb kernel/msgmni kernel/sem kernel/shmall kernel/shmmax kernel/shmmni kernel/shm_rmid_forced"

// sysctl checks linux.sysctl: whatever is not known to belong to a namespace
// of the container's own would change the host (CVE-2022-0811).
func (c *checker) sysctl(settings map[string]string) {
	for _, key := range sortedKeys(settings) {
		field := entry("linux.sysctl", key)
		file, ok := SysctlFile(key)
		if !ok {
			c.problem(field, "is not the name of a sysctl")
			continue
		}
		top, _, _ := strings.Cut(file, "/")
		switch {
		case top == "net":
			c.needsNamespace(field, specs.NetworkNamespace)
		case oneOf(file, ipcSysctls), strings.HasPrefix(file, "fs/mqueue/"):
			c.needsNamespace(field, specs.IPCNamespace)
		case top == "user":
			c.needsNamespace(field, specs.UserNamespace)
		case file == "kernel/domainname":
			c.needsNamespace(field, specs.UTSNamespace)
		case file == "kernel/hostname":
			c.problem(field, "is set with the property hostname")
		default:
			c.problem(field, "belongs to no namespace: it would change the host")
		}
	}
}

// SysctlFile returns the file below /proc/sys that a key of linux.sysctl means,
// and whether it means one. As in sysctl.d(5), the first separator counts: in
// "net.ipv4.conf.eth0/1.forwarding" the interface is eth0.1, and a key with "/"
// first is a path, where a dot is a dot.
func SysctlFile(key string) (string, bool) {
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '.' {
		key = strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, key)
	}
	if !strings.Contains(key, "/") {
		return "", false
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || name == "." || name == ".." {
			return "", false
		}
	}
	return key, true
}
