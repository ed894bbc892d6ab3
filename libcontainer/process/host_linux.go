package process

import (
	"golang.org/x/sys/unix"
)

// Host is what New needs to know of the runtime's own process.
type Host struct {
	// Bounding has the capabilities that a process without another user
	// namespace can have at all.
	Bounding uint64
	// Last is the kernel's highest capability, cap_last_cap.
	Last int
	// Root says that the effective user id is 0: its programs get Bounding.
	Root bool
	// HardLimit returns the hard limit of a resource, as the stage inherits it.
	HardLimit func(resource int) (uint64, error)
	// Resource and Nice say whether the runtime has CAP_SYS_RESOURCE and
	// CAP_SYS_NICE where the kernel asks for them: in the first namespace.
	Resource, Nice func() bool
}

// HostFacts asks the kernel about the calling process.
func HostFacts() *Host {
	h := &Host{Root: unix.Geteuid() == 0, HardLimit: hardLimit}
	h.Bounding, h.Last = bounding()
	h.Resource = func() bool { return capable(unix.CAP_SYS_RESOURCE) }
	h.Nice = func() bool { return capable(unix.CAP_SYS_NICE) }
	return h
}

// bounding asks for one capability after the other until there are no more. A
// read of /proc/self/status would cost ten times as much.
func bounding() (set uint64, last int) {
	for c := range 64 {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil {
			break
		}
		set |= uint64(has) << c
		last = c
	}
	return set, last
}

// capable reports whether capability c is in the effective set.
func capable(c int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[c/32].Effective&(1<<(c%32)) != 0
}

func hardLimit(resource int) (uint64, error) {
	var r unix.Rlimit
	err := unix.Prlimit(0, resource, nil, &r)
	return r.Max, err
}
