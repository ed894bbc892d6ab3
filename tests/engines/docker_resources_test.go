package engines

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ociruntime/tests/require"
)

// hog is a command that uses so much memory, and prints what it has used.
func hog(size string) []string {
	return []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=" + size, "count=1"}
}

func dockerResources(t *testing.T, d *Docker) {
	dockerMemory(t, d)
	dockerCPU(t, d)
	parallel(t, "pids-limit", func(t *testing.T) {
		require.Controller(t, "pids")
		got := d.Run(t, "--pids-limit", "5", "--", "sh", "-c", "for i in 1 2 3 4 5 6 7; do sleep 1 & done; wait")
		contains(t, got.Stderr, "fork")
	})
	parallel(t, "pids-limit-1", func(t *testing.T) {
		require.Controller(t, "pids")
		equals(t, "output", d.Run(t, "--pids-limit", "1", "--", "echo", "hi").OK(t), "hi")
	})
	parallel(t, "blkio", func(t *testing.T) {
		require.Controller(t, "blkio")
		disk, number := blockDevice(t)
		c := d.Start(t, "--device-read-bps", disk+":1mb", "--device-write-iops", disk+":99", "--", "sleep", "100")
		pid := d.Inspect(t, c, "{{.State.Pid}}")
		equals(t, "read", d.Setting(t, pid, "blkio", "blkio.throttle.read_bps_device", "io.max"), number+" 1048576")
		equals(t, "write", d.Setting(t, pid, "blkio", "blkio.throttle.write_iops_device", "io.max"), number+" 99")
	})
	parallel(t, "ulimit", func(t *testing.T) {
		got := d.Run(t, "--ulimit", "nofile=100:200", "--ulimit", "core=0", "--", "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c").OK(t)
		equals(t, "limits", got, "100\n200\n0")
	})
	parallel(t, "sysctl", func(t *testing.T) {
		got := d.Run(t, "--sysctl", "net.ipv4.ip_forward=0", "--sysctl", "kernel.msgmax=4096", "--", "sh", "-c", "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax").OK(t)
		equals(t, "values", got, "0\n4096")
		d.Run(t, "--sysctl", "kernel.core_pattern=x", "--", "true").Fails(t, "kernel.core_pattern")
		d.Run(t, "--net=host", "--sysctl", "net.ipv4.ip_forward=0", "--", "true").Fails(t, "net.ipv4.ip_forward")
	})
	parallel(t, "shm-size", func(t *testing.T) {
		got := d.Run(t, "--shm-size", "7m", "--", "sh", "-c", "df -k /dev/shm | tail -1 | awk '{print $2}'").OK(t)
		equals(t, "KiB", got, "7168")
	})
	parallel(t, "oom-score", func(t *testing.T) {
		equals(t, "score", d.Run(t, "--oom-score-adj", "500", "--", "cat", "/proc/self/oom_score_adj").OK(t), "500")
	})
	parallel(t, "oom-score-lowered", func(t *testing.T) { // needs CAP_SYS_RESOURCE, which a virtual machine may lack
		d.Run(t, "--oom-score-adj", "-500", "--", "cat", "/proc/self/oom_score_adj").OK(t)
	})
}

