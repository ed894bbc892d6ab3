package spec

import "github.com/opencontainers/runtime-spec/specs-go"

// rlimitTypes are those of getrlimit(2).
const rlimitTypes = "RLIMIT_AS RLIMIT_CORE RLIMIT_CPU RLIMIT_DATA RLIMIT_FSIZE RLIMIT_LOCKS RLIMIT_MEMLOCK RLIMIT_MSGQUEUE " +
	"RLIMIT_NICE RLIMIT_NOFILE RLIMIT_NPROC RLIMIT_RSS RLIMIT_RTPRIO RLIMIT_RTTIME RLIMIT_SIGPENDING RLIMIT_STACK"

// rlimits checks the resource limits of config.md#posix-process.
func (c *checker) rlimits(field string, list []specs.POSIXRlimit) {
	for i, r := range list {
		if !oneOf(r.Type, rlimitTypes) {
			c.unknown(at(field, i)+".type", "resource limit", r.Type, rlimitTypes)
		}
		for j, other := range list[:i] {
			if other.Type == r.Type {
				c.value(at(field, i)+".type", r.Type, "is listed before, at "+at(field, j))
				break
			}
		}
		if r.Soft > r.Hard {
			c.problem(at(field, i)+".soft", "is more than hard")
		}
	}
}
