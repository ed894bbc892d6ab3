package process

import (
	"errors"
	"fmt"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// memoryPolicy is linux.memoryPolicy as set_mempolicy(2) wants it.
type memoryPolicy struct {
	mode  uint64 // with the flags
	nodes []uint64
}

const (
	memoryField      = "linux.memoryPolicy"
	personalityField = "linux.personality"

	maxNodes = 1024 // the highest 1 << CONFIG_NODES_SHIFT

	mpolPreferredMany      = 5 // Linux 5.15
	mpolWeightedInterleave = 6 // Linux 6.9
)

func memoryMode(name specs.MemoryPolicyModeType) int {
	switch name {
	case specs.MpolDefault:
		return unix.MPOL_DEFAULT
	case specs.MpolPreferred:
		return unix.MPOL_PREFERRED
	case specs.MpolBind:
		return unix.MPOL_BIND
	case specs.MpolInterleave:
		return unix.MPOL_INTERLEAVE
	case specs.MpolLocal:
		return unix.MPOL_LOCAL
	case specs.MpolPreferredMany:
		return mpolPreferredMany
	case specs.MpolWeightedInterleave:
		return mpolWeightedInterleave
	}
	return -1
}

func memoryFlag(name specs.MemoryPolicyFlagType) uint64 {
	switch name {
	case specs.MpolFStaticNodes:
		return unix.MPOL_F_STATIC_NODES
	case specs.MpolFRelativeNodes:
		return unix.MPOL_F_RELATIVE_NODES
	case specs.MpolFNumaBalancing:
		return unix.MPOL_F_NUMA_BALANCING
	}
	return 0
}

func parseMemoryPolicy(config *specs.LinuxMemoryPolicy) (*memoryPolicy, error) {
	if config == nil {
		return nil, nil
	}
	mode := memoryMode(config.Mode)
	if mode < 0 {
		return nil, problem(memoryField+".mode", fmt.Errorf("unknown memory policy mode %q", config.Mode), "")
	}
	m := &memoryPolicy{mode: uint64(mode)}
	for i, name := range config.Flags {
		flag := memoryFlag(name)
		if flag == 0 {
			return nil, problem(memoryField+".flags["+strconv.Itoa(i)+"]", fmt.Errorf("unknown memory policy flag %q", name), "")
		}
		m.mode |= flag
	}
	const both = unix.MPOL_F_STATIC_NODES | unix.MPOL_F_RELATIVE_NODES
	if m.mode&both == both {
		return nil, problem(memoryField+".flags", errors.New("nodes cannot be both static and relative"), "")
	}
	var err error
	if m.nodes, err = parseList(config.Nodes, maxNodes); err != nil {
		return nil, problem(memoryField+".nodes", err, "")
	}
	return m, m.checkNodes(config.Mode, mode)
}

// checkNodes checks whether the mode goes with nodes: set_mempolicy(2).
func (m *memoryPolicy) checkNodes(name specs.MemoryPolicyModeType, mode int) error {
	switch {
	case mode == unix.MPOL_DEFAULT || mode == unix.MPOL_LOCAL:
		if m.nodes != nil {
			return problem(memoryField+".nodes", fmt.Errorf("%s takes no nodes", name), "")
		}
	case mode != unix.MPOL_PREFERRED && m.nodes == nil: // which means "local" then
		return problem(memoryField+".nodes", fmt.Errorf("%s needs at least one node", name), "")
	}
	return nil
}

// Execution domains of linux/personality.h.
const (
	perLinux   = 0
	perLinux32 = 8
)

// personality translates linux.personality; nil leaves the caller's.
func personality(config *specs.LinuxPersonality) (*uint, error) {
	if config == nil {
		return nil, nil
	}
	var domain uint
	switch config.Domain {
	case specs.PerLinux:
		domain = perLinux
	case specs.PerLinux32:
		domain = perLinux32
	default:
		return nil, problem(personalityField+".domain", fmt.Errorf("unknown execution domain %q", config.Domain), "LINUX or LINUX32")
	}
	if len(config.Flags) > 0 {
		return nil, problem(personalityField+".flags[0]", fmt.Errorf("unknown flag %q", config.Flags[0]), "no flag is defined")
	}
	return &domain, nil
}

// setMemory records both: they hold for the stage too, but it allocates nothing
// any more.
func (x *Process) setMemory(p *nsenter.Program) {
	if x.memory != nil {
		p.At(memoryField)
		p.SetMempolicy(x.memory.mode, x.memory.nodes)
	}
	if x.persona != nil {
		p.At(personalityField)
		p.Personality(*x.persona)
	}
}
