package cgroups

import (
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const rdmaField = "linux.resources.rdma"

func rdmaAsked(r *specs.LinuxResources) bool { return len(r.Rdma) > 0 }

// rdma is the same for both versions (Linux 4.11), cgroup-v2.rst:
//
//	mlx4_0 hca_handle=2 hca_object=2000
func rdma(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	var list []Setting
	for _, device := range slices.Sorted(maps.Keys(r.Rdma)) {
		limit, field := r.Rdma[device], rdmaField+"["+device+"]"
		if device == "" || strings.ContainsAny(device, " \n/") {
			return nil, refusal(field, device, "is not the name of a device")
		}
		if limit.HcaHandles == nil && limit.HcaObjects == nil {
			return nil, refusal(field, "", "has neither hcaHandles nor hcaObjects")
		}
		value := device
		if limit.HcaHandles != nil {
			value += " hca_handle=" + utoa(uint64(*limit.HcaHandles))
		}
		if limit.HcaObjects != nil {
			value += " hca_object=" + utoa(uint64(*limit.HcaObjects))
		}
		list = append(list, Setting{Controller: "rdma", Field: field, File: "rdma.max", Value: value})
	}
	return list, nil
}
