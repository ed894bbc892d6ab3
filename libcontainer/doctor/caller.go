package doctor

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// caller is the process that asks.
type caller struct {
	uid        int
	name       string // of the user, from /etc/passwd; "" if it has none
	userns     bool   // in another user namespace than the first
	effective  uint64 // capabilities
	noNewPrivs bool
	filtered   bool   // by a seccomp filter
	profile    string // AppArmor's, as in "docker-default (enforce)"; "" without AppArmor
}

func readCaller() caller {
	c := caller{uid: os.Geteuid(), userns: !ownsAllIDs(readText("/proc/self/uid_map"))}
	c.name = userName(readText("/etc/passwd"), c.uid)
	status := readText("/proc/self/status")
	c.effective, _ = strconv.ParseUint(keyed(status, "CapEff:"), 16, 64)
	c.noNewPrivs = keyed(status, "NoNewPrivs:") == "1"
	c.filtered = keyed(status, "Seccomp:") == "2"
	c.profile = strings.TrimSpace(readText("/proc/self/attr/apparmor/current"))
	return c
}

// root reports whether the caller can do what only root can, somewhere.
func (c *caller) root() bool { return c.uid == 0 }

// has reports whether a capability is in effect.
func (c *caller) has(capability int) bool { return c.effective&(1<<capability) != 0 }

// losses are what goes without a capability that root is expected to have.
var losses = []struct {
	capability int
	name, loss string
}{
	{unix.CAP_SETUID, "CAP_SETUID", "process.user cannot be another"},
	{unix.CAP_SETGID, "CAP_SETGID", "process.user cannot have other groups"},
	{unix.CAP_SETPCAP, "CAP_SETPCAP", "process.capabilities cannot be dropped for good"},
	{unix.CAP_MKNOD, "CAP_MKNOD", "devices cannot be made"},
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "a new network namespace gets no loopback, and netDevices do not move"},
	{unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", "images that belong to others cannot be used"},
	{unix.CAP_CHOWN, "CAP_CHOWN", "nothing can be given to the user of the process"},
	{unix.CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE", "process.rlimits and oomScoreAdj beyond the caller's are applied as far as they go, with a warning"},
}

func (c *caller) findings() []Finding {
	r := &report{topic: "caller"}
	switch {
	case c.root() && !c.has(unix.CAP_SYS_ADMIN):
		r.error("caller-no-sys-admin", "is root, without CAP_SYS_ADMIN: it can make no namespace and no mount",
			"give it to the container around this one (docker run --privileged, or --cap-add SYS_ADMIN), or be an ordinary user")
	case c.root() && c.userns:
		r.ok("caller", "is root in a user namespace: what the real root owns is out of reach")
	case c.root():
		r.ok("caller", "is root")
	default:
		r.ok("caller", "is uid "+strconv.Itoa(c.uid)+": its containers need a user namespace; `runtime spec --rootless` writes one")
	}
	if c.root() && c.has(unix.CAP_SYS_ADMIN) {
		for _, l := range losses {
			if !c.has(l.capability) {
				r.warning("caller-capability", "lacks "+l.name+": "+l.loss, "")
			}
		}
	}
	if c.noNewPrivs && !c.root() {
		r.warning("caller-no-new-privs", "runs with no_new_privs: newuidmap(1) cannot map ranges of ids for it",
			"start it without, as in a login")
	}
	if c.filtered {
		r.note("caller-seccomp", "runs under a seccomp filter, as in a container: a call that it refuses fails with \"operation not permitted\", whatever the rights")
	}
	if name, mode, _ := strings.Cut(c.profile, " "); mode == "(enforce)" {
		r.warning("caller-apparmor", "is confined by the AppArmor profile "+name+": a mount that it forbids fails with \"permission denied\"",
			"run the container around this one with --security-opt apparmor=unconfined")
	}
	return r.list
}

// ownsAllIDs reports whether a uid_map is that of the first user namespace.
func ownsAllIDs(text string) bool {
	f := strings.Fields(text)
	return len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295"
}

// userName finds the name of a user in passwd(5).
func userName(passwd string, uid int) string {
	for line := range strings.Lines(passwd) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == strconv.Itoa(uid) {
			return f[0]
		}
	}
	return ""
}

// keyed returns what follows key at the start of a line.
func keyed(text, key string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// readText reads a file of /proc, /sys or /etc; one that cannot be read is as
// good as empty here.
func readText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}
