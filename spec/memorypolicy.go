package spec

import "github.com/opencontainers/runtime-spec/specs-go"

const (
	memoryModes = "MPOL_DEFAULT MPOL_BIND MPOL_INTERLEAVE MPOL_WEIGHTED_INTERLEAVE MPOL_PREFERRED MPOL_PREFERRED_MANY MPOL_LOCAL"
	memoryFlags = "MPOL_F_NUMA_BALANCING MPOL_F_RELATIVE_NODES MPOL_F_STATIC_NODES"
)

// memoryPolicy checks config-linux.md#memory-policy by set_mempolicy(2).
func (c *checker) memoryPolicy(p *specs.LinuxMemoryPolicy) {
	const field = "linux.memoryPolicy"
	if p == nil {
		return
	}
	switch p.Mode {
	case specs.MpolDefault, specs.MpolLocal:
		if p.Nodes != "" {
			c.value(field+".nodes", p.Nodes, "must be empty for "+string(p.Mode))
		}
	case specs.MpolBind, specs.MpolInterleave, specs.MpolWeightedInterleave, specs.MpolPreferredMany:
		if p.Nodes == "" {
			c.problem(field+".nodes", "is missing: "+string(p.Mode)+" needs at least one node")
		}
	case specs.MpolPreferred: // with or without
	default:
		c.unknown(field+".mode", "memory policy mode", string(p.Mode), memoryModes)
	}
	c.cpuList(field+".nodes", p.Nodes)
	fixed := 0
	for i, flag := range p.Flags {
		switch flag {
		case specs.MpolFStaticNodes, specs.MpolFRelativeNodes:
			fixed++
			if fixed == 2 {
				c.value(at(field+".flags", i), string(flag), "excludes the flag before")
			}
			if p.Nodes == "" {
				c.value(at(field+".flags", i), string(flag), "needs nodes")
			}
		case specs.MpolFNumaBalancing:
			if p.Mode != specs.MpolBind && p.Mode != specs.MpolPreferredMany {
				c.value(at(field+".flags", i), string(flag), "needs the mode MPOL_BIND or MPOL_PREFERRED_MANY")
			}
		default:
			c.unknown(at(field+".flags", i), "memory policy flag", string(flag), memoryFlags)
		}
	}
}

// personality checks config-linux.md#personality, which knows no flags.
func (c *checker) personality(p *specs.LinuxPersonality) {
	const field = "linux.personality"
	if p == nil {
		return
	}
	if !oneOf(p.Domain, "LINUX LINUX32") {
		c.unknown(field+".domain", "execution domain", string(p.Domain), "LINUX LINUX32")
	}
	for i, flag := range p.Flags {
		c.value(at(field+".flags", i), string(flag), "no flags are supported")
	}
}
