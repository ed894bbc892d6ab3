// Package systemd has systemd own a container's cgroup: a transient scope unit
// (systemd.scope(5)) that holds the container's first process, with the limits
// as unit properties, so that a daemon-reload does not undo them.
//
//	runtime                                systemd
//	   | StartTransientUnit(PIDs=stage, ...)  |
//	   |------------------------------------->|  makes the cgroup, moves the stage
//	   |<-- job path -------------------------|
//	   |<-- signal JobRemoved(job, "done") ---|
//
// That is all of a create; exec does not talk to systemd, delete sends one
// StopUnit. The unit is the owner of its cgroup, but Delegate= lets package
// cgroups write into it.
package systemd

import (
	"errors"
	"strings"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
)

// Unit is the scope of one container.
type Unit struct {
	Name  string // "PREFIX-NAME.scope"
	Slice string // "machine-prod.slice"
	User  bool   // of the caller's user manager instead of the system's
}

// Parse reads linux.cgroupsPath in the form engines use with systemd,
// "slice:prefix:name". Without one the unit is runtime-ID.scope. An empty slice
// is system.slice, or user.slice of the user manager.
func Parse(cgroupsPath, id string, user bool) (Unit, error) {
	u := Unit{User: user, Slice: "system.slice", Name: "runtime-" + id + ".scope"}
	if user {
		u.Slice = "user.slice"
	}
	if cgroupsPath == "" {
		return u, u.check(cgroupsPath)
	}
	parts := strings.Split(cgroupsPath, ":")
	if len(parts) != 3 {
		return Unit{}, pathError(cgroupsPath, `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups`)
	}
	slice, prefix, name := parts[0], parts[1], parts[2]
	if slice != "" {
		u.Slice = slice
	}
	u.Name = name + ".scope"
	if prefix != "" {
		u.Name = prefix + "-" + name + ".scope"
	}
	if name == "" {
		return Unit{}, pathError(cgroupsPath, "the name after the second colon is empty")
	}
	return u, u.check(cgroupsPath)
}

// Of returns the unit that owns the cgroup at a Location; ok is false when none
// does. Its slice is not known any more, and not needed any more.
func Of(l cgroups.Location) (u Unit, ok bool) {
	return Unit{Name: l.Scope, User: l.User}, l.Scope != ""
}

func (u Unit) check(cgroupsPath string) error {
	if !validName(u.Name) {
		return pathError(cgroupsPath, "unit name "+u.Name+" has a character that systemd does not allow, or is too long")
	}
	if _, err := expandSlice(u.Slice); err != nil {
		return pathError(cgroupsPath, err.Error())
	}
	return nil
}

// validName follows systemd.unit(5): letters, digits and ":-_.\@", 255 at most.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(`:-_.\@`, c) < 0 {
			return false
		}
	}
	return len(name) > 0 && len(name) < 256
}

// Path is the unit's cgroup below the root of the system's manager; below that
// of a user manager the same path counts from the manager's own cgroup.
func (u Unit) Path() string {
	slice, _ := expandSlice(u.Slice) // checked by Parse
	return slice + "/" + u.Name
}

// expandSlice gives the path of a slice, systemd.slice(5): the dashes in the name
// spell it, so a-b.slice is /a.slice/a-b.slice. The root slice is "-.slice".
func expandSlice(slice string) (string, error) {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || !validName(slice) {
		return "", errors.New("slice " + slice + ` does not end with ".slice" or has a wrong character`)
	}
	if name == "-" {
		return "", nil
	}
	var path, prefix string
	for part := range strings.SplitSeq(name, "-") {
		if part == "" {
			return "", errors.New("slice " + slice + " has an empty part between its dashes")
		}
		prefix += part
		path += "/" + prefix + ".slice"
		prefix += "-"
	}
	return path, nil
}

func pathError(cgroupsPath, why string) error {
	return &diag.Error{Field: "linux.cgroupsPath", Path: cgroupsPath, Err: errors.New(why), Code: "cgroup-path-invalid"}
}
