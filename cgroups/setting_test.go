package cgroups

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var update = flag.Bool("update", false, "rewrite the golden files; review the difference")

// settingCases are resources as config.json has them and, where it matters, what
// the files of the cgroup hold before.
var settingCases = []struct {
	name, resources string
	now             map[string]string
}{
	{name: "nothing", resources: `{}`},
	{name: "zeros mean leave alone", resources: `{"memory":{"limit":0,"reservation":0,"swap":0,"kernel":0,"kernelTCP":0},"cpu":{"shares":0,"quota":0,"period":0,"realtimeRuntime":0,"realtimePeriod":0},"blockIO":{"weight":0,"leafWeight":0},"network":{"classID":0}}`},
	{name: "memory limit", resources: `{"memory":{"limit":67108864}}`},
	{name: "memory and swap", resources: `{"memory":{"limit":67108864,"swap":100663296,"reservation":33554432}}`},
	{name: "swap equal to memory is no swap", resources: `{"memory":{"limit":67108864,"swap":67108864}}`},
	{name: "memory unlimited", resources: `{"memory":{"limit":-1}}`},
	{name: "memory unlimited over a limit", resources: `{"memory":{"limit":-1}}`,
		now: map[string]string{"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864"}},
	{name: "swap unlimited", resources: `{"memory":{"limit":67108864,"swap":-1}}`},
	{name: "swap below memory", resources: `{"memory":{"limit":67108864,"swap":1048576}}`},
	{name: "swap with unlimited memory", resources: `{"memory":{"limit":-1,"swap":1048576}}`},
	{name: "swap alone", resources: `{"memory":{"swap":1048576}}`},
	{name: "raise memory and swap", resources: `{"memory":{"limit":200,"swap":300}}`,
		now: map[string]string{"memory.limit_in_bytes": "100", "memory.memsw.limit_in_bytes": "150"}},
	{name: "lower memory and swap", resources: `{"memory":{"limit":100,"swap":150}}`,
		now: map[string]string{"memory.limit_in_bytes": "200", "memory.memsw.limit_in_bytes": "300"}},
	{name: "swappiness", resources: `{"memory":{"swappiness":0}}`},
	{name: "swappiness too high", resources: `{"memory":{"swappiness":201}}`},
	{name: "oom killer off", resources: `{"memory":{"disableOOMKiller":true}}`},
	{name: "oom killer on", resources: `{"memory":{"disableOOMKiller":false}}`},
	{name: "kernel memory", resources: `{"memory":{"kernel":1048576}}`},
	{name: "kernel tcp memory", resources: `{"memory":{"kernelTCP":1048576}}`},
	{name: "cpu shares", resources: `{"cpu":{"shares":512}}`},
	{name: "cpu quota and period", resources: `{"cpu":{"quota":50000,"period":200000}}`},
	{name: "cpu quota keeps the period", resources: `{"cpu":{"quota":50000}}`, now: map[string]string{"cpu.max": "max 200000"}},
	{name: "cpu period keeps the quota", resources: `{"cpu":{"period":50000}}`, now: map[string]string{"cpu.max": "30000 100000"}},
	{name: "cpu quota unlimited", resources: `{"cpu":{"quota":-1}}`, now: map[string]string{"cpu.max": "30000 100000"}},
	{name: "cpu quota first when that is less", resources: `{"cpu":{"quota":1000,"period":10000}}`,
		now: map[string]string{"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000", "cpu.max": "50000 100000"}},
	{name: "cpu period first when that is less", resources: `{"cpu":{"quota":400000,"period":500000}}`,
		now: map[string]string{"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000", "cpu.max": "50000 100000"}},
	{name: "cpu burst on a new cgroup", resources: `{"cpu":{"quota":50000,"burst":10000}}`},
	{name: "cpu burst shrinks before the quota", resources: `{"cpu":{"quota":10000,"burst":5000}}`,
		now: map[string]string{"cpu.cfs_burst_us": "40000", "cpu.max.burst": "40000", "cpu.max": "50000 100000"}},
	{name: "cpu burst above quota", resources: `{"cpu":{"quota":50000,"burst":50001}}`},
	{name: "cpu burst of zero", resources: `{"cpu":{"burst":0}}`},
	{name: "cpu idle wins over shares", resources: `{"cpu":{"idle":1,"shares":512}}`},
	{name: "cpu not idle, then shares", resources: `{"cpu":{"idle":0,"shares":512}}`, now: map[string]string{"cpu.idle": "1"}},
	{name: "cpu not idle on an old kernel", resources: `{"cpu":{"idle":0}}`},
	{name: "cpu idle is no number of its own", resources: `{"cpu":{"idle":2}}`},
	{name: "cpu realtime", resources: `{"cpu":{"realtimeRuntime":950000,"realtimePeriod":1000000}}`},
	{name: "cpuset", resources: `{"cpu":{"cpus":"0-1,3","mems":"0"}}`},
	{name: "pids", resources: `{"pids":{"limit":7}}`},
	{name: "pids zero is a limit", resources: `{"pids":{"limit":0}}`},
	{name: "pids unlimited", resources: `{"pids":{"limit":-1}}`},
	{name: "pids without limit", resources: `{"pids":{}}`},
	{name: "blkio weights", resources: `{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":0,"weight":10},{"major":8,"minor":16,"weight":1000}]}}`},
	{name: "blkio leaf weight", resources: `{"blockIO":{"leafWeight":300}}`},
	{name: "blkio leaf weight of a device", resources: `{"blockIO":{"weightDevice":[{"major":8,"minor":0,"leafWeight":300}]}}`},
	{name: "blkio weight out of range", resources: `{"blockIO":{"weight":9}}`},
	{name: "blkio device without weight", resources: `{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}}`},
	{name: "blkio throttles", resources: `{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1048576}],"throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":0}],"throttleReadIOPSDevice":[{"major":8,"minor":16,"rate":100}],"throttleWriteIOPSDevice":[{"major":253,"minor":0,"rate":200}]}}`},
	{name: "hugetlb", resources: `{"hugepageLimits":[{"pageSize":"2MB","limit":209715200},{"pageSize":"1GB","limit":0}]}`},
	{name: "hugetlb escape", resources: `{"hugepageLimits":[{"pageSize":"../../x","limit":1}]}`},
	{name: "hugetlb lower case", resources: `{"hugepageLimits":[{"pageSize":"2mB","limit":1}]}`},
	{name: "net class", resources: `{"network":{"classID":1048577}}`},
	{name: "net priorities", resources: `{"network":{"priorities":[{"name":"eth0","priority":5},{"name":"lo","priority":1}]}}`},
	{name: "net priority of nothing", resources: `{"network":{"priorities":[{"name":"a b","priority":5}]}}`},
	{name: "rdma", resources: `{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000},"mlx4_0":{"hcaObjects":1000}}}`},
	{name: "rdma without limit", resources: `{"rdma":{"mlx4_0":{}}}`},
}

