package spec

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const namespaceTypes = "pid network mount ipc uts user cgroup time"

// namespaces checks config-linux.md#namespaces. That a path leads to a
// namespace of the right type is found out when it is joined.
func (c *checker) namespaces(list []specs.LinuxNamespace) {
	const field = "linux.namespaces"
	for i, ns := range list {
		if !oneOf(ns.Type, namespaceTypes) {
			c.unknown(at(field, i)+".type", "namespace type", string(ns.Type), namespaceTypes)
		} else if first := indexNamespace(list, ns.Type); first < i {
			c.value(at(field, i)+".type", string(ns.Type), "is listed before, at "+at(field, first))
		}
		if ns.Path != "" && !isAbsolute(ns.Path) {
			c.value(at(field, i)+".path", ns.Path, "must be an absolute path")
		}
	}
}

func indexNamespace(list []specs.LinuxNamespace, t specs.LinuxNamespaceType) int {
	return slices.IndexFunc(list, func(ns specs.LinuxNamespace) bool { return ns.Type == t })
}

// Namespace returns the entry of a type in linux.namespaces, or nil: then the
// container stays in the runtime's own.
func Namespace(config *specs.Spec, t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	if config.Linux == nil {
		return nil
	}
	if i := indexNamespace(config.Linux.Namespaces, t); i >= 0 {
		return &config.Linux.Namespaces[i]
	}
	return nil
}

// owns says whether the container has a namespace that is not the runtime's,
// as far as can be known.
func (c *checker) owns(t specs.LinuxNamespaceType) bool {
	return Namespace(c.config, t) != nil && !slices.Contains(c.host.Shared, t)
}

// needsNamespace reports a field that would change the host without a
// namespace of that type.
func (c *checker) needsNamespace(field string, t specs.LinuxNamespaceType) bool {
	if c.owns(t) {
		return true
	}
	if Namespace(c.config, t) != nil {
		c.problem(field, "would change the host: the "+string(t)+" namespace that is joined is the runtime's own")
	} else {
		c.problem(field, "needs a namespace of its own, \""+string(t)+"\" in linux.namespaces: else it would change the host")
	}
	return false
}

// maxName is the kernel's __NEW_UTS_LEN, see sethostname(2).
const maxName = 64

// names checks config.md#hostname and #domainname. The specification would let
// them change the host; nobody can want that.
func (c *checker) names() {
	for _, name := range []struct{ field, value string }{
		{"hostname", c.config.Hostname},
		{"domainname", c.config.Domainname},
	} {
		if name.value == "" {
			continue
		}
		c.needsNamespace(name.field, specs.UTSNamespace)
		if len(name.value) > maxName {
			c.value(name.field, name.value, "is longer than the kernel's 64 bytes")
		}
	}
}

// maxNanoseconds is the kernel's, see time_namespaces(7).
const maxNanoseconds = 999_999_999

// timeOffsets checks config-linux.md#timeoffsets against time_namespaces(7).
func (c *checker) timeOffsets(offsets map[string]specs.LinuxTimeOffset) {
	const field = "linux.timeOffsets"
	if len(offsets) == 0 {
		return
	}
	switch ns := Namespace(c.config, specs.TimeNamespace); {
	case ns == nil:
		c.problem(field, "needs a time namespace in linux.namespaces")
	case ns.Path != "":
		c.problem(field, "cannot be set in a time namespace that exists already, such as "+ns.Path)
	}
	for _, clock := range sortedKeys(offsets) {
		if !oneOf(clock, "monotonic boottime") {
			c.unknown(entry(field, clock), "clock", clock, "monotonic boottime")
		}
		if n := offsets[clock].Nanosecs; n > maxNanoseconds {
			c.unsigned(entry(field, clock)+".nanosecs", uint64(n), "must be at most 999999999")
		}
	}
}

// sortedKeys makes the order of problems the same each time.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
