package cgroups

import (
	"errors"
	"path"
	"strings"

	"ociruntime/internal/diag"
)

// cgroupPath decides where below the mount point of one hierarchy the
// container's cgroup is, config-linux.md#cgroups-path:
//
//   - an absolute cgroupsPath counts from the mount point;
//   - a relative one, and the id when there is none, counts from base.
func cgroupPath(id, cgroupsPath, base string) (string, error) {
	if strings.IndexByte(cgroupsPath, 0) >= 0 {
		return "", pathError(cgroupsPath, "contains a null byte")
	}
	for element := range strings.SplitSeq(cgroupsPath, "/") {
		if element == ".." {
			return "", pathError(cgroupsPath, `".." is not allowed`)
		}
	}
	switch {
	case strings.HasPrefix(cgroupsPath, "/"):
		return path.Clean(cgroupsPath), nil
	case cgroupsPath != "" && path.Clean(cgroupsPath) == ".":
		return "", pathError(cgroupsPath, "names no cgroup")
	case cgroupsPath != "":
		return path.Join("/", base, cgroupsPath), nil
	}
	return path.Join("/", base, id), nil
}

func pathError(cgroupsPath, why string) error {
	return &diag.Error{Field: "linux.cgroupsPath", Path: cgroupsPath, Err: errors.New(why), Code: "cgroup-path-invalid"}
}

// unifiedBase is the base of a relative path on version 2: the parent of the
// runtime's own cgroup. A cgroup with processes in it, as ours is, cannot hand
// controllers down to children (the "no internal processes" rule, cgroups(7)).
func unifiedBase(own string) string { return path.Dir(own) }
