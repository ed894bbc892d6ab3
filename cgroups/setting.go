package cgroups

import (
	"errors"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// Setting is one write into a file of a cgroup.
type Setting struct {
	Controller string // whose hierarchy the file is in, by its version 2 name for version 2 files; empty: version 2
	Field      string // where in config.json the value comes from
	File       string
	Value      string
	// Else is written instead on a kernel without File; with an empty File of
	// its own it means that nothing is lost then.
	Else *Setting
}

// reader returns the present content of a file in the cgroup, without the last
// newline; an empty string means that the file is not there, or that the cgroup
// is new and has the kernel's defaults.
type reader func(file string) string

func fresh(string) string { return "" }

// controller is one line of the table that ties the fields of linux.resources
// to the pure functions which turn them into settings. A nil function stands
// for a version that has no such controller.
type controller struct {
	name1, name2 string // its name in version 1 and in version 2
	field        string
	asked        func(r *specs.LinuxResources) bool
	v1, v2       func(r *specs.LinuxResources, now reader) ([]Setting, error)
}

// demanded reports whether r asks for something that only the controller can
// give. To have no limit, as engines ask for, takes none: the controller is
// not missed then.
func (c *controller) demanded(r *specs.LinuxResources) bool {
	if !c.asked(r) {
		return false
	}
	convert := c.v2
	if convert == nil {
		convert = c.v1
	}
	list, err := convert(r, fresh)
	return err != nil || slices.ContainsFunc(list, func(s Setting) bool { return s.Value != "max" && s.Value != "-1" })
}

// controllers is in the order of writing. Two are apart: devices (devices.go),
// and unified, which is not a controller and comes last (unified.go).
func controllers() []controller {
	return []controller{
		{"cpuset", "cpuset", cpuField + ".cpus", cpusetAsked, cpuset, cpuset},
		{"cpu", "cpu", cpuField, cpuAsked, cpuV1, cpuV2},
		{"memory", "memory", memoryField, memoryAsked, memoryV1, memoryV2},
		{"pids", "pids", "linux.resources.pids", pidsAsked, pids, pids},
		{"blkio", "io", blkioField, blkioAsked, blkioV1, blkioV2},
		{"hugetlb", "hugetlb", hugetlbField, hugetlbAsked, hugetlbV1, hugetlbV2},
		{"net_cls", "", "linux.resources.network.classID", netClsAsked, netClsV1, nil},
		{"net_prio", "", "linux.resources.network.priorities", netPrioAsked, netPrioV1, nil},
		{"rdma", "rdma", rdmaField, rdmaAsked, rdma, rdma},
	}
}

// refusal is the error for a value that cannot be applied.
func refusal(field, value, why string) error {
	return &diag.Error{Field: field, Path: value, Err: errors.New(why), Code: "cgroup-value-invalid"}
}

// onlyV1 is the error for a setting that version 2 has no counterpart of
// (config-linux.md#unified: what cannot be converted must be an error).
func onlyV1(field, hint string) error {
	return &diag.Error{Field: field, Err: errors.New("has no counterpart in cgroup v2"), Hint: hint, Code: "cgroup-v1-only"}
}

func itoa(n int64) string   { return strconv.FormatInt(n, 10) }
func utoa(n uint64) string  { return strconv.FormatUint(n, 10) }
func given(n *int64) bool   { return n != nil && *n != 0 }
func givenU(n *uint64) bool { return n != nil && *n != 0 }
func givenW(n *uint16) bool { return n != nil && *n != 0 }

// maxOr spells a version 2 limit: -1, and anything below, is "max".
func maxOr(n int64) string {
	if n < 0 {
		return "max"
	}
	return itoa(n)
}

// indexed is the path of a list element in config.json.
func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }
