package cgroups

import (
	"strings"
)

// Stats reads the counters of the cgroup. A controller that is not there leaves
// its part at zero. A cgroup that is gone is an error (ENOENT or ENODEV).
func (g *Group) Stats() (*Stats, error) {
	t := g.census()
	if t == nil {
		return nil, ErrNoCgroup
	}
	if _, err := t.open(); err != nil {
		return nil, err
	}
	s := &Stats{Hugetlb: map[string]HugetlbStats{}}
	if g.mode == V2 {
		t.statsV2(s)
	} else {
		g.statsV1(s)
	}
	return s, nil
}

// number reads a counter; absent counts as zero.
func (t *tree) number(file string) uint64 {
	n, _ := parseUint(t.now(file))
	return n
}

func (t *tree) statsV2(s *Stats) {
	cpu := t.now("cpu.stat")
	s.CPU.Usage.Total = 1000 * keyedUint(cpu, "usage_usec")
	s.CPU.Usage.User = 1000 * keyedUint(cpu, "user_usec")
	s.CPU.Usage.Kernel = 1000 * keyedUint(cpu, "system_usec")
	s.CPU.Throttling = Throttling{keyedUint(cpu, "nr_periods"), keyedUint(cpu, "nr_throttled"), 1000 * keyedUint(cpu, "throttled_usec")}
	s.CPU.PSI = parsePSI(t.now("cpu.pressure"))
	s.CPUSet.CPUs = ParseList(t.now("cpuset.cpus.effective"))
	s.CPUSet.Mems = ParseList(t.now("cpuset.mems.effective"))
	t.memoryStatsV2(&s.Memory)
	s.Pids = t.pidsStats()
	s.Blkio.IoServiceBytesRecursive, s.Blkio.IoServicedRecursive = parseIOStat(t.now("io.stat"))
	s.Blkio.PSI = parsePSI(t.now("io.pressure"))
	t.hugetlbStats(s.Hugetlb)
}

func (t *tree) memoryStatsV2(m *MemoryStats) {
	m.PSI = parsePSI(t.now("memory.pressure"))
	stat := t.now("memory.stat")
	if stat == "" {
		return
	}
	m.Raw = parseKeyed(stat)
	m.Cache = m.Raw["file"]
	m.Kernel.Usage = m.Raw["kernel"]
	m.KernelTCP.Usage = m.Raw["sock"]
	m.Usage = MemoryEntry{t.number("memory.max"), t.number("memory.current"), t.number("memory.peak"),
		keyedUint(t.now("memory.events"), "max")}
	swapMax, swapNow := t.number("memory.swap.max"), t.number("memory.swap.current")
	m.Swap = MemoryEntry{addLimits(m.Usage.Limit, swapMax), m.Usage.Usage + swapNow, 0, keyedUint(t.now("memory.swap.events"), "fail")}
}

// addLimits adds two limits of which either may be "none".
func addLimits(a, b uint64) uint64 {
	if a+b < a {
		return 1<<64 - 1
	}
	return a + b
}

func (t *tree) pidsStats() PidsStats {
	limit, ok := parseUint(t.now("pids.max"))
	if !ok || limit == 1<<64-1 {
		limit = 0
	}
	return PidsStats{t.number("pids.current"), limit}
}

// hugetlbStats finds the page sizes by the files of the cgroup.
func (t *tree) hugetlbStats(m map[string]HugetlbStats) {
	v1 := t.Controllers != ""
	for _, size := range strings.Split(pageSizes(), ", ") {
		base := "hugetlb." + size + "."
		s := HugetlbStats{}
		switch {
		case v1 && t.now(base+"usage_in_bytes") != "":
			s = HugetlbStats{t.number(base + "usage_in_bytes"), t.number(base + "max_usage_in_bytes"), t.number(base + "failcnt")}
		case !v1 && t.now(base+"current") != "":
			s = HugetlbStats{t.number(base + "current"), 0, keyedUint(t.now(base+"events"), "max")}
		default:
			continue
		}
		m[size] = s
	}
}