func dockerMemory(t *testing.T, d *Docker) {
	parallel(t, "memory-hog", func(t *testing.T) {
		require.Controller(t, "memory")
		c := d.Start(t, append([]string{"--memory", "1g", "--"}, hog("1500M")...)...)
		equals(t, "exit code", d.Docker(t, "wait", c).OK(t), "137")
		eventually(t, "OOMKilled", func() bool { return d.Inspect(t, c, "{{.State.OOMKilled}}") == "true" })
	})
	parallel(t, "memory-fits", func(t *testing.T) {
		require.Controller(t, "memory")
		c := d.Start(t, append([]string{"--memory", "1g", "--"}, hog("500M")...)...)
		equals(t, "exit code", d.Docker(t, "wait", c).OK(t), "0")
		equals(t, "OOMKilled", d.Inspect(t, c, "{{.State.OOMKilled}}"), "false")
	})
	parallel(t, "memory-smallest", func(t *testing.T) { // 6 MiB is the least that dockerd takes
		require.Controller(t, "memory")
		equals(t, "output", d.Run(t, "--memory", "6m", "--", "echo", "hi").OK(t), "hi")
	})
	parallel(t, "memory-settings", func(t *testing.T) {
		require.Controller(t, "memory")
		c := d.Start(t, "--memory", "100m", "--memory-reservation", "50m", "--memory-swappiness", "10", "--", "sleep", "100")
		pid := d.Inspect(t, c, "{{.State.Pid}}")
		equals(t, "limit", d.Setting(t, pid, "memory", "memory.limit_in_bytes", "memory.max"), "104857600")
		equals(t, "reservation", d.Setting(t, pid, "memory", "memory.soft_limit_in_bytes", "memory.low"), "52428800")
		if onV1("memory", "1", "2") == "1" {
			equals(t, "swappiness", d.Setting(t, pid, "memory", "memory.swappiness", ""), "10")
		}
	})
	parallel(t, "oom-kill-disable", func(t *testing.T) {
		require.Controller(t, "memory")
		if onV1("memory", "1", "2") == "2" {
			t.Skip("only v1 can switch the OOM killer off")
		}
		c := d.Start(t, "--memory", "100m", "--oom-kill-disable", "--", "sleep", "100")
		contains(t, d.Setting(t, d.Inspect(t, c, "{{.State.Pid}}"), "memory", "memory.oom_control", ""), "oom_kill_disable 1")
	})
}

func dockerCPU(t *testing.T, d *Docker) {
	parallel(t, "cpus", func(t *testing.T) {
		require.Controller(t, "cpu")
		// The user and system time of a shell that spins for two seconds.
		got := d.Run(t, "--cpus", "0.5", "--", "sh", "-c", "timeout 2 sh -c 'while :; do :; done'; cat /proc/self/stat | awk '{print $16+$17}'").OK(t)
		ticks, err := strconv.Atoi(got)
		check(t, err)
		if ticks > 130 {
			t.Fatalf("used %d hundredths of a second in 2 s, want about 100", ticks)
		}
	})
	parallel(t, "cpu-settings", func(t *testing.T) {
		require.Controller(t, "cpu")
		c := d.Start(t, "--cpu-shares", "512", "--cpu-period", "50000", "--cpu-quota", "25000", "--", "sleep", "100")
		pid := d.Inspect(t, c, "{{.State.Pid}}")
		equals(t, "quota", d.Setting(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"), onV1("cpu", "25000", "25000 50000"))
		if onV1("cpu", "1", "2") == "1" {
			equals(t, "shares", d.Setting(t, pid, "cpu", "cpu.shares", ""), "512")
		}
	})
	parallel(t, "cpuset", func(t *testing.T) {
		require.Controller(t, "cpuset")
		equals(t, "CPUs", d.Run(t, "--cpuset-cpus", "0", "--", "nproc").OK(t), "1")
		contains(t, d.Run(t, "--cpuset-cpus", "0", "--cpuset-mems", "0", "--", "grep", "Cpus_allowed_list", "/proc/self/status").OK(t), "\t0")
	})
}

// blockDevice returns some block device and its number. It is not opened.
func blockDevice(t testing.TB) (path, number string) {
	t.Helper()
	disks, err := filepath.Glob("/sys/block/*/dev")
	check(t, err)
	for _, file := range disks {
		text, err := os.ReadFile(file)
		check(t, err)
		path := "/dev/" + filepath.Base(filepath.Dir(file))
		if _, err := os.Stat(path); err == nil {
			return path, strings.TrimSpace(string(text))
		}
	}
	t.Skip("needs a block device")
	return "", ""
}
