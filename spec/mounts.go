package spec

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// mounts checks config.md#mounts, as far as the options that this runtime
// itself reads go; the rest are for the file system to judge.
func (c *checker) mounts() {
	list := c.config.Mounts
	for i := range list {
		c.mount(i, &list[i])
	}
	if len(list) > 0 {
		c.needsNamespace("mounts", specs.MountNamespace)
	}
}

func (c *checker) mount(i int, m *specs.Mount) {
	bind := slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
	switch {
	case m.Destination == "":
		c.problem(at("mounts", i)+".destination", "is missing")
	default:
		c.procMount(i, m, bind)
	}
	if bind && m.Source == "" && !slices.Contains(m.Options, "remount") {
		c.problem(at("mounts", i)+".source", "is missing: a bind mount needs one")
	}
	if !bind && m.Type == "" && !changesMount(m.Options) {
		c.problem(at("mounts", i)+".type", "is missing: only bind mounts need none")
	}
	c.idmapped(i, m)
	if !bind {
		c.ownerOptions(i, m.Options)
	}
}

// changesMount says whether options change a mount that is there already.
func changesMount(options []string) bool {
	for _, o := range options {
		if o == "remount" || oneOf(o, propagations) {
			return true
		}
	}
	return false
}

// coverable are the files in /proc that LXCFS stands in for; nothing that the
// runtime, a security module or the kernel's users trust.
const coverable = "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo sys/kernel/ns_last_pid sys/crypto/fips_enabled"

// procMount keeps /proc what it says it is. Whoever covers parts of it decides
// what the runtime writes to, or reads, when it sets security labels and
// sysctls there (CVE-2019-16884, CVE-2023-28642, CVE-2025-52881). That the
// source of a bind mount on /proc itself is procfs is found out on the host.
func (c *checker) procMount(i int, m *specs.Mount, bind bool) {
	destination := path.Clean("/" + m.Destination)
	if destination == "/proc" {
		if m.Type != "proc" && !bind && m.Type != "" {
			c.value(at("mounts", i)+".type", m.Type, "only proc may be mounted on /proc")
		}
		return
	}
	if inside, ok := strings.CutPrefix(destination, "/proc/"); ok && !oneOf(inside, coverable) {
		c.value(at("mounts", i)+".destination", m.Destination, "this part of /proc may not be covered")
	}
}

// idmapped checks config.md#mounts, "idmap": maps come in pairs, and from the
// user namespace only if there is one.
func (c *checker) idmapped(i int, m *specs.Mount) {
	given := len(m.UIDMappings)+len(m.GIDMappings) > 0
	if given {
		c.bothMappings(at("mounts", i), m.UIDMappings, m.GIDMappings, "an id-mapped mount needs both")
		c.mappings(at("mounts", i)+".uidMappings", m.UIDMappings)
		c.mappings(at("mounts", i)+".gidMappings", m.GIDMappings)
		return
	}
	if Namespace(c.config, specs.UserNamespace) != nil {
		return
	}
	for j, o := range m.Options {
		if o == "idmap" || o == "ridmap" {
			c.value(at(at("mounts", i)+".options", j), o, "needs uidMappings and gidMappings, as there is no user namespace to take them from")
		}
	}
}

// ownerOptions checks that the ids which a file system is to give its files
// exist in the container's user namespace; the kernel would say EINVAL.
func (c *checker) ownerOptions(i int, options []string) {
	for j, o := range options {
		which, text, _ := strings.Cut(o, "=")
		if which != "uid" && which != "gid" {
			continue
		}
		if id, err := strconv.ParseUint(text, 10, 32); err == nil && !c.isContainerID(which, uint32(id)) {
			c.value(at(at("mounts", i)+".options", j), o, "linux."+which+"Mappings does not map this id")
		}
	}
}
