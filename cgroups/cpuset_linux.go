package cgroups

import (
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// fillCpuset gives a version 1 cpuset the CPUs and memory nodes of its parent
// where the config names none: a new one has neither, and no process may enter
// it then (ENOSPC), cgroup-v1/cpusets.rst.
func (t *tree) fillCpuset(c *specs.LinuxCPU) error {
	dir, err := t.open()
	if err != nil {
		return err
	}
	if c == nil || c.Cpus == "" || t.Made > 1 {
		if _, err := t.inherit(dir, t.Path, "cpuset.cpus"); err != nil {
			return err
		}
	}
	if c == nil || c.Mems == "" || t.Made > 1 {
		if _, err := t.inherit(dir, t.Path, "cpuset.mems"); err != nil {
			return err
		}
	}
	return nil
}

// inherit returns the list in file of the cgroup p, after copying it down from
// the nearest ancestor that has one. The root always has. dir is p, open.
func (t *tree) inherit(dir int, p, file string) (string, error) {
	list, err := readFile(dir, file)
	if err != nil {
		return "", pathErr("read", t.Mount+p+"/"+file, err)
	}
	if list != "\n" && list != "" || p == "/" {
		return list, nil
	}
	above := path.Dir(p)
	parent, err := openDir(t.root, below(above))
	if err != nil {
		return "", pathErr("open", t.Mount+above, err)
	}
	list, err = t.inherit(parent, above, file)
	closeFD(parent)
	if err != nil {
		return "", err
	}
	if err := writeFile(dir, file, list); err != nil {
		return "", pathErr("write", t.Mount+p+"/"+file, err)
	}
	return list, nil
}
