package cgroups

import "strings"

// membership is one line of /proc/PID/cgroup, cgroups(7):
//
//	5:cpuacct,cpu:/daemons     version 1
//	1:name=systemd:/user.slice a version 1 hierarchy without controllers
//	0::/user.slice             version 2
type membership struct {
	controllers string // empty for version 2
	path        string
}

// parseMembership reads the text of /proc/PID/cgroup. Lines of another shape
// are left out. A path may contain colons; a deleted cgroup keeps its
// " (deleted)" suffix, because a cgroup may really have that name.
func parseMembership(text string) []membership {
	list := make([]membership, 0, 16)
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		id, rest, ok := strings.Cut(line, ":")
		controllers, path, ok2 := strings.Cut(rest, ":")
		if !ok || !ok2 || !strings.HasPrefix(path, "/") {
			continue
		}
		if controllers == "" && id != "0" {
			continue
		}
		list = append(list, membership{controllers, path})
	}
	return list
}

// unifiedPath returns the version 2 path in list.
func unifiedPath(list []membership) (string, bool) {
	for _, m := range list {
		if m.controllers == "" {
			return m.path, true
		}
	}
	return "", false
}
