package libcontainer

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/libcontainer/process"
	"ociruntime/libcontainer/seccomp"
)

// filterCache is the directory of compiled seccomp filters below Root. Its name
// cannot be a container's id.
const filterCache = ".@seccomp"

// filter compiles a seccomp profile, or takes it from the cache.
func (r *Runtime) filter(profile *specs.LinuxSeccomp) (*process.Filter, error) {
	if profile == nil {
		return nil, nil
	}
	if root, err := r.makeRoot(); err == nil { // otherwise the filter is not cached, and the create will say why
		closeFD(root)
	}
	f, warnings, err := seccomp.Load(r.Root+"/"+filterCache, profile)
	for _, w := range warnings {
		if w.Debug {
			r.Log.Debugf("%s: %s", w.Field, w.Text)
		} else {
			r.Log.Warnf("%s: %s", w.Field, w.Text)
		}
	}
	if err != nil {
		return nil, err
	}
	return &process.Filter{BPF: f.Program, Flags: f.Flags}, nil
}
