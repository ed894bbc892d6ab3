package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
	"ociruntime/nsenter"
)

const allCapabilities = 1<<41 - 1

var (
	root     = &caller{effective: allCapabilities}
	ordinary = &caller{uid: 1000, name: "ann"}
)

// TestFindings has the facts of one host in each case, and what must be said:
// severity, name, and a part of the text or of the hint.
func TestFindings(t *testing.T) {
	refused := &diag.Error{Op: "clone", Err: unix.ENOSPC, Hint: "user.max_net_namespaces is 0"}
	v2 := func(p cgroups.Prospect) *groups {
		p.Mount = "/sys/fs/cgroup"
		return &groups{mode: cgroups.V2, prospects: []cgroups.Prospect{p}}
	}
	modern := kernel{release: "6.1.0-18-amd64", fileSystems: []string{"proc", "sysfs", "tmpfs", "devpts", "mqueue"}}
	old, bare, nearlyOut := modern, modern, modern
	old.release = "5.4.0"
	bare.fileSystems, bare.lacks, bare.ptys, bare.most = bare.fileSystems[:4], calls[1:2], 8, 8
	nearlyOut.keys = parseKeys("    0:    40 39/39 35/1000000 685/25000000\n 1000:     5 5/5 199/200 9/20000\n", "1000")
	whole := state{exists: true, memory: true, free: 1 << 30, inodes: 1000, root: "/run/runtime"}
	full, disk, missing, forged := whole, whole, whole, whole
	full.inodes, disk.memory = 3, false
	missing.exists, missing.parent, missing.denied = false, "/run", unix.EACCES
	forged.err = errors.New("belongs to uid 7")
	forged.leftovers = []libcontainer.Garbage{{ID: "box", Reason: "never created"}}
	controllers := []string{"cpu", "cpuset", "io", "memory", "pids"}

	for name, c := range map[string]struct {
		got  []Finding
		want []string // "SEVERITY NAME TEXT"
	}{
		"root":             {root.findings(), []string{"ok caller is root"}},
		"root of a userns": {(&caller{effective: allCapabilities, userns: true}).findings(), []string{"ok caller user namespace"}},
		"no SYS_ADMIN":     {(&caller{}).findings(), []string{"error caller-no-sys-admin --privileged"}},
		"no MKNOD": {(&caller{effective: allCapabilities &^ (1 << unix.CAP_MKNOD)}).findings(),
			[]string{"ok caller is root", "warning caller-capability CAP_MKNOD: devices"}},
		"confined": {(&caller{uid: 5, noNewPrivs: true, filtered: true, profile: "docker-default (enforce)"}).findings(),
			[]string{"ok caller uid 5", "warning caller-no-new-privs newuidmap", "note caller-seccomp filter", "warning caller-apparmor docker-default"}},
		"complaining": {(&caller{effective: allCapabilities, profile: "x (complain)"}).findings(), []string{"ok caller root"}},

		"kernel":     {modern.findings(), []string{"ok kernel 6.1.0-18-amd64"}},
		"old kernel": {old.findings(), []string{"error kernel-old 5.4.0"}},
		"bare kernel": {bare.findings(), []string{"ok kernel 6.1", "error kernel-call openat2(2)", "warning kernel-filesystem modprobe mqueue",
			"warning kernel-ptys kernel.pty.max"}},
		"keys": {nearlyOut.findings(), []string{"ok kernel 6.1", "warning kernel-keys 199 of 200"}},

		"namespaces":  {(&namespaces{}).findings(root), []string{"ok namespace-user user", "ok namespaces mnt, pid, net, ipc, uts, cgroup, time"}},
		"no userns":   {(&namespaces{user: refused}).findings(root), []string{"warning namespace-user no space left", "ok namespaces mnt"}},
		"no rootless": {(&namespaces{user: refused}).findings(ordinary), []string{"error namespace-user max_net_namespaces"}},
		"some": {(&namespaces{refused: map[nsenter.Type]error{nsenter.Network: refused, nsenter.IPC: refused, nsenter.Time: unix.EINVAL, nsenter.Mount: unix.EPERM}}).findings(root),
			[]string{"ok namespace-user user", "error namespace-mnt not permitted", "warning namespace-time invalid argument", "warning namespaces net, ipc", "ok namespaces pid, uts, cgroup"}},
		"masked": {(&namespaces{covered: []string{"/proc/kcore"}}).findings(root),
			[]string{"ok namespace-user", "ok namespaces", "warning proc-covered /proc/kcore"}},

		"ids of root": {(*idRanges)(nil).findings(root), nil},
		"ids":         {(&idRanges{uids: "100000:65536", gids: "100000:65536"}).findings(ordinary), []string{"ok ids-range ann"}},
		"no ids": {(&idRanges{helpers: map[string]string{"newuidmap": "is not installed"}}).findings(ordinary),
			[]string{"warning ids-helper uidmap", "warning ids-range 100000-165535 ann"}},

		"v2": {v2(cgroups.Prospect{Nearest: "/system.slice", Offered: controllers}).findings(root),
			[]string{"ok cgroup-mode 2", "ok cgroup-place /sys/fs/cgroup/system.slice (cpu", "ok systemd answers"}},
		"read-only": {v2(cgroups.Prospect{Nearest: "/", Err: unix.EROFS, Offered: controllers}).findings(root),
			[]string{"ok cgroup-mode", "error cgroup-read-only --privileged", "ok systemd"}},
		"occupied": {v2(cgroups.Prospect{Nearest: "/", Occupied: true}).findings(root),
			[]string{"ok cgroup-mode", "warning cgroup-occupied mkdir /sys/fs/cgroup/init", "warning cgroup-controller-missing memory, pids, cpu, cpuset, io", "ok systemd"}},
		"not delegated": {v2(cgroups.Prospect{Nearest: "/user.slice", Err: unix.EACCES, Offered: controllers}).findings(ordinary),
			[]string{"ok cgroup-mode", "warning cgroup-not-delegated --systemd-cgroup", "ok systemd this user"}},
		"forbidden": {v2(cgroups.Prospect{Nearest: "/", Err: unix.EACCES, Offered: controllers}).findings(root),
			[]string{"ok cgroup-mode", "error cgroup-denied permission denied", "ok systemd"}},
		"no session": {(&groups{systemd: true, mode: cgroups.V2, manager: errors.New("no systemd user session")}).findings(ordinary),
			[]string{"ok cgroup-mode", "error systemd-unreachable no systemd user session"}},
		"half delegated": {(&groups{systemd: true, mode: cgroups.V2, delegated: []string{"memory", "pids"}}).findings(ordinary),
			[]string{"ok cgroup-mode", "ok systemd", "warning systemd-delegate cpu, cpuset, io"}},
		"no cgroups":  {(&groups{}).findings(root), []string{"warning cgroup-none mount -t cgroup2", "ok systemd"}},
		"no use":      {(&groups{disabled: true}).findings(root), []string{"note cgroup-disabled every limit"}},
		"hybrid user": {hybrid(unix.EACCES).findings(ordinary), []string{"ok cgroup-mode hybrid", "warning cgroup-not-delegated unified_cgroup_hierarchy", "ok systemd"}},
		"hybrid":      {hybrid(nil).findings(root), []string{"ok cgroup-mode hybrid", "ok cgroup-place unified (hugetlb)", "ok cgroup-place / of memory, cpu,cpuacct, pids, cpuset, blkio", "ok systemd"}},

		"security":    {(&security{apparmor: true, libseccomp: "2.5.4", actions: []string{"log"}, resctrl: true}).findings(), []string{"ok seccomp log", "ok apparmor runs", "note selinux refused", "ok intelrdt"}},
		"no security": {(&security{}).findings(), []string{"warning seccomp-build libseccomp", "note apparmor", "note selinux", "note intelrdt"}},
		"no filters":  {(&security{libseccomp: "2.5.4"}).findings(), []string{"warning seccomp-kernel CONFIG_SECCOMP_FILTER", "note apparmor", "note selinux", "note intelrdt"}},

		"state":         {whole.findings(root), []string{"ok state-root /run/runtime"}},
		"full":          {full.findings(root), []string{"error state-full 3 files"}},
		"disk":          {disk.findings(root), []string{"note state-disk tmpfs"}},
		"no directory":  {missing.findings(ordinary), []string{"error state-root XDG_RUNTIME_DIR"}},
		"somebody else": {forged.findings(root), []string{"error state-root uid 7", "warning state-leftover box is left"}},
	} {
		if len(c.got) != len(c.want) {
			t.Errorf("%s: %d findings, want %d: %+v", name, len(c.got), len(c.want), c.got)
			continue
		}
		for i, f := range c.got {
			severity, rest, _ := strings.Cut(c.want[i], " ")
			code, part, _ := strings.Cut(rest, " ")
			if string(f.Severity) != severity || string(f.Name) != code || !strings.Contains(f.Text+f.Hint, part) || f.Topic == "" {
				t.Errorf("%s: %+v, want %s", name, f, c.want[i])
			}
			if f.Severity == Error && f.Hint == "" && f.Name != "systemd-unreachable" {
				t.Errorf("%s: %s says nothing of what to do", name, f.Name)
			}
		}
	}
}