// TestSettings compares what both versions would write with testdata/settings.txt.
func TestSettings(t *testing.T) {
	var b strings.Builder
	for _, c := range settingCases {
		var r specs.LinuxResources
		if err := json.Unmarshal([]byte(c.resources), &r); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		now := func(file string) string { return c.now[file] }
		b.WriteString("== " + c.name + "\n")
		for _, file := range sortedKeys(c.now) {
			b.WriteString("   now " + file + " " + c.now[file] + "\n")
		}
		for _, controller := range controllers() {
			if !controller.asked(&r) {
				continue
			}
			if controller.v1 != nil {
				list, err := controller.v1(&r, now)
				writeSettings(&b, "v1", list, err)
			}
			if controller.v2 != nil {
				list, err := controller.v2(&r, now)
				writeSettings(&b, "v2", list, err)
			}
		}
	}
	golden(t, "testdata/settings.txt", b.String())
}

func writeSettings(b *strings.Builder, version string, list []Setting, err error) {
	if err != nil {
		b.WriteString(version + " error " + err.Error() + "\n")
		return
	}
	for _, s := range list {
		b.WriteString(version + " " + s.File + " <- " + s.Value)
		for e := s.Else; e != nil; e = e.Else {
			b.WriteString(" | " + strings.TrimSpace(e.File+" <- "+e.Value))
		}
		b.WriteString("   (" + s.Field + ")\n")
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(file, []byte(got), 0o644))
	}
	text, err := os.ReadFile(file)
	must(t, err)
	if want := string(text); got != want {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Fatalf("%s:%d: got\n\t%s\nwant\n\t%s", file, i+1, gotLines[i], wantLines[i])
			}
		}
		t.Fatalf("%s: got %d lines, want %d", file, len(gotLines), len(wantLines))
	}
}

