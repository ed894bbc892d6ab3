package cgroups

import (
	"errors"
	"slices"

	"ociruntime/internal/diag"
)

// settings gives the writes that take a version 1 cgroup from any state to the
// policy, cgroup-v1/devices.rst. The kernel keeps a default and a list of
// exceptions from it: writing "a" to devices.deny or devices.allow sets the
// default and empties the list, any other write against the default adds an exception.
func (d *deviceRules) settings() ([]Setting, error) {
	exceptions, err := d.exceptions()
	if err != nil {
		return nil, err
	}
	list := make([]Setting, 0, len(exceptions)+1)
	list = append(list, Setting{Controller: "devices", Field: deviceField(ours), File: deviceFile(d.allowAll), Value: "a"})
	for _, r := range exceptions {
		list = append(list, deviceSetting(r))
	}
	return list, nil
}

func deviceSetting(r rule) Setting {
	return Setting{Controller: "devices", Field: deviceField(r.index), File: deviceFile(r.allow), Value: r.String()}
}

func deviceFile(allow bool) string {
	if allow {
		return "devices.allow"
	}
	return "devices.deny"
}

// exceptions plays the rules through and gives what is left of them against the
// default, one entry per group of devices.
func (d *deviceRules) exceptions() ([]rule, error) {
	var list []rule
	for _, r := range d.list {
		if r.allow != d.allowAll {
			list = join(list, r)
			continue
		}
		var err error
		if list, err = carve(list, r); err != nil {
			return nil, err
		}
	}
	list = slices.DeleteFunc(list, func(r rule) bool { return r.access == 0 })
	widen(list)
	return list, nil
}

// join adds an exception, or its operations to the one for the same devices.
func join(list []rule, r rule) []rule {
	for i := range list {
		if list[i].sameDevices(r) {
			list[i].access |= r.access
			return list
		}
	}
	return append(list, r)
}

// carve takes what r speaks of out of the exceptions before it. The kernel can
// take operations from an exception, but not single devices from a range: it
// accepts such a write and silently ignores it, and the container would keep an
// access that the config takes away. So that is an error, unless the range is
// one of our defaults, which then goes as a whole; but not the right to make
// nodes for a rule that speaks of more: making opens no device, and containers
// are used to it beside Docker's "deny c 10:229 rwm".
func carve(list []rule, r rule) ([]rule, error) {
	for i := range list {
		e := &list[i]
		switch {
		case e.access&r.access == 0 || !e.overlaps(r):
		case r.covers(*e):
			e.access &^= r.access
		case e.index == ours && r.access == mknod:
			e.access &^= mknod
		case e.index == ours:
			e.access &^= r.access &^ mknod
		default:
			return nil, &diag.Error{Field: deviceField(r.index), Path: r.String(),
				Err:  errors.New("cgroup v1 cannot make an exception to an exception"),
				Hint: "it overlaps the earlier " + e.String() + "; list the single devices instead", Code: "cgroup-device-overlap"}
		}
	}
	return list, nil
}

// widen gives an exception the right to open that wider exceptions also give:
// the kernel wants everything an open(2) asks for in one exception, so that "c
// 10:* r" and "c 10:229 w" together would not let O_RDWR pass.
func widen(list []rule) {
	for i := range list {
		for _, o := range list {
			if list[i].allow && o.covers(list[i]) {
				list[i].access |= o.access & (read | write)
			}
		}
	}
}
