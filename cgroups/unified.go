package cgroups

import (
	"maps"
	"slices"
	"strings"
)

const unifiedField = "linux.resources.unified"

// unifiedSettings are written as they are, in the order of their names, into the
// version 2 cgroup whoever else has the controller; each line of a value is a
// write of its own, as the kernel takes one line at a time.
func unifiedSettings(unified map[string]string) ([]Setting, error) {
	var list []Setting
	for _, file := range slices.Sorted(maps.Keys(unified)) {
		field := unifiedField + "[" + file + "]"
		name, _, ok := strings.Cut(file, ".")
		if !ok || name == "" || strings.ContainsAny(file, "/\x00") {
			return nil, refusal(field, file, "is not a file of a cgroup")
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(unified[file], "\n"), "\n") {
			list = append(list, Setting{Field: field, File: file, Value: line})
		}
	}
	return list, nil
}

// unifiedControllers are those the settings need.
func unifiedControllers(unified map[string]string) []string {
	var names []string
	for file := range unified {
		if name, _, _ := strings.Cut(file, "."); name != "cgroup" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
