package tests

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// edit is SetJSON as a change of a bundle.
func edit(value any, path ...any) func(*harness.Bundle) {
	return func(b *harness.Bundle) { b.SetJSON(value, path...) }
}

// object is one of JSON.
type object = map[string]any

// goodConfigs are right, if unusual: run ends with code 0, says nothing on
// stderr, and the script prints what is wanted.
var goodConfigs = []struct {
	name   string
	change func(*harness.Bundle)
	script string
	want   string
}{
	{"oldest version", edit("1.0.0", "ociVersion"), "", ""},
	{"version with build data", edit("1.3.0-rc.1+build.7", "ociVersion"), "", ""},
	{"next minor version", edit("1.99.0", "ociVersion"), "", ""},
	{"unknown keys", func(b *harness.Bundle) {
		b.SetJSON(object{"a": []any{nil, 1.5, "x"}}, "unknown")
		b.SetJSON("x", "linux", "resources", "memory", "Limit")
	}, "", ""},
	{"other platforms", func(b *harness.Bundle) {
		for _, name := range []string{"windows", "solaris", "vm", "zos", "freebsd"} {
			b.SetJSON(object{"x": 1}, name)
		}
	}, "", ""},
	{"root absolute", func(b *harness.Bundle) { b.SetJSON(b.Rootfs(), "root", "path") }, "", ""},
	{"root with dots", edit("./x/../rootfs/.", "root", "path"), "", ""},
	{"root readonly", edit(true, "root", "readonly"), "touch /x 2>/dev/null || echo readonly", "readonly"},
	{"no mounts but proc", edit([]any{object{"destination": "/proc", "type": "proc"}}, "mounts"), "ls /sys", ""},
	{"mount without source or options", edit(object{"destination": "/mnt", "type": "tmpfs"}, "mounts", 7), "stat -f -c %T /mnt", "tmpfs"},
	{"bind of a file over a file", edit(object{"destination": "/etc/hostname", "source": "/proc/version", "options": []string{"bind", "ro"}}, "mounts", 7),
		"cut -d' ' -f1 /etc/hostname", "Linux"},
	{"bind of a directory of the bundle", func(b *harness.Bundle) {
		b.SetJSON(object{"destination": "/mnt", "type": "bind", "source": "rootfs/etc", "options": []string{"rbind", "rro", "rprivate", "nosymfollow"}}, "mounts", 7)
	}, "grep -c root /mnt/passwd; touch /mnt/x 2>/dev/null || echo readonly", "1 readonly"},
	{"mount over a mount", func(b *harness.Bundle) {
		b.SetJSON(object{"destination": "/mnt", "type": "tmpfs", "options": []string{"size=1m"}}, "mounts", 7)
		b.SetJSON(object{"destination": "/mnt", "type": "tmpfs", "options": []string{"size=2m", "noexec", "nodev"}}, "mounts", 8)
	}, "grep -c ' /mnt ' /proc/mounts", "2"},
	{"tmpfs with what was there", edit(object{"destination": "/etc", "type": "tmpfs", "options": []string{"tmpcopyup"}}, "mounts", 7), "head -n1 /etc/passwd | cut -d: -f1", "root"},
	{"empty lists", func(b *harness.Bundle) {
		for _, key := range []string{"maskedPaths", "readonlyPaths", "devices", "uidMappings", "gidMappings"} {
			b.SetJSON([]any{}, "linux", key)
		}
		b.SetJSON(object{}, "linux", "sysctl")
		b.SetJSON(object{}, "annotations")
		b.SetJSON(object{}, "hooks")
	}, "", ""},
	{"no capabilities", edit(object{}, "process", "capabilities"), "grep CapBnd /proc/self/status | cut -f2", "0000000000000000"},
	{"no process user", edit(object{"uid": 7, "gid": 8, "umask": 63, "additionalGids": []int{9, 10}}, "process", "user"), "id -u; id -g; id -G; umask", "7 8 8 9 10 0077"},
	{"args with odd characters", edit([]string{"/bin/busybox", "printf", "%s|", "", " ", "a\nb", "ü", `"`}, "process", "args"), "-", "|" + " |a\nb|ü|\"|"},
	{"environment", edit([]string{"PATH=/bin", "EMPTY=", "A=B=C", "SPACE= x "}, "process", "env"), `echo "$EMPTY,$A,$SPACE,"`, ",B=C, x ,"},
	{"same variable twice", edit([]string{"PATH=/bin", "A=1", "A=2"}, "process", "env"), "echo fine", "fine"},
	{"cwd that is missing", edit("/made/for/it", "process", "cwd"), "pwd", "/made/for/it"},
	{"limits", edit([]any{object{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}, object{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}}, "process", "rlimits"),
		"ulimit -Sn; ulimit -Hn; ulimit -c", "64 128 0"},
	{"badness", edit(500, "process", "oomScoreAdj"), "cat /proc/self/oom_score_adj", "500"},
	{"scheduler", edit(object{"policy": "SCHED_BATCH", "nice": 5}, "process", "scheduler"), "cut -d' ' -f41,19 /proc/self/stat", "5 3"},
	{"idle scheduler, idle I/O", func(b *harness.Bundle) {
		b.SetJSON(object{"policy": "SCHED_IDLE", "flags": []string{"SCHED_FLAG_RESET_ON_FORK"}}, "process", "scheduler")
		b.SetJSON(object{"class": "IOPRIO_CLASS_IDLE", "priority": 0}, "process", "ioPriority")
	}, "exec ionice -p $$", "idle"},
	{"memory policy", edit(object{"mode": "MPOL_PREFERRED", "nodes": "0", "flags": []string{"MPOL_F_STATIC_NODES"}}, "linux", "memoryPolicy"),
		"cut -d' ' -f2 /proc/self/numa_maps | sort -u", "prefer=static:0"},
	{"personality", edit(object{"domain": "LINUX32"}, "linux", "personality"), "uname -m", "i686"},
	{"names", func(b *harness.Bundle) { b.SetJSON("a.b", "hostname"); b.SetJSON("example.org", "domainname") },
		"hostname; cat /proc/sys/kernel/domainname", "a.b example.org"},
	{"clocks", func(b *harness.Bundle) {
		b.SetJSON(object{"type": "time"}, "linux", "namespaces", 5)
		b.SetJSON(object{"boottime": object{"secs": 1000000, "nanosecs": 5}, "monotonic": object{"secs": 1000000}}, "linux", "timeOffsets")
	}, "[ $(cut -d. -f1 /proc/uptime) -ge 1000000 ] && echo later", "later"},
	{"time namespace without offsets", edit(object{"type": "time"}, "linux", "namespaces", 5), "", ""},
	{"all namespaces", func(b *harness.Bundle) {
		b.SetJSON([]any{object{"type": "pid"}, object{"type": "network"}, object{"type": "ipc"}, object{"type": "uts"}, object{"type": "mount"},
			object{"type": "cgroup"}, object{"type": "time"}}, "linux", "namespaces")
	}, "cat /proc/self/cgroup | cut -d: -f3 | sort -u", "/"},
	{"mount namespace alone", func(b *harness.Bundle) {
		b.SetJSON([]any{object{"type": "mount"}}, "linux", "namespaces")
		b.SetJSON("", "hostname")
		b.Edit(harness.WithoutMount("/sys"), harness.WithoutMount("/dev/mqueue"), harness.WithoutMount("/sys/fs/cgroup"))
	}, "", ""},
	{"order of namespaces", edit([]any{object{"type": "mount"}, object{"type": "uts"}, object{"type": "ipc"}, object{"type": "network"}, object{"type": "pid"}},
		"linux", "namespaces"), "echo $$", "1"},
	{"user namespace", func(b *harness.Bundle) { b.Edit(harness.UserNamespace); _ = os.Chown(b.Rootfs(), 100000, 100000) }, "id -u; cat /proc/self/uid_map", "0 0 100000 65536"},
	{"sysctls", edit(object{"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096", "net/ipv4/conf/lo/forwarding": "0", "fs.mqueue.msg_max": "11"}, "linux", "sysctl"),
		"cat /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max", "4096 11"},
	{"paths that are not there", func(b *harness.Bundle) {
		b.SetJSON([]string{"/nosuch", "/proc/nosuch/x"}, "linux", "maskedPaths")
		b.SetJSON([]string{"/nosuch/too"}, "linux", "readonlyPaths")
	}, "", ""},
	{"devices", edit([]any{object{"type": "c", "path": "/dev/nothing", "major": 1, "minor": 3, "fileMode": 384, "uid": 3, "gid": 4}, object{"type": "p", "path": "/run/deep/pipe"}}, "linux", "devices"),
		"stat -c %a:%u:%g /dev/nothing; stat -c %F /run/deep/pipe", "600:3:4 fifo"},
	{"a default device listed again", edit([]any{object{"type": "c", "path": "/dev/null", "major": 1, "minor": 3}}, "linux", "devices"), "echo x >/dev/null", ""},
	{"propagation", edit("unbindable", "linux", "rootfsPropagation"), "", ""},
	{"filter", edit(object{"defaultAction": "SCMP_ACT_ALLOW", "architectures": []string{"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_X86"},
		"syscalls": []any{object{"names": []string{"mkdir", "mkdirat", "open_by_handle_at"}, "action": "SCMP_ACT_ERRNO", "errnoRet": 28}}}, "linux", "seccomp"),
		"mkdir /x 2>&1 || true", "mkdir: can't create directory '/x': No space left on device"},
	{"filter without rules", edit(object{"defaultAction": "SCMP_ACT_ALLOW"}, "linux", "seccomp"), "", ""},
	{"listener that nobody asks", edit(object{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nosuch.sock", "listenerMetadata": "x"}, "linux", "seccomp"), "", ""},
	{"odd annotations", edit(object{"a": "", "with space": "\n", "org.opencontainers.image.os": "linux", "ü": "ü"}, "annotations"), "", ""},
	{"cgroup by its id", edit("", "linux", "cgroupsPath"), "", ""},
	{"no resources", func(b *harness.Bundle) { b.Edit(func(c *specs.Spec) { c.Linux.Resources = nil }) }, "", ""},
	{"unlimited", edit(object{"memory": object{}, "cpu": object{}, "pids": object{"limit": -1}, "hugepageLimits": []any{}, "network": object{}, "blockIO": object{}, "rdma": object{}, "unified": object{}},
		"linux", "resources"), "", ""},
}

// TestGoodCorpus: all run, as they are meant to, and leave nothing; check finds
// no error in them.
func TestGoodCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range goodConfigs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle()
			c.change(bundle)
			switch c.script {
			case "":
				bundle.SetJSON([]string{"true"}, "process", "args")
			case "-":
			default:
				bundle.SetJSON([]string{"sh", "-c", c.script}, "process", "args")
			}
			env.Call("check", "--bundle", bundle.Dir).WantCode(t, 0)
			r := env.Run(bundle).WantCode(t, 0)
			want(t, "stderr", r.Stderr, "")
			if c.script == "-" {
				want(t, "stdout", r.Stdout, c.want)
			} else {
				want(t, "stdout", strings.Join(strings.Fields(r.Stdout), " "), c.want)
			}
			if left := env.Leftovers(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}