func (g *Group) statsV1(s *Stats) {
	if t := g.legacy("cpuacct"); t != nil {
		t.cpuStatsV1(&s.CPU.Usage)
	}
	if t := g.legacy("cpu"); t != nil {
		cpu := t.now("cpu.stat")
		s.CPU.Throttling = Throttling{keyedUint(cpu, "nr_periods"), keyedUint(cpu, "nr_throttled"), keyedUint(cpu, "throttled_time")}
	}
	if t := g.legacy("cpuset"); t != nil {
		t.cpusetStats(&s.CPUSet)
	}
	if t := g.legacy("memory"); t != nil {
		t.memoryStatsV1(&s.Memory)
	}
	if t := g.legacy("pids"); t != nil {
		s.Pids = t.pidsStats()
	}
	if t := g.legacy("blkio"); t != nil {
		t.blkioStatsV1(&s.Blkio)
	}
	if t := g.home("hugetlb"); t != nil {
		t.hugetlbStats(s.Hugetlb)
	}
}

// userTick is the unit of cpuacct.stat: USER_HZ is 100 on every architecture
// we support.
const userTick = 1e9 / 100

func (t *tree) cpuStatsV1(u *CPUUsage) {
	u.Total = t.number("cpuacct.usage")
	stat := t.now("cpuacct.stat")
	u.User = userTick * keyedUint(stat, "user")
	u.Kernel = userTick * keyedUint(stat, "system")
	u.Percpu = parseUints(t.now("cpuacct.usage_percpu"))
	for line := range strings.Lines(t.now("cpuacct.usage_all")) { // cpu user system
		if n := parseUints(line); len(n) == 3 {
			u.PercpuUser = append(u.PercpuUser, n[1])
			u.PercpuKernel = append(u.PercpuKernel, n[2])
		}
	}
}

func (t *tree) cpusetStats(s *CPUSetStats) {
	s.CPUs = ParseList(t.now("cpuset.cpus"))
	s.Mems = ParseList(t.now("cpuset.mems"))
	for file, n := range map[string]*uint64{
		"cpuset.cpu_exclusive":      &s.CPUExclusive,
		"cpuset.mem_hardwall":       &s.MemHardwall,
		"cpuset.mem_exclusive":      &s.MemExclusive,
		"cpuset.memory_migrate":     &s.MemoryMigrate,
		"cpuset.memory_spread_page": &s.MemorySpreadPage,
		"cpuset.memory_spread_slab": &s.MemorySpreadSlab,
		"cpuset.memory_pressure":    &s.MemoryPressure,
		"cpuset.sched_load_balance": &s.SchedLoadBalance,
	} {
		*n = t.number(file)
	}
	if level := t.now("cpuset.sched_relax_domain_level"); strings.HasPrefix(level, "-") {
		s.SchedRelaxDomainLevel = -int64(keyedUint("n "+level[1:], "n"))
	} else {
		s.SchedRelaxDomainLevel = int64(keyedUint("n "+level, "n"))
	}
}

func (t *tree) memoryStatsV1(m *MemoryStats) {
	m.Raw = parseKeyed(t.now("memory.stat"))
	m.Cache = m.Raw["cache"]
	m.Usage = t.memoryEntry("memory.")
	m.Swap = t.memoryEntry("memory.memsw.")
	m.Kernel = t.memoryEntry("memory.kmem.")
	m.KernelTCP = t.memoryEntry("memory.kmem.tcp.")
}

func (t *tree) memoryEntry(prefix string) MemoryEntry {
	return MemoryEntry{t.number(prefix + "limit_in_bytes"), t.number(prefix + "usage_in_bytes"),
		t.number(prefix + "max_usage_in_bytes"), t.number(prefix + "failcnt")}
}

// blkioStatsV1 prefers the counters of the BFQ scheduler; without it the
// throttling layer counts.
func (t *tree) blkioStatsV1(b *BlkioStats) {
	for _, prefix := range []string{"blkio.bfq.", "blkio.throttle."} {
		b.IoServiceBytesRecursive = parseBlkio(t.now(prefix + "io_service_bytes_recursive"))
		b.IoServicedRecursive = parseBlkio(t.now(prefix + "io_serviced_recursive"))
		if len(b.IoServicedRecursive) > 0 {
			break
		}
	}
	b.IoQueuedRecursive = parseBlkio(t.now("blkio.bfq.io_queued_recursive"))
	b.IoServiceTimeRecursive = parseBlkio(t.now("blkio.bfq.io_service_time_recursive"))
	b.IoWaitTimeRecursive = parseBlkio(t.now("blkio.bfq.io_wait_time_recursive"))
	b.IoMergedRecursive = parseBlkio(t.now("blkio.bfq.io_merged_recursive"))
	b.IoTimeRecursive = parseBlkio(t.now("blkio.bfq.time_recursive"))
	b.SectorsRecursive = parseBlkio(t.now("blkio.bfq.sectors_recursive"))
}
