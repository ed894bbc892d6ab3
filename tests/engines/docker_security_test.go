package engines

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

func dockerDevices(t *testing.T, d *Docker) {
	parallel(t, "devices-default", func(t *testing.T) {
		got := d.Run(t, "--", "sh", "-c", "ls /dev | grep -v core; echo x >/dev/null; head -c 4 /dev/urandom | wc -c; mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg").Stdout
		equals(t, "names", strings.Join(strings.Fields(got), " "), "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero 4")
	})
	parallel(t, "device", func(t *testing.T) {
		equals(t, "node", d.Run(t, "--device", "/dev/fuse:/dev/other:rw", "--", "sh", "-c", "stat -c '%F %t:%T' /dev/other; : <>/dev/other && echo opened").OK(t), "character special file a:e5\nopened")
	})
	parallel(t, "device-read-only", func(t *testing.T) {
		d.Run(t, "--device", "/dev/fuse:/dev/fuse:r", "--", "sh", "-c", ": </dev/fuse && echo read; : >/dev/fuse").Fails(t, "read", "Operation not permitted")
	})
	parallel(t, "device-node", func(t *testing.T) { // may be made, though not opened
		d.Run(t, "--", "sh", "-c", "mknod /tmp/kmsg c 1 11 && mknod /tmp/loop b 7 0").OK(t)
	})
	parallel(t, "device-denied", func(t *testing.T) {
		d.Run(t, "--cap-add", "MKNOD", "--", "sh", "-c", "mknod /tmp/fuse c 10 229 && : </tmp/fuse").Fails(t, "Operation not permitted")
	})
	parallel(t, "device-cgroup-rule", func(t *testing.T) {
		got := d.Run(t, "--device-cgroup-rule", "c 10:* rwm", "--", "sh", "-c", "mknod /tmp/fuse c 10 229 && : <>/tmp/fuse && echo opened").OK(t)
		equals(t, "output", got, "opened")
	})
}

// dockerCaps is all capabilities that dockerd 20.10 knows, as far as the
// machine has them, as /proc/PID/status shows them.
func (d *Docker) dockerCaps(t testing.TB) string {
	t.Helper()
	text := d.Call(t, "grep", "CapBnd", "/proc/self/status").OK(t)
	all, err := strconv.ParseUint(strings.Fields(text)[1], 16, 64)
	check(t, err)
	const known = 1<<38 - 1 // up to CAP_AUDIT_READ
	return fmt.Sprintf("%016x", all&known)
}

func dockerSecurity(t *testing.T, d *Docker) {
	dockerPrivileged(t, d)
	dockerSeccomp(t, d)
	parallel(t, "capabilities-default", func(t *testing.T) {
		got := d.Run(t, "--", "grep", "Cap", "/proc/self/status").OK(t)
		// Docker's 14; version 20.10 made them inheritable until CVE-2022-24769.
		equals(t, "sets", strings.Join(strings.Fields(got), " "),
			"CapInh: 0000000000000000 CapPrm: 00000000a80425fb CapEff: 00000000a80425fb CapBnd: 00000000a80425fb CapAmb: 0000000000000000")
	})
	parallel(t, "capabilities-of-a-user", func(t *testing.T) {
		contains(t, d.Run(t, "--user", "1000", "--", "grep", "CapEff", "/proc/self/status").OK(t), "0000000000000000")
	})
	parallel(t, "cap-add", func(t *testing.T) {
		d.Run(t, "--", "ip", "link", "set", "lo", "down").Fails(t, "Operation not permitted")
		d.Run(t, "--cap-add", "NET_ADMIN", "--", "ip", "link", "set", "lo", "down").OK(t)
	})
	parallel(t, "cap-drop", func(t *testing.T) {
		d.Run(t, "--cap-drop", "CHOWN", "--", "chown", "1", "/tmp").Fails(t, "Operation not permitted")
		contains(t, d.Run(t, "--cap-drop", "ALL", "--", "grep", "CapBnd", "/proc/self/status").OK(t), "0000000000000000")
	})
	parallel(t, "no-new-privileges", func(t *testing.T) {
		contains(t, d.Run(t, "--security-opt", "no-new-privileges", "--", "grep", "NoNewPrivs", "/proc/self/status").OK(t), "\t1")
	})
	parallel(t, "masked-paths", func(t *testing.T) {
		got := d.Run(t, "--", "sh", "-c", "cat /proc/kcore /proc/keys /proc/timer_list | wc -c; ls /proc/acpi /sys/firmware | grep -v :; echo x >/proc/sys/kernel/core_pattern").Stdout
		equals(t, "masked", strings.TrimSpace(got), "0")
	})
	parallel(t, "unmasked-paths", func(t *testing.T) {
		d.Run(t, "--security-opt", "systempaths=unconfined", "--", "sh", "-c", "! grep -E ' /proc/(keys|sys) ' /proc/mounts").OK(t)
	})
	parallel(t, "keyring", func(t *testing.T) { // each container has a session keyring of its own
		d.Run(t, "--security-opt", "systempaths=unconfined", "--", "sh", "-c", "grep _ses.$(hostname) /proc/keys").OK(t)
	})
}

