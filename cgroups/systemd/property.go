package systemd

import (
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
)

// Property is a setting of a unit, systemd.resource-control(5) as the D-Bus API
// of systemd spells it, org.freedesktop.systemd1(5).
type Property struct {
	Name  string
	Value any
	// optional: an older systemd may not know it. The limit holds all the same,
	// since package cgroups writes it into the cgroup; only a daemon-reload could
	// undo it.
	optional bool
}

// infinity is how systemd spells "no limit".
const infinity = 1<<64 - 1

// Properties turns resources into unit properties; unified selects those for
// cgroup v2. Zero leaves a limit alone, as everywhere. r may be nil.
func Properties(r *specs.LinuxResources, unified bool) ([]Property, error) {
	if r == nil {
		return nil, nil
	}
	var list []Property
	if r.Memory != nil {
		list = append(list, memory(r.Memory, unified)...)
	}
	if r.CPU != nil {
		more, err := cpu(r.CPU, unified)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	if r.Pids != nil && r.Pids.Limit != nil && *r.Pids.Limit != 0 { // systemd refuses 0; the file takes it
		list = append(list, Property{Name: "TasksMax", Value: limit(*r.Pids.Limit)})
	}
	if r.BlockIO != nil {
		list = append(list, blockIO(r.BlockIO, unified)...)
	}
	more, err := unifiedProperties(r.Unified)
	return append(list, more...), err
}

// limit: -1 is no limit.
func limit(n int64) uint64 {
	if n < 0 {
		return infinity
	}
	return uint64(n)
}

func memory(m *specs.LinuxMemory, unified bool) []Property {
	var list []Property
	add := func(n *int64, name string) {
		if n != nil && *n != 0 {
			list = append(list, Property{Name: name, Value: limit(*n)})
		}
	}
	if !unified {
		add(m.Limit, "MemoryLimit")
		return list
	}
	add(m.Limit, "MemoryMax")
	add(m.Reservation, "MemoryLow")
	if m.Swap == nil || *m.Swap == 0 {
		if m.Limit != nil && *m.Limit < 0 { // as package cgroups has it
			list = append(list, Property{Name: "MemorySwapMax", Value: uint64(infinity)})
		}
		return list
	}
	swap := limit(*m.Swap)
	if m.Limit != nil && *m.Limit > 0 && swap != infinity && swap >= uint64(*m.Limit) {
		swap -= uint64(*m.Limit) // the spec counts memory and swap together
	}
	return append(list, Property{Name: "MemorySwapMax", Value: swap})
}

func cpu(c *specs.LinuxCPU, unified bool) ([]Property, error) {
	var list []Property
	idle := c.Idle != nil && *c.Idle == 1
	switch {
	case idle && unified:
		list = append(list, Property{Name: "CPUWeight", Value: uint64(0), optional: true}) // "idle", since 252
	case c.Shares != nil && *c.Shares != 0 && unified:
		list = append(list, Property{Name: "CPUWeight", Value: cgroups.Weight(*c.Shares)})
	case c.Shares != nil && *c.Shares != 0:
		list = append(list, Property{Name: "CPUShares", Value: *c.Shares})
	}
	list = append(list, quota(c)...)
	if !unified {
		return list, nil // cpuset has no properties there; package cgroups sets it
	}
	for _, set := range []struct{ field, list, name string }{
		{"linux.resources.cpu.cpus", c.Cpus, "AllowedCPUs"}, // since 244
		{"linux.resources.cpu.mems", c.Mems, "AllowedMemoryNodes"},
	} {
		if set.list == "" {
			continue
		}
		mask, ok := bitmask(set.list)
		if !ok {
			return nil, &diag.Error{Field: set.field, Path: set.list, Err: errors.New("is not a list of numbers and ranges"), Code: "cgroup-value-invalid"}
		}
		list = append(list, Property{Name: set.name, Value: mask, optional: true})
	}
	return list, nil
}

// quota: systemd keeps CPU time per second, and rounds it to whole percents. It
// is rounded up here, so that systemd never takes away what package cgroups gives.
func quota(c *specs.LinuxCPU) []Property {
	var list []Property
	period := uint64(100000) // the kernel's default
	if c.Period != nil && *c.Period != 0 {
		period = *c.Period
		list = append(list, Property{Name: "CPUQuotaPeriodUSec", Value: period, optional: true}) // since 242
	}
	if c.Quota == nil || *c.Quota == 0 {
		return list
	}
	perSecond := uint64(infinity)
	if *c.Quota > 0 {
		const percent = 10000
		perSecond = (uint64(*c.Quota)*1000000/period + percent - 1) / percent * percent
	}
	return append(list, Property{Name: "CPUQuotaPerSecUSec", Value: perSecond})
}

// bitmask turns "0-3,7" into bytes, lowest numbers first.
func bitmask(list string) ([]byte, bool) {
	numbers := cgroups.ParseList(list)
	if len(numbers) == 0 {
		return nil, false
	}
	mask := make([]byte, slices.Max(numbers)/8+1)
	for _, n := range numbers {
		mask[n/8] |= 1 << (n % 8)
	}
	return mask, true
}

func blockIO(b *specs.LinuxBlockIO, unified bool) []Property {
	var list []Property
	names := [...]string{"BlockIOWeight", "BlockIODeviceWeight", "BlockIOReadBandwidth", "BlockIOWriteBandwidth", "", ""}
	convert := func(weight uint16) uint64 { return uint64(weight) }
	if unified {
		names = [...]string{"IOWeight", "IODeviceWeight", "IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax"}
		convert = cgroups.IOWeight
	}
	if b.Weight != nil && *b.Weight != 0 {
		list = append(list, Property{Name: names[0], Value: convert(*b.Weight)})
	}
	var weights []NamedNumber
	for _, d := range b.WeightDevice {
		if d.Weight != nil && *d.Weight != 0 {
			weights = append(weights, NamedNumber{blockPath(d.Major, d.Minor), convert(*d.Weight)})
		}
	}
	if len(weights) > 0 {
		list = append(list, Property{Name: names[1], Value: weights, optional: true})
	}
	for i, devices := range [...][]specs.LinuxThrottleDevice{b.ThrottleReadBpsDevice, b.ThrottleWriteBpsDevice, b.ThrottleReadIOPSDevice, b.ThrottleWriteIOPSDevice} {
		if len(devices) == 0 || names[2+i] == "" {
			continue
		}
		var rates []NamedNumber
		for _, d := range devices {
			rate := d.Rate
			if rate == 0 {
				rate = infinity
			}
			rates = append(rates, NamedNumber{blockPath(d.Major, d.Minor), rate})
		}
		list = append(list, Property{Name: names[2+i], Value: rates, optional: true})
	}
	return list
}

// unifiedProperties translates the files that have a property; systemd does
// not touch the others.
func unifiedProperties(files map[string]string) ([]Property, error) {
	names := map[string]string{
		"memory.min": "MemoryMin", "memory.low": "MemoryLow", "memory.high": "MemoryHigh", "memory.max": "MemoryMax",
		"memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax", "cpu.weight": "CPUWeight",
	}
	var list []Property
	for _, file := range slices.Sorted(keys(files)) {
		value := strings.TrimSpace(files[file])
		if name := names[file]; name != "" {
			n, ok := cgroups.ParseLimit(value)
			if !ok {
				return nil, &diag.Error{Field: "linux.resources.unified[" + file + "]", Path: value, Err: errors.New("is neither a number nor max"), Code: "cgroup-value-invalid"}
			}
			list = append(list, Property{Name: name, Value: n, optional: name == "MemoryMin"}) // since 240
		}
		if name := map[string]string{"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}[file]; name != "" {
			if mask, ok := bitmask(value); ok {
				list = append(list, Property{Name: name, Value: mask, optional: true})
			}
		}
		if file == "cpu.max" {
			list = append(list, cpuMax(value)...)
		}
	}
	return list, nil
}

// cpuMax reads "QUOTA [PERIOD]".
func cpuMax(value string) []Property {
	first, second, _ := strings.Cut(value, " ")
	n, ok := cgroups.ParseLimit(first)
	period, hasPeriod := cgroups.ParseLimit(second)
	if !ok {
		return nil // the kernel will say what is wrong with it
	}
	c := &specs.LinuxCPU{}
	q := int64(-1)
	if n < 1<<62 {
		q = int64(n)
	}
	c.Quota = &q
	if hasPeriod {
		c.Period = &period
	}
	return quota(c)
}
