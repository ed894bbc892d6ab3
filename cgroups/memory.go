package cgroups

import "github.com/opencontainers/runtime-spec/specs-go"

const memoryField = "linux.resources.memory"

// memoryAsked: zero means "leave alone" for every size, as engines send
// zeros for what they do not want to change.
func memoryAsked(r *specs.LinuxResources) bool {
	m := r.Memory
	return m != nil && (given(m.Limit) || given(m.Reservation) || given(m.Swap) || given(m.Kernel) || given(m.KernelTCP) ||
		m.Swappiness != nil || m.DisableOOMKiller != nil && *m.DisableOOMKiller)
}

// memoryV1 gives the settings in an order that is right for a cgroup without
// limits: memory.limit_in_bytes may never exceed memory.memsw.limit_in_bytes,
// cgroup-v1/memory.rst. When the new limit exceeds the present memsw limit,
// memsw has to go first.
func memoryV1(r *specs.LinuxResources, now reader) ([]Setting, error) {
	m := r.Memory
	swap := m.Swap
	if given(m.Limit) && *m.Limit < 0 && !given(m.Swap) && now("memory.memsw.limit_in_bytes") != "" {
		swap = m.Limit // memory without limit cannot stay below a limited memory+swap
	}
	if err := checkSwap(m.Limit, swap); err != nil {
		return nil, err
	}
	var list []Setting
	add := func(n *int64, file, field string) {
		if given(n) {
			s := memorySetting(field, file, itoa(max(*n, -1)))
			if *n < 0 {
				s.Else = &Setting{} // a kernel that cannot count it has no limit either
			}
			list = append(list, s)
		}
	}
	add(m.Limit, "memory.limit_in_bytes", ".limit")
	add(swap, "memory.memsw.limit_in_bytes", ".swap")
	if len(list) == 2 && memswFirst(swap, now("memory.limit_in_bytes")) {
		list[0], list[1] = list[1], list[0]
	}
	add(m.Reservation, "memory.soft_limit_in_bytes", ".reservation")
	add(m.Kernel, "memory.kmem.limit_in_bytes", ".kernel")
	add(m.KernelTCP, "memory.kmem.tcp.limit_in_bytes", ".kernelTCP")
	if m.Swappiness != nil {
		if err := checkSwappiness(*m.Swappiness); err != nil {
			return nil, err
		}
		list = append(list, memorySetting(".swappiness", "memory.swappiness", utoa(*m.Swappiness)))
	}
	if m.DisableOOMKiller != nil {
		value := "0"
		if *m.DisableOOMKiller {
			value = "1"
		}
		if value == "1" || now("memory.oom_control") != "" {
			list = append(list, memorySetting(".disableOOMKiller", "memory.oom_control", value))
		}
	}
	return list, nil
}

func memorySetting(field, file, value string) Setting {
	return Setting{Controller: "memory", Field: memoryField + field, File: file, Value: value}
}

// memswFirst: a memsw limit at or above the present memory limit can be
// written at once, and makes room for a higher memory limit.
func memswFirst(swap *int64, limitNow string) bool {
	present, ok := parseUint(limitNow)
	if !ok {
		return false
	}
	return *swap < 0 || uint64(*swap) > present
}

// memoryV2 converts: memory.swap.max counts swap alone, the spec's swap counts
// memory and swap together.
func memoryV2(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	m := r.Memory
	switch {
	case given(m.Kernel):
		return nil, onlyV1(memoryField+".kernel", "kernel memory is part of memory.limit there")
	case given(m.KernelTCP):
		return nil, onlyV1(memoryField+".kernelTCP", "socket buffers are part of memory.limit there")
	case m.Swappiness != nil:
		return nil, onlyV1(memoryField+".swappiness", "limit swap with memory.swap, or set vm.swappiness on the host")
	case m.DisableOOMKiller != nil && *m.DisableOOMKiller:
		return nil, onlyV1(memoryField+".disableOOMKiller", `memory.high in linux.resources.unified throttles instead of killing`)
	}
	if err := checkSwap(m.Limit, m.Swap); err != nil {
		return nil, err
	}
	var list []Setting
	if given(m.Swap) {
		value, err := swapV2(m)
		if err != nil {
			return nil, err
		}
		list = append(list, swapSetting(".swap", value))
	} else if given(m.Limit) && *m.Limit < 0 {
		list = append(list, swapSetting(".limit", "max"))
	}
	if given(m.Limit) {
		list = append(list, memorySetting(".limit", "memory.max", maxOr(*m.Limit)))
	}
	if given(m.Reservation) {
		list = append(list, memorySetting(".reservation", "memory.low", maxOr(*m.Reservation)))
	}
	return list, nil
}

// swapSetting: without swap accounting (swapaccount=0, or no CONFIG_SWAP) the
// file is missing, and "max" holds anyway.
func swapSetting(field, value string) Setting {
	s := memorySetting(field, "memory.swap.max", value)
	if value == "max" {
		s.Else = &Setting{}
	}
	return s
}

func swapV2(m *specs.LinuxMemory) (string, error) {
	switch {
	case *m.Swap < 0:
		return "max", nil
	case !given(m.Limit) || *m.Limit < 0:
		return "", refusal(memoryField+".swap", itoa(*m.Swap), "a limit on memory+swap needs memory.limit too on cgroup v2")
	}
	return itoa(*m.Swap - *m.Limit), nil
}

// checkSwap refuses what the kernel would answer with a bare EINVAL.
func checkSwap(limit, swap *int64) error {
	if !given(swap) || *swap < 0 || !given(limit) {
		return nil
	}
	if *limit < 0 || *swap < *limit {
		return refusal(memoryField+".swap", itoa(*swap), "is below memory.limit "+itoa(*limit)+" (it counts memory and swap together)")
	}
	return nil
}

func checkSwappiness(n uint64) error {
	if n > 200 { // the kernel's own bound since 5.8; the spec speaks of 0..100
		return refusal(memoryField+".swappiness", utoa(n), "is above 200")
	}
	return nil
}
