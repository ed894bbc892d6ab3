package spec

import (
	"math"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// resources checks config-linux.md#control-groups: the values that no kernel
// takes, and names that would lead to another file than meant. Zero passes
// where a kernel would refuse it: to update it means "leave it alone".
func (c *checker) resources(field string, r *specs.LinuxResources) {
	c.deviceRules(in(field, "devices"), r.Devices)
	if r.Memory != nil {
		c.memory(in(field, "memory"), r.Memory)
	}
	if r.CPU != nil {
		c.cpu(in(field, "cpu"), r.CPU)
	}
	if r.Pids != nil {
		c.atLeastMinusOne(in(field, "pids.limit"), r.Pids.Limit)
	}
	if r.BlockIO != nil {
		c.blockIO(in(field, "blockIO"), r.BlockIO)
	}
	c.hugepages(in(field, "hugepageLimits"), r.HugepageLimits)
	if r.Network != nil {
		c.priorities(in(field, "network.priorities"), r.Network.Priorities)
	}
	c.rdma(in(field, "rdma"), r.Rdma)
	c.unified(in(field, "unified"), r.Unified)
}

// atLeastMinusOne checks a limit where -1 means none.
func (c *checker) atLeastMinusOne(field string, n *int64) {
	if n != nil && *n < -1 {
		c.number(field, *n, "must be -1 (no limit) or more")
	}
}

// deviceRules checks config-linux.md#allowed-device-list. A number of -1 means
// any, as it does to runc and the engines that feed it.
func (c *checker) deviceRules(field string, list []specs.LinuxDeviceCgroup) {
	for i := range list {
		d := &list[i]
		if d.Type != "" && !oneOf(d.Type, "a b c") {
			c.unknown(at(field, i)+".type", `device type, it must be "a", "b" or "c"`, d.Type, "")
		}
		for _, n := range []struct {
			name  string
			value *int64
			most  int64
		}{{".major", d.Major, 1<<32 - 1}, {".minor", d.Minor, 1<<32 - 1}} {
			if n.value != nil && (*n.value < -1 || *n.value > n.most) {
				c.number(at(field, i)+n.name, *n.value, "is not a device number")
			}
		}
		if strings.Trim(d.Access, "rwm") != "" {
			c.value(at(field, i)+".access", d.Access, `must be made of the letters "r", "w" and "m"`)
		}
	}
}

const maxSwappiness = 100

func (c *checker) memory(field string, m *specs.LinuxMemory) {
	c.atLeastMinusOne(field+".limit", m.Limit)
	c.atLeastMinusOne(field+".reservation", m.Reservation)
	c.atLeastMinusOne(field+".swap", m.Swap)
	c.atLeastMinusOne(field+".kernel", m.Kernel)
	c.atLeastMinusOne(field+".kernelTCP", m.KernelTCP)
	// Docker once wrote -1, "not set", into this unsigned number.
	if s := m.Swappiness; s != nil && *s > maxSwappiness && *s != math.MaxUint64 {
		c.unsigned(field+".swappiness", *s, "must be at most 100")
	}
	if m.Limit != nil && m.Swap != nil && *m.Swap > 0 && (*m.Limit > *m.Swap || *m.Limit == -1) {
		c.problem(field+".swap", "is memory and swap together, so must not be less than limit")
	}
}

// The kernel's bounds for periods and quotas, in microseconds; see
// sched-bwc.rst. There is no upper one for a quota that fits.
const (
	minBandwidth = 1000
	maxPeriod    = 1_000_000
)

func (c *checker) cpu(field string, cpu *specs.LinuxCPU) {
	if q := cpu.Quota; q != nil && *q != 0 && *q != -1 && *q < minBandwidth {
		c.number(field+".quota", *q, "must be -1 (no limit) or at least 1000 microseconds")
	}
	if p := cpu.Period; p != nil && *p != 0 && (*p < minBandwidth || *p > maxPeriod) {
		c.unsigned(field+".period", *p, "must be from 1000 to 1000000 microseconds")
	}
	if cpu.Burst != nil && cpu.Quota != nil && *cpu.Quota > 0 && *cpu.Burst > uint64(*cpu.Quota) {
		c.problem(field+".burst", "is more than quota")
	}
	c.atLeastMinusOne(field+".realtimeRuntime", cpu.RealtimeRuntime)
	if r, p := cpu.RealtimeRuntime, cpu.RealtimePeriod; r != nil && p != nil && *r > 0 && *p > 0 && uint64(*r) > *p {
		c.problem(field+".realtimeRuntime", "is more than realtimePeriod")
	}
	if i := cpu.Idle; i != nil && *i != 0 && *i != 1 {
		c.number(field+".idle", *i, "must be 0 or 1")
	}
	c.cpuList(field+".cpus", cpu.Cpus)
	c.cpuList(field+".mems", cpu.Mems)
}

// maxWeight is that of io.weight on cgroup v2, the widest of the schedulers'.
const maxWeight = 10000

func (c *checker) blockIO(field string, b *specs.LinuxBlockIO) {
	c.weight(field+".weight", b.Weight)
	c.weight(field+".leafWeight", b.LeafWeight)
	for i, d := range b.WeightDevice {
		object := at(field+".weightDevice", i)
		c.deviceNumbers(object, d.Major, d.Minor)
		if d.Weight == nil && d.LeafWeight == nil {
			c.problem(object, "needs weight or leafWeight")
		}
		c.weight(object+".weight", d.Weight)
		c.weight(object+".leafWeight", d.LeafWeight)
	}
	c.throttles(field+".throttleReadBpsDevice", b.ThrottleReadBpsDevice)
	c.throttles(field+".throttleWriteBpsDevice", b.ThrottleWriteBpsDevice)
	c.throttles(field+".throttleReadIOPSDevice", b.ThrottleReadIOPSDevice)
	c.throttles(field+".throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice)
}

func (c *checker) weight(field string, w *uint16) {
	if w != nil && *w > maxWeight {
		c.number(field, int64(*w), "must be at most 10000")
	}
}

func (c *checker) throttles(field string, list []specs.LinuxThrottleDevice) {
	for i, d := range list {
		c.deviceNumbers(at(field, i), d.Major, d.Minor)
	}
}

// hugepages checks page sizes: they become part of a file's name, so "../x"
// would lead out of the controller.
func (c *checker) hugepages(field string, list []specs.LinuxHugepageLimit) {
	for i, h := range list {
		if !isPageSize(h.Pagesize) {
			c.value(at(field, i)+".pageSize", h.Pagesize, `must be of the form "64KB", "2MB" or "1GB"`)
		}
		if slices.ContainsFunc(list[:i], func(o specs.LinuxHugepageLimit) bool { return o.Pagesize == h.Pagesize }) {
			c.value(at(field, i)+".pageSize", h.Pagesize, "is listed before")
		}
	}
}

func isPageSize(s string) bool {
	for _, unit := range []string{"KB", "MB", "GB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			return isDigits(n) && n[0] != '0'
		}
	}
	return false
}

// priorities checks interface names: they are written in front of a number,
// to be parted by a space.
func (c *checker) priorities(field string, list []specs.LinuxInterfacePriority) {
	for i, p := range list {
		if !isInterfaceName(p.Name) {
			c.value(at(field, i)+".name", p.Name, "is not the name of a network interface")
		}
	}
}

func (c *checker) rdma(field string, limits map[string]specs.LinuxRdma) {
	for _, name := range sortedKeys(limits) {
		if name == "" || strings.ContainsAny(name, "/ \t\n") {
			c.problem(entry(field, name), "is not the name of an RDMA device")
		}
		if l := limits[name]; l.HcaHandles == nil && l.HcaObjects == nil {
			c.problem(entry(field, name), "needs hcaHandles or hcaObjects")
		}
	}
}

// runtimesOwn are files of a cgroup that decide which processes it holds and
// what becomes of them. No configuration has a say in that.
const runtimesOwn = "cgroup.procs cgroup.threads cgroup.kill cgroup.freeze"

// unified checks the names of files in the container's cgroup.
func (c *checker) unified(field string, files map[string]string) {
	for _, name := range sortedKeys(files) {
		switch {
		case !isUnifiedName(name):
			c.problem(entry(field, name), `must be the name of a file in a cgroup, such as "memory.high"`)
		case oneOf(name, runtimesOwn):
			c.problem(entry(field, name), "is the runtime's to write")
		}
	}
}

func isUnifiedName(name string) bool {
	controller, file, ok := strings.Cut(name, ".")
	return ok && controller != "" && file != "" && !strings.ContainsAny(name, "/ \t\n") && !strings.Contains(name, "..")
}
