package doctor

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/sys"
)

// kernel is what the running one can do.
type kernel struct {
	release     string   // "6.1.0-18-amd64"
	lacks       []call   // of calls
	fileSystems []string // that it knows at present
	ptys, most  int      // pseudo terminals: there are, may be
	keys        keys
}

// keys are those of the caller's user, keyrings(7).
type keys struct{ have, most, bytes, mostBytes int }

// call is a system call that containers are made with.
type call struct {
	nr          uintptr
	name, since string
	loss        string // what goes without it; "" if nothing does
}

var calls = []call{
	{unix.SYS_PIDFD_OPEN, "pidfd_open", "5.3", ""},
	{unix.SYS_OPENAT2, "openat2", "5.6", ""},
	{unix.SYS_CLONE3, "clone3", "5.7 with CLONE_INTO_CGROUP", ""},
	{unix.SYS_CLOSE_RANGE, "close_range", "5.9", ""},
	{unix.SYS_FSOPEN, "fsopen", "5.2", "mounts are made in the old way, with errors that name no option"},
	{unix.SYS_MOUNT_SETATTR, "mount_setattr", "5.12", "recursive mount options such as rro, and idmap, are refused"},
	{unix.SYS_SET_MEMPOLICY, "set_mempolicy", "CONFIG_NUMA", "linux.memoryPolicy is refused"},
}

// oldest is the first version that is supported.
const oldest = "5.10"

func readKernel() *kernel {
	k := &kernel{}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		k.release = unix.ByteSliceToString(name.Release[:])
	}
	for _, c := range calls {
		if !sys.Implemented(c.nr) {
			k.lacks = append(k.lacks, c)
		}
	}
	for line := range strings.Lines(readText("/proc/filesystems")) {
		f := strings.Fields(line)
		k.fileSystems = append(k.fileSystems, f[len(f)-1])
	}
	k.ptys, k.most = number(readText("/proc/sys/kernel/pty/nr")), number(readText("/proc/sys/kernel/pty/max"))
	k.keys = parseKeys(readText("/proc/key-users"), strconv.Itoa(unix.Getuid()))
	return k
}

// wanted are file systems that configurations by engines mount.
var wanted = []struct{ name, use string }{
	{"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/dev"}, {"devpts", "/dev/pts"}, {"mqueue", "/dev/mqueue"},
}

func (k *kernel) findings() []Finding {
	r := &report{topic: "kernel"}
	if older(k.release, oldest) {
		r.error("kernel-old", "is Linux "+k.release+", and "+oldest+" is the oldest that is supported", "boot a newer one")
	} else {
		r.ok("kernel", "is Linux "+k.release)
	}
	for _, c := range k.lacks {
		text := "lacks " + c.name + "(2) (Linux " + c.since + "), or a seccomp filter around us hides it: "
		if c.loss == "" {
			r.error("kernel-call", text+"containers cannot be made", "boot a newer kernel, or have the container around this one allow the call")
		} else {
			r.warning("kernel-call", text+c.loss, "")
		}
	}
	for _, f := range wanted {
		if !slices.Contains(k.fileSystems, f.name) {
			r.warning("kernel-filesystem", "has no file system "+f.name+" at present: a mount of it, as most have at "+f.use+", is refused",
				"modprobe "+f.name+", or take the mount out of config.json")
		}
	}
	if k.most > 0 && k.ptys >= k.most {
		r.warning("kernel-ptys", "has given out all "+strconv.Itoa(k.most)+" pseudo terminals: process.terminal fails", "raise the sysctl kernel.pty.max")
	}
	k.keys.report(r)
	return r.list
}

// report warns when a session keyring, which each container gets, may not fit:
// it takes one key of some 30 bytes.
func (q keys) report(r *report) {
	const margin, size = 2, 100
	if q.most > 0 && (q.have+margin > q.most || q.bytes+size > q.mostBytes) {
		r.add(Warning, "kernel-keys", "has "+strconv.Itoa(q.have)+" of "+strconv.Itoa(q.most)+" keys of this user: a container's session keyring fails with \"disk quota exceeded\"",
			"raise the sysctls kernel.keys.maxkeys and kernel.keys.maxbytes, or give create --no-new-keyring")
	}
}

// parseKeys reads the line of a user in /proc/key-users, keyrings(7):
//
//	1000:    12 11/11 9/200 180/20000
func parseKeys(text, uid string) (q keys) {
	f := strings.Fields(keyed(strings.ReplaceAll("\n"+text, "\n ", "\n"), uid+":"))
	if len(f) != 4 {
		return q
	}
	have, most, _ := strings.Cut(f[2], "/")
	bytes, mostBytes, _ := strings.Cut(f[3], "/")
	return keys{number(have), number(most), number(bytes), number(mostBytes)}
}

// older reports whether release, such as "5.4.0-generic", is before version,
// such as "5.10". One that has no number is not.
func older(release, version string) bool {
	for want := range strings.SplitSeq(version, ".") {
		end := strings.IndexFunc(release, func(c rune) bool { return c < '0' || c > '9' })
		if end < 0 {
			end = len(release)
		}
		n, err := strconv.Atoi(release[:end])
		if err != nil || n != number(want) {
			return err == nil && n < number(want)
		}
		release = strings.TrimPrefix(release[end:], ".")
	}
	return false
}

func number(text string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(text)) // no number: 0
	return n
}
