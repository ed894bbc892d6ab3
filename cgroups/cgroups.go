// Package cgroups creates, limits, freezes, kills, measures and removes the
// cgroup of one container: version 1, version 2 and the hybrid of both.
//
// A Host says what is mounted. Host.New names the container's cgroup in every
// hierarchy without creating anything; the resulting Group does the rest:
//
//	Detect -> New -> Create -> Join -> (container runs) -> Kill -> Remove
//	                    |                    |
//	                 Settle            Set Freeze Thaw Procs Stats Cause
//
// Each controller has one file with a pure half, which turns runtime-spec
// resources into a list of settings, and one writer (write_linux.go) puts the
// settings into the kernel. A later process finds the same Group by its Location.
package cgroups

import (
	"errors"
	"strings"

	"ociruntime/internal/diag"
)

// Mode says which cgroup versions are mounted.
type Mode uint8

// The modes. Hybrid has version 1 hierarchies and, beside them, a version 2
// tree at /sys/fs/cgroup/unified which may or may not own some controllers.
const (
	None Mode = iota
	V1
	Hybrid
	V2
)

var modeNames = [...]string{None: "none", V1: "v1", Hybrid: "hybrid", V2: "v2"}

// String returns "none", "v1", "hybrid" or "v2".
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return "unknown"
}

// MarshalText implements encoding.TextMarshaler with String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (m *Mode) UnmarshalText(text []byte) error {
	for mode, name := range modeNames {
		if name == string(text) {
			*m = Mode(mode)
			return nil
		}
	}
	return errors.New("unknown cgroup mode " + string(text))
}

// Sentinels for what callers decide on; the full text is in the error that wraps them.
var (
	// ErrNotEmpty: the cgroup named by the config holds processes already.
	ErrNotEmpty = errors.New("container's cgroup is not empty")
	// ErrFrozen: the cgroup, or one above it, is frozen, so nothing could run in it.
	ErrFrozen = errors.New("container's cgroup unexpectedly frozen")
	// ErrFrozenAbove: a cgroup above is frozen, so that this one stays so too.
	ErrFrozenAbove = errors.New("a cgroup above it is frozen")
	// ErrBusy: processes were still in the cgroup when the time for its removal was over.
	ErrBusy = errors.New("cgroup still has processes")
	// ErrNoController: the kernel offers no such controller where the cgroup is.
	ErrNoController = errors.New("controller is not available")
	// ErrNotDelegated: the caller may not create cgroups where the container's would be.
	ErrNotDelegated = errors.New("cgroup is not delegated to this user")
	// ErrTimeout: the kernel did not finish freezing or thawing in the time given.
	ErrTimeout   = errors.New("the kernel did not finish in time")
	errNotCgroup = errors.New("is not a cgroup file system")
	// ErrBelowUsage: a new memory limit is less than what is in use.
	ErrBelowUsage = errors.New("memory limit is below what is in use")
	// ErrNoCgroup: the container has no cgroup of its own, so there is nothing to freeze or kill.
	ErrNoCgroup error = &diag.Error{Err: errors.New("container has no cgroup of its own"), Code: "no-cgroup"}
)

// Location is all that a later process needs to find a Group again. It holds
// plain values only and is what state.json keeps.
type Location struct {
	Mode   Mode    `json:"mode"`
	Places []Place `json:"places,omitempty"`
	Scope  string  `json:"scope,omitempty"` // systemd unit that owns the cgroup, if one does
	User   bool    `json:"user,omitempty"`  // the unit is of the caller's user manager
	// Taken: Make has found the cgroup fit and taken it. Before, one that exists
	// may be somebody else's, and Kill leaves it alone.
	Taken bool `json:"taken,omitempty"`
}

// Place is the cgroup in one hierarchy.
type Place struct {
	// Controllers is the hierarchy as /proc/PID/cgroup names it: "memory",
	// "cpu,cpuacct", "name=systemd"; empty for version 2.
	Controllers string `json:"controllers,omitempty"`
	// Mount is where the hierarchy is mounted, e.g. /sys/fs/cgroup/memory.
	Mount string `json:"mount"`
	// Path is the cgroup below Mount; it begins with a slash.
	Path string `json:"path"`
	// Made counts the last elements of Path that were not there before us.
	// Remove takes away no others: a cgroup that existed is not ours to delete.
	Made int `json:"made,omitempty"`
}

// Dir returns the directory of the cgroup.
func (p Place) Dir() string { return p.Mount + strings.TrimSuffix(p.Path, "/") }

// Has reports whether the hierarchy is a version 1 one with this controller.
func (p Place) Has(controller string) bool {
	return p.Controllers != "" && inList(p.Controllers, controller)
}

// inList reports whether a comma-separated list has the element.
func inList(list, element string) bool {
	for list != "" {
		var first string
		first, list, _ = strings.Cut(list, ",")
		if first == element {
			return true
		}
	}
	return false
}
