package cgroups

import (
	"math"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const cpuField = "linux.resources.cpu"

func cpuAsked(r *specs.LinuxResources) bool {
	c := r.CPU
	return c != nil && (givenU(c.Shares) || given(c.Quota) || givenU(c.Period) || c.Burst != nil ||
		given(c.RealtimeRuntime) || givenU(c.RealtimePeriod) || c.Idle != nil)
}

func cpuV1(r *specs.LinuxResources, now reader) ([]Setting, error) {
	c := r.CPU
	if err := checkCPU(c); err != nil {
		return nil, err
	}
	list := idle(c, now)
	if givenU(c.Shares) && !isIdle(c) {
		list = append(list, cpuSetting(".shares", "cpu.shares", utoa(*c.Shares)))
	}
	if givenU(c.RealtimePeriod) {
		list = append(list, cpuSetting(".realtimePeriod", "cpu.rt_period_us", utoa(*c.RealtimePeriod)))
	}
	if given(c.RealtimeRuntime) {
		list = append(list, cpuSetting(".realtimeRuntime", "cpu.rt_runtime_us", itoa(*c.RealtimeRuntime)))
	}
	return placeBurst(append(list, bandwidthV1(c, now)...), c.Burst, "cpu.cfs_burst_us", now), nil
}

// bandwidthV1 orders period and quota. Between the two writes the old value of
// one meets the new value of the other, and the kernel refuses (EINVAL) a share
// of CPU that is above the parent's; so the order with the smaller share wins.
func bandwidthV1(c *specs.LinuxCPU, now reader) []Setting {
	var list []Setting
	if givenU(c.Period) {
		list = append(list, cpuSetting(".period", "cpu.cfs_period_us", utoa(*c.Period)))
	}
	if given(c.Quota) {
		list = append(list, cpuSetting(".quota", "cpu.cfs_quota_us", itoa(max(*c.Quota, -1))))
	}
	oldQuota, limited := parseUint(now("cpu.cfs_quota_us")) // "-1" is not limited
	oldPeriod, _ := parseUint(now("cpu.cfs_period_us"))
	if len(list) == 2 && limited && *c.Quota > 0 && oldPeriod > 0 &&
		float64(*c.Quota)/float64(oldPeriod) < float64(oldQuota)/float64(*c.Period) {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

func cpuV2(r *specs.LinuxResources, now reader) ([]Setting, error) {
	c := r.CPU
	if err := checkCPU(c); err != nil {
		return nil, err
	}
	if given(c.RealtimeRuntime) && *c.RealtimeRuntime > 0 {
		return nil, onlyV1(cpuField+".realtimeRuntime", "")
	}
	list := idle(c, now)
	if givenU(c.Shares) && !isIdle(c) {
		list = append(list, cpuSetting(".shares", "cpu.weight", utoa(Weight(*c.Shares))))
	}
	switch {
	case given(c.Quota):
		list = append(list, cpuSetting(".quota", "cpu.max", cpuMax(c, now("cpu.max"))))
	case givenU(c.Period):
		list = append(list, cpuSetting(".period", "cpu.max", cpuMax(c, now("cpu.max"))))
	}
	return placeBurst(list, c.Burst, "cpu.max.burst", now), nil
}

func cpuSetting(field, file, value string) Setting {
	return Setting{Controller: "cpu", Field: cpuField + field, File: file, Value: value}
}

// cpuMax spells "QUOTA PERIOD"; what the config leaves open keeps its present value.
func cpuMax(c *specs.LinuxCPU, present string) string {
	quota, period, _ := strings.Cut(present, " ")
	if given(c.Quota) {
		quota = maxOr(*c.Quota)
	}
	if givenU(c.Period) {
		period = utoa(*c.Period)
	}
	if quota == "" {
		quota = "max"
	}
	if period == "" {
		return quota
	}
	return quota + " " + period
}

// placeBurst puts the burst before the quota when it becomes smaller and after
// it when it grows: at no time may it exceed the quota.
func placeBurst(list []Setting, burst *uint64, file string, now reader) []Setting {
	if burst == nil {
		return list
	}
	setting := cpuSetting(".burst", file, utoa(*burst))
	if *burst == 0 {
		setting.Else = &Setting{} // before Linux 5.14 there is no other
	}
	if present, ok := parseUint(now(file)); ok && *burst <= present {
		return append([]Setting{setting}, list...)
	}
	return append(list, setting)
}

func isIdle(c *specs.LinuxCPU) bool { return c.Idle != nil && *c.Idle == 1 }

// idle writes cpu.idle (Linux 5.15). An idle cgroup refuses a weight, so idle 1
// stands alone and idle 0 comes before the shares. Kernels without the file
// are fine with "not idle".
func idle(c *specs.LinuxCPU, now reader) []Setting {
	if c.Idle == nil || *c.Idle == 0 && now("cpu.idle") == "" {
		return nil
	}
	return []Setting{cpuSetting(".idle", "cpu.idle", itoa(*c.Idle))}
}

func checkCPU(c *specs.LinuxCPU) error {
	if c.Idle != nil && *c.Idle != 0 && *c.Idle != 1 {
		return refusal(cpuField+".idle", itoa(*c.Idle), "is neither 0 nor 1")
	}
	if c.Burst != nil && given(c.Quota) && *c.Quota > 0 && *c.Burst > uint64(*c.Quota) {
		return refusal(cpuField+".burst", utoa(*c.Burst), "is above cpu.quota "+itoa(*c.Quota))
	}
	return nil
}

// Weight converts cpu.shares 2..262144 to cpu.weight 1..10000 so that the
// default 1024 becomes the default 100 and both ends meet:
//
//	weight = ceil(10^((l*l + 125*l)/612 - 7/34)), l = log2(shares)
//
// Values outside are clamped as the kernel clamps shares.
func Weight(shares uint64) uint64 {
	switch {
	case shares <= 2:
		return 1
	case shares == 1024: // exact by definition; do not leave it to rounding
		return 100
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34.0)))
}
