package cgroups

import (
	"errors"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// Setting is one write into a file of a cgroup.
type Setting struct {
	Controller string // whose hierarchy the file is in; the version 2 name for version 2 files
	Field      string // where in config.json the value comes from
	File       string
	Value      string
}

// reader returns the present content of a file in the cgroup, without the
// newline; an empty string means the file keeps the kernel's default.
type reader func(file string) string

func fresh(string) string { return "" }

// controller is one line of the table that ties the fields of linux.resources
// to the pure functions which turn them into settings.
type controller struct {
	name1, name2 string // its name in version 1 and 2; empty where it does not exist
	field        string
	asked        func(r *specs.LinuxResources) bool
	v1           func(r *specs.LinuxResources, now reader) ([]Setting, error)
	v2           func(r *specs.LinuxResources, now reader) ([]Setting, error)
}

// controllers is in the order of writing. Devices are apart: devices.go.
func controllers() []controller {
	return []controller{
		{"cpuset", "cpuset", "linux.resources.cpu.cpus", cpusetAsked, cpusetV1, cpusetV2},
		{"cpu", "cpu", "linux.resources.cpu", cpuAsked, cpuV1, cpuV2},
		{"memory", "memory", "linux.resources.memory", memoryAsked, memoryV1, memoryV2},
		{"pids", "pids", "linux.resources.pids", pidsAsked, pidsV1, pidsV2},
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

// maxOr spells a version 2 limit: -1, and anything below, is "max".
func maxOr(n int64) string {
	if n < 0 {
		return "max"
	}
	return itoa(n)
}
