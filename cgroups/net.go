package cgroups

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const networkField = "linux.resources.network"

// The network controllers exist in version 1 only. A class of zero is the
// kernel's "no class" and asks for nothing.
func netClsAsked(r *specs.LinuxResources) bool {
	return r.Network != nil && r.Network.ClassID != nil && *r.Network.ClassID != 0
}

func netClsV1(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	return []Setting{{Controller: "net_cls", Field: networkField + ".classID", File: "net_cls.classid", Value: utoa(uint64(*r.Network.ClassID))}}, nil
}

func netPrioAsked(r *specs.LinuxResources) bool {
	return r.Network != nil && len(r.Network.Priorities) > 0
}

func netPrioV1(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	var list []Setting
	for i, p := range r.Network.Priorities {
		field := indexed(networkField+".priorities", i)
		if p.Name == "" || strings.ContainsAny(p.Name, " \n/") {
			return nil, refusal(field+".name", p.Name, "is not the name of a network interface")
		}
		list = append(list, Setting{Controller: "net_prio", Field: field, File: "net_prio.ifpriomap", Value: p.Name + " " + utoa(uint64(p.Priority))})
	}
	return list, nil
}
