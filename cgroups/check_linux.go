package cgroups

import (
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// Check returns what Create would refuse of r as the host is now, and makes
// nothing. Values that only the kernel can judge, when they are written, pass.
func (g *Group) Check(r *specs.LinuxResources) []error {
	if g.disabled {
		return nil
	}
	if r == nil {
		r = &specs.LinuxResources{}
	}
	var list []error
	add := func(err error) {
		if err != nil {
			list = append(list, err)
		}
	}
	if g.scope == "" { // systemd makes its own
		add(g.checkPlaces(r))
	}
	for _, c := range controllers() {
		if c.demanded(r) {
			add(g.checkController(&c, r))
		}
	}
	for _, name := range unifiedControllers(r.Unified) {
		if t := g.unified(); t != nil {
			add(t.checkOffered(unifiedField, name))
		}
	}
	if len(r.Unified) > 0 && g.unified() == nil {
		add(g.noUnified())
	}
	_, err := compileDevices(r.Devices)
	add(err)
	return list
}

// checkPlaces: the cgroup can be made, or is fit to be used.
func (g *Group) checkPlaces(r *specs.LinuxResources) error {
	for i := range g.trees {
		t := &g.trees[i]
		p := t.survey()
		t.old = p.Nearest == t.Path
		if p.Err != nil && !t.old && (!g.lenient || !denied(p.Err) || limited(r)) {
			return g.explainMake(t, p.Err)
		}
	}
	return g.checkFit()
}

// checkController: the controller is there, and has files for what c converts.
func (g *Group) checkController(c *controller, r *specs.LinuxResources) error {
	convert, t := c.v1, g.legacy(c.name1)
	if t == nil {
		convert, t = c.v2, g.unified()
	}
	if t == nil || convert == nil {
		return g.noController(c)
	}
	if t.Controllers == "" {
		if err := t.checkOffered(c.field, c.name2); err != nil {
			return err
		}
	}
	if _, err := convert(r, present(t)); err != nil || c.name1 != "hugetlb" {
		return err
	}
	return checkPageSizes(r.HugepageLimits)
}

// checkPageSizes: the kernel has pages of these sizes.
func checkPageSizes(limits []specs.LinuxHugepageLimit) error {
	known := pageSizes()
	for i, l := range limits {
		if !slices.Contains(strings.Split(known, ", "), l.Pagesize) {
			return &diag.Error{Field: indexed(hugetlbField, i) + ".pageSize", Path: l.Pagesize, Err: errors.New("is no size of huge pages here"),
				Hint: "page sizes of this kernel: " + known, Code: "cgroup-value-invalid"}
		}
	}
	return nil
}

// checkOffered: a version 2 controller can be handed down to the cgroup. Unlike
// explainMissing it does not try.
func (t *tree) checkOffered(field, name string) error {
	p := t.survey()
	if slices.Contains(p.Offered, name) {
		return nil
	}
	hint := p.Mount + p.Nearest + " offers only: " + strings.Join(p.Offered, " ")
	if p.Occupied {
		hint += ", as it holds processes: " + t.residents(p.Nearest)
	}
	return &diag.Error{Field: field, Op: "enable controller", Path: name, Err: ErrNoController, Hint: hint, Code: "cgroup-controller-missing"}
}
