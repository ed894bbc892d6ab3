package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Names with a meaning: that of -runtime, and what stands for a runtime where a case
// as a whole is to blame.
const (
	underTest  = "runtime"
	leftBehind = "?"
)

// findRuntimes lists what is measured, ours first and the floor last. Names that were
// asked for and are not there are an error; defaults that are not there are left out.
func findRuntimes(o options, floor string) ([]Runtime, error) {
	var all []Runtime
	add := func(name, path string) error {
		full, err := exec.LookPath(path)
		if err != nil {
			return err
		}
		if full, err = filepath.Abs(full); err != nil {
			return err
		}
		all = append(all, Runtime{Name: name, Path: full, Version: version(full), Bytes: sizeOf(full)})
		return nil
	}
	if _, err := os.Stat(o.runtime); err == nil {
		if err := add(underTest, o.runtime); err != nil {
			return nil, err
		}
	}
	for _, pair := range splitList(os.Getenv("RUNTIMES")) {
		name, path, found := strings.Cut(pair, "=")
		if !found || name == "" || strings.Contains(name, "/") {
			return nil, fmt.Errorf("RUNTIMES: %q is not name=path", pair)
		}
		if err := add(name, path); err != nil {
			return nil, fmt.Errorf("RUNTIMES: %w", err)
		}
	}
	_ = add("crun", "crun") // absent: not compared with
	_ = add("runc", "runc")
	all = append(all, Runtime{Name: "floor", Path: floor, Floor: true, Version: "system calls only", Bytes: sizeOf(floor)})
	return chosen(all, splitList(o.only))
}

func chosen(all []Runtime, names []string) ([]Runtime, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []Runtime
	for _, rt := range all {
		if slices.Contains(names, rt.Name) {
			out = append(out, rt)
		}
	}
	if len(out) != len(names) {
		return nil, fmt.Errorf("-only %s: not all of them are here", strings.Join(names, ","))
	}
	return out, nil
}

func version(path string) string {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return "unknown version"
	}
	return firstLine(string(out))
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
