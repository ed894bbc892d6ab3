package cgroups

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Owner decides whether the container may manage cgroups of its own, and gives
// the host uid that shall own its cgroup then, config-linux.md#cgroup-ownership:
// only with a new cgroup namespace and a writable mount of it at
// /sys/fs/cgroup. The rule is for version 2; on version 1 it is not safe.
func Owner(config *specs.Spec) (uid int, ok bool) {
	if config.Linux == nil || config.Process == nil || !newCgroupNamespace(config.Linux.Namespaces) {
		return 0, false
	}
	for _, m := range config.Mounts {
		if m.Source == "cgroup" && strings.TrimRight(m.Destination, "/") == "/sys/fs/cgroup" && !slices.Contains(m.Options, "ro") {
			return hostID(config.Process.User.UID, config.Linux.UIDMappings)
		}
	}
	return 0, false
}

func newCgroupNamespace(namespaces []specs.LinuxNamespace) bool {
	for _, n := range namespaces {
		if n.Type == specs.CgroupNamespace {
			return n.Path == ""
		}
	}
	return false
}

// hostID maps an id of the container. An id without a mapping owns nothing.
func hostID(id uint32, mappings []specs.LinuxIDMapping) (int, bool) {
	for _, m := range mappings {
		if id >= m.ContainerID && uint64(id) < uint64(m.ContainerID)+uint64(m.Size) {
			return int(m.HostID + (id - m.ContainerID)), true
		}
	}
	return int(id), len(mappings) == 0
}
