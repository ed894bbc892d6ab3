package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// probe is run in a container before anything is measured. It prints what the container
// is, so that a runtime (or the floor) that leaves work out cannot look fast, and ends
// with an exit code of its own.
const probe = `echo hostname=$(hostname) pid=$$ id=$(id -u):$(id -g) nofile=$(ulimit -n)
grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
for p in / /proc/sys /sys; do touch $p/x 2>/dev/null && echo writable=$p; done
for p in /proc/keys /proc/kcore /proc/timer_list; do test -e $p && test -n "$(head -c1 $p)" && echo unmasked=$p; done
echo lo=$(cat /sys/class/net/lo/flags) if=$(echo /sys/class/net/*)
for d in null zero full random urandom tty; do test -c /dev/$d || echo missing=$d; done
for l in fd stdin stdout stderr ptmx; do test -e /dev/$l || test -L /dev/$l || echo missing=$l; done
cat /proc/self/cgroup
cat /proc/self/mountinfo
exit 7`

// wantFacts are lines of the probe's output that every container of the bundle has.
func wantFacts(seccomp bool) []string {
	mode := "Seccomp:\t0"
	if seccomp {
		mode = "Seccomp:\t2"
	}
	return []string{
		"hostname=bench pid=1 id=0:0 nofile=1024",
		"CapPrm:\t0000000020000420", "CapEff:\t0000000020000420", "CapBnd:\t0000000020000420",
		"NoNewPrivs:\t1", mode,
		"lo=0x9 if=/sys/class/net/lo",
		" / ro,", " /proc rw", " /dev rw", " /dev/pts ", " /dev/shm ", " /dev/mqueue ", " /sys ro,",
		" /sys/fs/cgroup ", " /proc/sys ro,",
	}
}

// checkFacts compares the probe's output with what the config asks for.
func checkFacts(stdout string, seccomp bool) error {
	for _, bad := range []string{"writable=", "unmasked=", "missing="} {
		if _, rest, found := strings.Cut(stdout, bad); found {
			return fmt.Errorf("the container is not as configured: %s%s", bad, firstLine(rest))
		}
	}
	for line := range strings.Lines(stdout) { // mountinfo: id parent dev root destination options
		if f := strings.Fields(line); len(f) > 5 && strings.HasPrefix(f[4], "/sys/fs/cgroup/") && !strings.HasPrefix(f[5], "ro,") {
			return fmt.Errorf("the container is not as configured: %s is %s", f[4], f[5])
		}
	}
	for _, want := range wantFacts(seccomp) {
		if !strings.Contains(stdout, want) {
			return fmt.Errorf("the container is not as configured: no %q in\n%s", want, stdout)
		}
	}
	return nil
}

// inCgroup says whether the probe saw itself in its cgroup in all v1 hierarchies, or in
// the one of v2; from within a cgroup namespace that is the root.
func inCgroup(stdout, cgroup string, v1 int, namespaced bool) error {
	line, want := ":/"+cgroup+"\n", max(v1, 1)
	if namespaced {
		line = "0::/\n"
	}
	if got := strings.Count(stdout, line); got < want {
		return fmt.Errorf("the container is in cgroup %s in %d of %d hierarchies:\n%s", cgroup, got, want, stdout)
	}
	return nil
}

// seccompFilter reads the filter that the process loaded last, through ptrace(2)
// PTRACE_SECCOMP_GET_FILTER; the floor loads the very same one.
// The caller is locked to its thread: ptrace knows threads, not processes.
func seccompFilter(pid int) ([]byte, error) {
	const getFilter = 0x420c
	if err := unix.PtraceAttach(pid); err != nil {
		return nil, fmt.Errorf("ptrace attach: %w", err)
	}
	defer func() { _ = unix.PtraceDetach(pid) }()
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		return nil, err
	}
	var code [4096]unix.SockFilter
	n, _, errno := unix.Syscall6(unix.SYS_PTRACE, getFilter, uintptr(pid), 0, pointer(&code), 0, 0)
	if errno != 0 {
		return nil, fmt.Errorf("PTRACE_SECCOMP_GET_FILTER: %w", errno)
	}
	var out bytes.Buffer
	err := binary.Write(&out, binary.NativeEndian, code[:n])
	return out.Bytes(), err
}
