package libcontainer

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/libcontainer/process"
	"ociruntime/libcontainer/seccomp"
)

// filterCache is the directory of compiled seccomp filters below Root. Its name
// cannot be a container's id.
const filterCache = ".@seccomp"

// filter compiles a seccomp profile, or takes it from the cache, where it has
// the name key.
func (r *Runtime) filter(profile *specs.LinuxSeccomp) (filter *process.Filter, key string, err error) {
	if profile == nil {
		return nil, "", nil
	}
	f, warnings, err := r.compile(profile)
	for _, w := range warnings {
		if w.Debug {
			r.Log.Debugf("%s: %s", w.Field, w.Text)
		} else {
			r.Log.Warnf("%s: %s", w.Field, w.Text)
		}
	}
	if err != nil {
		return nil, "", err
	}
	return &process.Filter{BPF: f.Program, Flags: f.Flags}, f.Key, nil
}

// compile makes the state root for the cache to be in, unless nothing is to be
// made.
func (r *Runtime) compile(profile *specs.LinuxSeccomp) (*seccomp.Filter, []seccomp.Warning, error) {
	if r.dry {
		return seccomp.Compile(profile)
	}
	cache := ""
	if root, err := r.makeRoot(); err == nil { // otherwise the filter is not cached, and the create will say why
		defer closeFD(root)
		cache = cacheIn(root)
	}
	return seccomp.Load(cache, profile)
}

// cacheIn is the path of the cache by way of the open state root: the root's own
// path may lead elsewhere by now, if its owner is not who he should be.
func cacheIn(root int) string { return "/proc/self/fd/" + strconv.Itoa(root) + "/" + filterCache }

// cached is the filter that the cache has by this key.
func (r *Runtime) cached(key string) (*seccomp.Filter, error) {
	root, err := r.openRoot()
	if err != nil {
		return nil, err
	}
	defer closeFD(root)
	return seccomp.Cached(cacheIn(root), key)
}

// filter is the filter of the container. Mostly it is where create has left it;
// only if not, the profile has to be read.
func (c *container) filter() (*process.Filter, error) {
	if c.Filter == "" {
		return nil, nil
	}
	if f, err := c.runtime.cached(c.Filter); err == nil {
		return &process.Filter{BPF: f.Program, Flags: f.Flags}, nil
	}
	profile, err := c.profile()
	if err != nil {
		return nil, err
	}
	filter, _, err := c.runtime.filter(profile)
	return filter, err
}

// profile is linux.seccomp of the container.
func (c *container) profile() (*specs.LinuxSeccomp, error) {
	config, err := c.config()
	if err != nil || config.Linux == nil {
		return nil, err
	}
	return config.Linux.Seccomp, nil
}