// hybrid is such a host; err is why nothing can be made.
func hybrid(err error) *groups {
	g := &groups{mode: cgroups.Hybrid}
	for _, c := range []string{"memory", "cpu,cpuacct", "pids", "cpuset", "blkio"} {
		g.prospects = append(g.prospects, cgroups.Prospect{
			Place: cgroups.Place{Controllers: c, Mount: "/sys/fs/cgroup/" + c}, Nearest: "/", Err: err, Offered: strings.Split(c, ","),
		})
	}
	g.prospects = append(g.prospects, cgroups.Prospect{
		Place: cgroups.Place{Mount: "/sys/fs/cgroup/unified"}, Nearest: "/", Err: err, Offered: []string{"hugetlb"},
	})
	return g
}

// TestExamine: on any host that the tests run on, something is said of every
// topic, and nothing is an error for who can run the tests.
func TestExamine(t *testing.T) {
	var topics []string
	for _, f := range Examine(&libcontainer.Runtime{Root: t.TempDir()}) {
		if !slices.Contains(topics, f.Topic) {
			topics = append(topics, f.Topic)
		}
	}
	for _, topic := range []string{"caller", "kernel", "namespaces", "cgroup", "security", "state"} {
		if !slices.Contains(topics, topic) {
			t.Errorf("nothing is said of %s", topic)
		}
	}
}

