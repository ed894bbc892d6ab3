package cgroups

import (
	"errors"

	"ociruntime/internal/diag"
)

// settings gives the writes that take a version 1 cgroup from any state to the
// policy, cgroup-v1/devices.rst. The kernel keeps a default and a list of
// exceptions: writing "a" to devices.deny or devices.allow sets the default and
// empties the list; a write that goes against the default adds an exception, one
// that agrees with it removes the exception for exactly these devices.
func (d *deviceRules) settings() ([]Setting, error) {
	if err := d.expressible(); err != nil {
		return nil, err
	}
	list := make([]Setting, 0, len(d.list)+1)
	list = append(list, Setting{"devices", deviceField(-1), deviceFile(d.allowAll), "a"})
	for _, r := range d.list {
		list = append(list, Setting{"devices", deviceField(r.index), deviceFile(r.allow), r.String()})
	}
	return list, nil
}

func deviceFile(allow bool) string {
	if allow {
		return "devices.allow"
	}
	return "devices.deny"
}

// expressible refuses a rule that takes something out of the middle of an
// earlier exception. The kernel accepts such a write and silently ignores it,
// so the container would keep an access that the config takes away.
func (d *deviceRules) expressible() error {
	for i, r := range d.list {
		if r.allow != d.allowAll {
			continue
		}
		for _, earlier := range d.list[:i] {
			if earlier.allow == r.allow || earlier.access&r.access == 0 || !earlier.overlaps(r) || earlier.sameDevices(r) {
				continue
			}
			return &diag.Error{Field: deviceField(r.index), Path: r.String(),
				Err:  errors.New("cgroup v1 cannot make an exception to an exception"),
				Hint: "it overlaps the earlier " + earlier.String() + "; list the single devices instead", Code: "cgroup-device-overlap"}
		}
	}
	return nil
}
