package rootfs

import (
	"errors"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Check has the kernel look at the file systems to be mounted, and their
// options, and makes none of them. A caller who may not mount outside of a user
// namespace of his own finds out nothing.
func (r *Rootfs) Check() []error {
	var list []error
	for i := range r.mounts {
		m := &r.mounts[i]
		if m.family != familyFS || m.long() || r.classic {
			continue
		}
		if err := rehearse(m); err != nil {
			list = append(list, err)
		}
	}
	return list
}

// rehearse configures a file system context, fsopen(2), which ends unused.
func rehearse(m *mount) error {
	fs, err := unix.Fsopen(m.fstype, unix.FSOPEN_CLOEXEC)
	if err == unix.EPERM {
		return nil
	}
	if err != nil {
		return diag.Explained(&diag.Error{Field: m.field + ".type", Op: "fsopen", Path: m.fstype, Err: err})
	}
	defer unix.Close(fs)
	for _, o := range m.data {
		if o.flag {
			err = unix.FsconfigSetFlag(fs, o.key)
		} else {
			err = unix.FsconfigSetString(fs, o.key, o.value)
		}
		if err == nil || errors.Is(err, unix.EPERM) {
			continue
		}
		e := &diag.Error{Field: optionField(m.field, o.index), Op: "fsconfig", Path: o.value, Err: err}
		if better := explainOption(e, m.fstype, kernelLog(fs)); better != nil {
			return better
		}
		return diag.Explained(e)
	}
	return nil
}
