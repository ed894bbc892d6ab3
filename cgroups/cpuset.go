package cgroups

import "github.com/opencontainers/runtime-spec/specs-go"

func cpusetAsked(r *specs.LinuxResources) bool {
	return r.CPU != nil && (r.CPU.Cpus != "" || r.CPU.Mems != "")
}

// cpuset is the same for both versions; version 1 also needs both files filled
// before a process may enter, which Create sees to: cpuset_linux.go.
func cpuset(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	var list []Setting
	if r.CPU.Cpus != "" {
		list = append(list, Setting{Controller: "cpuset", Field: cpuField + ".cpus", File: "cpuset.cpus", Value: r.CPU.Cpus})
	}
	if r.CPU.Mems != "" {
		list = append(list, Setting{Controller: "cpuset", Field: cpuField + ".mems", File: "cpuset.mems", Value: r.CPU.Mems})
	}
	return list, nil
}
