package cgroups

import "github.com/opencontainers/runtime-spec/specs-go"

func pidsAsked(r *specs.LinuxResources) bool { return r.Pids != nil && r.Pids.Limit != nil }

// pidsV1 and pidsV2 are the same file. -1 is "max"; 0 is a real limit.
func pidsV1(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	return []Setting{{"pids", "linux.resources.pids.limit", "pids.max", maxOr(*r.Pids.Limit)}}, nil
}

func pidsV2(r *specs.LinuxResources, now reader) ([]Setting, error) { return pidsV1(r, now) }