func TestWeight(t *testing.T) {
	for shares, want := range map[uint64]uint64{
		0: 1, 1: 1, 2: 1, 3: 2, 512: 59, 1024: 100, 2048: 174, 102400: 4429, 262143: 10000, 262144: 10000, 1 << 40: 10000,
	} {
		if got := Weight(shares); got != want {
			t.Errorf("Weight(%d): got %d, want %d", shares, got, want)
		}
	}
	last := uint64(0)
	for shares := uint64(2); shares <= 262144; shares++ {
		w := Weight(shares)
		if w < last || w < 1 || w > 10000 {
			t.Fatalf("Weight(%d) is %d after %d", shares, w, last)
		}
		last = w
	}
}

func TestUnifiedSettings(t *testing.T) {
	list, err := unifiedSettings(map[string]string{"memory.high": "1000000", "io.max": "8:0 rbps=1\n8:16 rbps=2\n", "cgroup.max.depth": "3"})
	must(t, err)
	var b strings.Builder
	for _, s := range list {
		b.WriteString(s.Controller + s.File + " <- " + s.Value + "\n")
	}
	want := "cgroup.max.depth <- 3\nio.max <- 8:0 rbps=1\nio.max <- 8:16 rbps=2\nmemory.high <- 1000000\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	for _, file := range []string{"../x", "memory/high", "", ".procs", "nodot", "a.b/../c", "memory.\x00"} {
		if list, err := unifiedSettings(map[string]string{file: "1"}); err == nil {
			t.Errorf("%q was taken: %v", file, list)
		}
	}
}

func TestPrevious(t *testing.T) {
	cases := []struct{ name, file, value, content, want string }{
		{"plain", "pids.max", "5", "max\n", "max"},
		{"two words", "cpu.max", "1 2", "max 100000\n", "max 100000"},
		{"oom control", "memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "0"},
		{"throttle that was", "blkio.throttle.read_bps_device", "8:0 7", "8:16 1\n8:0 99\n", "8:0 99"},
		{"throttle that was not", "blkio.throttle.read_bps_device", "8:0 7", "", "8:0 0"},
		{"io.max that was", "io.max", "8:0 rbps=7", "8:0 rbps=99 wbps=max riops=max wiops=5\n", "8:0 rbps=99"},
		{"io.max that was not", "io.max", "8:0 rbps=7", "8:16 rbps=99 wbps=max riops=max wiops=max\n", "8:0 rbps=max"},
		{"io.weight default", "io.weight", "default 7", "default 100\n8:0 50\n", "default 100"},
		{"io.weight new device", "io.weight", "8:16 7", "default 100\n8:0 50\n", "8:16 default"},
		{"bfq weight of old kernels", "io.bfq.weight", "default 7", "100\n", "100"},
		{"rdma", "rdma.max", "mlx4_0 hca_handle=2", "mlx4_0 hca_handle=max hca_object=max\n", "mlx4_0 hca_handle=max hca_object=max"},
		{"priority", "net_prio.ifpriomap", "eth0 7", "lo 0\neth0 3\n", "eth0 3"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, ok := previous(Setting{File: c.file, Value: c.value}, c.content)
			if !ok || got.Value != c.want {
				t.Errorf("got %q, %v; want %q", got.Value, ok, c.want)
			}
		})
	}
	if _, ok := previous(Setting{File: "cpuset.cpus", Value: "0"}, "\n"); ok {
		t.Error("an empty file cannot be written back")
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
