package cgroups

import (
	"strconv"
	"strings"
)

// Stats is a snapshot of the counters of a cgroup. The JSON keys are those of
// runc's events command, which monitoring tools parse; intel_rdt and
// network_interfaces are not of a cgroup and are added by the caller.
type Stats struct {
	CPU     CPUStats                `json:"cpu"`
	CPUSet  CPUSetStats             `json:"cpuset"`
	Memory  MemoryStats             `json:"memory"`
	Pids    PidsStats               `json:"pids"`
	Blkio   BlkioStats              `json:"blkio"`
	Hugetlb map[string]HugetlbStats `json:"hugetlb"`
}

// CPUStats holds CPU time in nanoseconds.
type CPUStats struct {
	Usage      CPUUsage   `json:"usage"`
	Throttling Throttling `json:"throttling"`
	PSI        *PSI       `json:"psi,omitempty"`
}

// CPUUsage is CPU time in nanoseconds; the lists have one entry per CPU and
// exist on version 1 only.
type CPUUsage struct {
	Total        uint64   `json:"total,omitempty"`
	Percpu       []uint64 `json:"percpu,omitempty"`
	PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
	PercpuUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// Throttling counts periods of cpu.quota; the time is in nanoseconds.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`
}

// CPUSetStats are the files of a version 1 cpuset; version 2 has CPUs and Mems only.
type CPUSetStats struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

// MemoryStats holds bytes. Swap counts memory and swap together.
type MemoryStats struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	PSI       *PSI              `json:"psi,omitempty"`
}

// MemoryEntry is one counter of bytes; no limit is the largest number.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// PidsStats counts tasks; a limit of zero stands for none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// BlkioStats lists counters per device and operation.
type BlkioStats struct {
	IoServiceBytesRecursive []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	IoServicedRecursive     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	IoQueuedRecursive       []BlkioEntry `json:"ioQueueRecursive,omitempty"`
	IoServiceTimeRecursive  []BlkioEntry `json:"ioServiceTimeRecursive,omitempty"`
	IoWaitTimeRecursive     []BlkioEntry `json:"ioWaitTimeRecursive,omitempty"`
	IoMergedRecursive       []BlkioEntry `json:"ioMergedRecursive,omitempty"`
	IoTimeRecursive         []BlkioEntry `json:"ioTimeRecursive,omitempty"`
	SectorsRecursive        []BlkioEntry `json:"sectorsRecursive,omitempty"`
	PSI                     *PSI         `json:"psi,omitempty"`
}

// BlkioEntry is one counter of one device.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

// HugetlbStats holds bytes of one page size.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// PSI is the time lost to waiting, psi.rst: some task waited, or all did.
type PSI struct {
	Some PSILine `json:"some"`
	Full PSILine `json:"full"`
}

// PSILine holds percentages over 10, 60 and 300 seconds, and microseconds in total.
type PSILine struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// parsePSI reads a *.pressure file; nil when it has nothing to say.
//
//	some avg10=0.00 avg60=0.00 avg300=0.00 total=0
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=0
func parsePSI(text string) *PSI {
	var psi PSI
	found := false
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		out := &psi.Some
		if kind == "full" {
			out = &psi.Full
		} else if kind != "some" {
			continue
		}
		found = true
		for field := range strings.FieldsSeq(rest) {
			out.set(field)
		}
	}
	if !found {
		return nil
	}
	return &psi
}

func (l *PSILine) set(field string) {
	key, value, _ := strings.Cut(field, "=")
	switch key {
	case "total":
		l.Total, _ = strconv.ParseUint(value, 10, 64)
		return
	}
	share, err := strconv.ParseFloat(value, 64)
	if err != nil || !(share >= 0 && share <= 100) { // so written, it also keeps out NaN, which JSON has no word for
		return
	}
	switch key {
	case "avg10":
		l.Avg10 = share
	case "avg60":
		l.Avg60 = share
	case "avg300":
		l.Avg300 = share
	}
}

// parseKeyed reads a flat keyed file into a map.
func parseKeyed(text string) map[string]uint64 {
	m := make(map[string]uint64)
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			if n, err := strconv.ParseUint(value, 10, 64); err == nil {
				m[key] = n
			}
		}
	}
	return m
}

// ParseList reads a list of CPUs or memory nodes: "0-3,7". What is not a list
// of numbers below 65536 in rising ranges gives nil.
func ParseList(text string) []uint16 {
	var list []uint16
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err != nil || err2 != nil || to < from || len(list) > 1<<16 {
			return nil
		}
		for n := from; n <= to; n++ {
			list = append(list, uint16(n))
		}
	}
	return list
}

// parseUints reads blank-separated numbers, and stops at what is none.
func parseUints(text string) []uint64 {
	var list []uint64
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			break
		}
		list = append(list, n)
	}
	return list
}