func TestOlder(t *testing.T) {
	for release, want := range map[string]bool{
		"5.9.16": true, "5.10": false, "5.10.0-8-amd64": false, "5.4.0-generic": true, "4.19": true, "6.1": false, "10.0": false,
		"": false, "unknown": false,
	} {
		if got := older(release, oldest); got != want {
			t.Errorf("older(%q) = %v", release, got)
		}
	}
}

func TestParse(t *testing.T) {
	who := &caller{uid: 1000, name: "ann"}
	for text, want := range map[string]string{
		"": "", "ann:1:2\n": "1:2", "1000:5:6": "5:6", "anna:1:2\nann:3:4\nann:7:8\n": "3:4", ":1:2\n": "", "bob:1:2\n": "",
	} {
		if got := subids(text, who); got != want {
			t.Errorf("subids(%q) = %q, want %q", text, got, want)
		}
	}
	if name := userName("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\nbroken\n", 1000); name != "ann" {
		t.Errorf("user 1000 is %q", name)
	}
	if !ownsAllIDs("         0          0 4294967295\n") || ownsAllIDs("0 1000 1\n") || ownsAllIDs("") {
		t.Error("the first user namespace is not told from others")
	}
	mountinfo := "1 2 0:3 / / rw - ext4 x rw\n4 1 0:5 / /proc rw - proc p rw\n6 4 0:7 / /proc/kcore rw - tmpfs t rw\n" +
		"8 4 0:9 / /proc/sys/fs/binfmt_misc rw - autofs a rw\n10 6 0:7 / /proc/kcore rw - tmpfs t rw\n"
	if got := below("/proc/", mountinfo); !slices.Equal(got, []string{"/proc/kcore"}) {
		t.Errorf("below /proc: %q", got)
	}
}
