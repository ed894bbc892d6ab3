package cgroups

import "github.com/opencontainers/runtime-spec/specs-go"

func cpusetAsked(r *specs.LinuxResources) bool {
	return r.CPU != nil && (r.CPU.Cpus != "" || r.CPU.Mems != "")
}

// cpusetV1 and cpusetV2 are alike; only version 1 also needs both files filled
// before a process may enter, which create does: cpuset_linux.go.
func cpusetV1(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	var list []Setting
	if r.CPU.Cpus != "" {
		list = append(list, Setting{"cpuset", cpuField + ".cpus", "cpuset.cpus", r.CPU.Cpus})
	}
	if r.CPU.Mems != "" {
		list = append(list, Setting{"cpuset", cpuField + ".mems", "cpuset.mems", r.CPU.Mems})
	}
	return list, nil
}

func cpusetV2(r *specs.LinuxResources, now reader) ([]Setting, error) { return cpusetV1(r, now) }
