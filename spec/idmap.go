package spec

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxMappings is the kernel's limit on the lines of a map, see user_namespaces(7).
const maxMappings = 340

// userNamespace checks config-linux.md#user-namespace-mappings.
func (c *checker) userNamespace(l *specs.Linux) {
	const uids, gids = "linux.uidMappings", "linux.gidMappings"
	ns := Namespace(c.config, specs.UserNamespace)
	if ns == nil {
		if len(l.UIDMappings) > 0 {
			c.problem(uids, "needs a user namespace in linux.namespaces")
		}
		if len(l.GIDMappings) > 0 {
			c.problem(gids, "needs a user namespace in linux.namespaces")
		}
		return
	}
	// A joined namespace has its maps; engines repeat them, or leave them out.
	if ns.Path == "" || len(l.UIDMappings)+len(l.GIDMappings) > 0 {
		c.bothMappings("linux", l.UIDMappings, l.GIDMappings, "a user namespace needs both")
	}
	c.mappings(uids, l.UIDMappings)
	c.mappings(gids, l.GIDMappings)
}

// bothMappings reports that one or both lists are missing.
func (c *checker) bothMappings(object string, uids, gids []specs.LinuxIDMapping, why string) {
	if len(uids) == 0 {
		c.problem(object+".uidMappings", "is missing: "+why)
	}
	if len(gids) == 0 {
		c.problem(object+".gidMappings", "is missing: "+why)
	}
}

// mappings checks what the kernel demands of a map, see user_namespaces(7).
func (c *checker) mappings(field string, list []specs.LinuxIDMapping) {
	if len(list) > maxMappings {
		c.problem(field, fmt.Sprintf("has %d entries, the kernel takes at most %d", len(list), maxMappings))
		return
	}
	for i, m := range list {
		switch {
		case m.Size == 0:
			c.problem(at(field, i)+".size", "is 0, must be at least 1")
			continue
		case beyondIDs(m.ContainerID, m.Size):
			c.problem(at(field, i), "goes beyond the last id, containerID + size is more than 4294967295")
		case beyondIDs(m.HostID, m.Size):
			c.problem(at(field, i), "goes beyond the last id, hostID + size is more than 4294967295")
		}
		for j, other := range list[:i] {
			if overlap(m.ContainerID, m.Size, other.ContainerID, other.Size) {
				c.problem(at(field, i), "maps container ids that "+at(field, j)+" maps already")
				break
			}
			if overlap(m.HostID, m.Size, other.HostID, other.Size) {
				c.problem(at(field, i), "maps host ids that "+at(field, j)+" maps already")
				break
			}
		}
	}
}

// beyondIDs says whether a range leaves the ids that exist; the last 32-bit
// number is none: it means "no id".
func beyondIDs(first, size uint32) bool { return uint64(first)+uint64(size) > 1<<32-1 }

func overlap(a, sizeA, b, sizeB uint32) bool {
	return uint64(a) < uint64(b)+uint64(sizeB) && uint64(b) < uint64(a)+uint64(sizeA)
}

// isMapped says whether a list maps an id of the container.
func isMapped(list []specs.LinuxIDMapping, id uint32) bool {
	for _, m := range list {
		if m.ContainerID <= id && uint64(id) < uint64(m.ContainerID)+uint64(m.Size) {
			return true
		}
	}
	return false
}

// noID is (uid_t)-1, which setuid(2) and chown(2) take for "leave it alone".
const noID = 1<<32 - 1

// containerID reports an id that does not exist in the container's user
// namespace; which is "uid" or "gid".
func (c *checker) containerID(field, which string, id uint32) {
	switch {
	case id == noID:
		c.unsigned(field, uint64(id), "which means no id to the kernel")
	case !c.isContainerID(which, id):
		c.unsigned(field, uint64(id), "which linux."+which+"Mappings does not map")
	}
}

func (c *checker) isContainerID(which string, id uint32) bool {
	l := c.config.Linux
	if l == nil || Namespace(c.config, specs.UserNamespace) == nil {
		return true
	}
	list := l.UIDMappings
	if which == "gid" {
		list = l.GIDMappings
	}
	// The maps of a namespace that is joined are not known if config has none.
	return len(list) == 0 || isMapped(list, id)
}
