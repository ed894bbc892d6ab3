package cgroups

import "github.com/opencontainers/runtime-spec/specs-go"

func pidsAsked(r *specs.LinuxResources) bool { return r.Pids != nil && r.Pids.Limit != nil }

// pids is the same for both versions. -1 is "max"; 0 is a real limit.
func pids(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	return []Setting{{Controller: "pids", Field: "linux.resources.pids.limit", File: "pids.max", Value: maxOr(*r.Pids.Limit)}}, nil
}
