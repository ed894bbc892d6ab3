package cgroups

import "github.com/opencontainers/runtime-spec/specs-go"

func pidsAsked(r *specs.LinuxResources) bool { return r.Pids != nil && r.Pids.Limit != nil }

// pids is the same for both versions. -1 is "max"; 0 is a real limit.
func pids(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	s := Setting{Controller: "pids", Field: "linux.resources.pids.limit", File: "pids.max", Value: maxOr(*r.Pids.Limit)}
	if *r.Pids.Limit < 0 {
		s.Else = &Setting{} // who does not count them has no limit either
	}
	return []Setting{s}, nil
}