func dockerPrivileged(t *testing.T, d *Docker) {
	parallel(t, "privileged", func(t *testing.T) {
		got := d.Run(t, "--privileged", "--", "grep", "-E", "CapEff|CapBnd", "/proc/self/status").OK(t)
		caps := d.dockerCaps(t)
		equals(t, "capabilities", strings.Join(strings.Fields(got), " "), "CapEff: "+caps+" CapBnd: "+caps)
	})
	parallel(t, "privileged-mount", func(t *testing.T) {
		equals(t, "output", d.Run(t, "--privileged", "--", "sh", "-c", "mount -t tmpfs t /mnt && umount /mnt && echo done").OK(t), "done")
	})
	parallel(t, "privileged-devices", func(t *testing.T) {
		equals(t, "output", d.Run(t, "--privileged", "--", "sh", "-c", ": <>/dev/fuse && [ -b /dev/loop0 ] && echo there").OK(t), "there")
	})
	parallel(t, "privileged-sysctl", func(t *testing.T) {
		d.Run(t, "--privileged", "--", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward && ls /sys/fs/cgroup >/dev/null").OK(t)
	})
	parallel(t, "privileged-cgroup-writable", func(t *testing.T) {
		d.Run(t, "--privileged", "--", "sh", "-c", "grep ' /sys/fs/cgroup' /proc/mounts | grep -E ' cgroup2? rw'").OK(t)
	})
	parallel(t, "cap-add-all", func(t *testing.T) { // also those that the machine does not have
		d.Run(t, "--cap-add", "ALL", "--", "ip", "link", "set", "lo", "down").OK(t)
	})
}

func dockerSeccomp(t *testing.T, d *Docker) {
	parallel(t, "seccomp-default", func(t *testing.T) {
		contains(t, d.Run(t, "--", "grep", "Seccomp:", "/proc/self/status").OK(t), "\t2")
		d.Run(t, "--", "unshare", "-U", "true").Fails(t, "Operation not permitted")
	})
	parallel(t, "seccomp-unconfined", func(t *testing.T) {
		contains(t, d.Run(t, "--security-opt", "seccomp=unconfined", "--", "grep", "Seccomp:", "/proc/self/status").OK(t), "\t0")
	})
	parallel(t, "seccomp-profile", func(t *testing.T) {
		file := d.File("tmp", name())
		check(t, os.WriteFile(file, []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}`), 0o644))
		d.Run(t, "--security-opt", "seccomp="+file, "--", "mkdir", "/tmp/x").Fails(t, "Function not implemented")
	})
	parallel(t, "seccomp-kill", func(t *testing.T) {
		file := d.File("tmp", name())
		check(t, os.WriteFile(file, []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"}]}`), 0o644))
		d.Run(t, "--security-opt", "seccomp="+file, "--", "mkdir", "/tmp/x").Exits(t, 159)
	})
}
