package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
	"ociruntime/spec"
)

var updateVerb = command{
	name:  "update",
	usage: "change the limits of a container",
	args:  "CONTAINER",
	examples: []example{
		{"runtime update --memory 512m --pids-limit 100 box", "limit memory and processes"},
		{"runtime update --cpu-period 100000 --cpu-quota 50000 box", "allow half a CPU"},
		{`echo '{"memory": {"limit": 1073741824}}' | runtime update --resources - box`, "take the limits from stdin"},
	},
	description: "Either all limits change or none. What is not mentioned, or is zero, stays as it is.\n" +
		"Memory takes k, m and g (of 1024) behind the number, and -1 for no limit.",
	flags: [][]flag{{
		{name: "resources", alias: "r", kind: text, usage: "take linux.resources from `FILE`, or from stdin with -; other flags then do nothing"},
		{name: "blkio-weight", kind: text, usage: "give block I/O the weight `N`, 10 to 1000"},
		{name: "cpu-period", kind: text, usage: "count cpu-quota per `USEC` microseconds"},
		{name: "cpu-quota", kind: text, usage: "allow `USEC` microseconds of CPU time in each period, -1 for any"},
		{name: "cpu-burst", kind: text, usage: "let up to `USEC` microseconds of unused quota be saved up"},
		{name: "cpu-share", kind: text, usage: "give `N` shares of CPU time among siblings, 2 to 262144"},
		{name: "cpu-rt-period", kind: text, usage: "count cpu-rt-runtime per `USEC` microseconds"},
		{name: "cpu-rt-runtime", kind: text, usage: "allow real-time scheduling for `USEC` microseconds in each period"},
		{name: "cpuset-cpus", kind: text, usage: "run on the CPUs in `LIST`, such as 0-3,7"},
		{name: "cpuset-mems", kind: text, usage: "use the memory nodes in `LIST`"},
		{name: "cpu-idle", kind: text, usage: "run only when nothing else wants to if `BIT` is 1, else share"},
		{name: "memory", kind: text, usage: "limit memory to `BYTES`"},
		{name: "memory-reservation", kind: text, usage: "protect `BYTES` when memory gets short"},
		{name: "memory-swap", kind: text, usage: "limit memory and swap together to `BYTES`"},
		{name: "pids-limit", kind: text, usage: "limit processes and threads to `N`, -1 for any"},
		{name: "l3-cache-schema", kind: text, usage: "allocate L3 cache by Intel RDT's `SCHEMA`"},
		{name: "mem-bw-schema", kind: text, usage: "allocate memory bandwidth by Intel RDT's `SCHEMA`"},
		{name: "kernel-memory", kind: text, hidden: true, usage: "accepted and ignored: kernels since 5.11 have no such limit"},
		{name: "kernel-memory-tcp", kind: text, hidden: true, usage: "accepted and ignored, as kernel-memory"},
	}},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error {
		resources, err := c.resources()
		if err != nil {
			return err
		}
		return r.Update(c.args[0], resources, c.intelRdt())
	},
}

// resources are those of --resources or else of the other flags.
func (c *call) resources() (*specs.LinuxResources, error) {
	if file := c.flags.text("resources"); file != "" {
		return readResources(file, c.log.Patience)
	}
	n := numbers{flags: c.flags}
	r := &specs.LinuxResources{
		CPU: &specs.LinuxCPU{
			Shares:          unsigned[uint64](&n, "cpu-share"),
			Quota:           n.signed("cpu-quota"),
			Period:          unsigned[uint64](&n, "cpu-period"),
			Burst:           unsigned[uint64](&n, "cpu-burst"),
			RealtimeRuntime: n.signed("cpu-rt-runtime"),
			RealtimePeriod:  unsigned[uint64](&n, "cpu-rt-period"),
			Idle:            n.signed("cpu-idle"),
			Cpus:            c.flags.text("cpuset-cpus"),
			Mems:            c.flags.text("cpuset-mems"),
		},
		Memory: &specs.LinuxMemory{
			Limit:       n.bytes("memory"),
			Reservation: n.bytes("memory-reservation"),
			Swap:        n.bytes("memory-swap"),
		},
		BlockIO: &specs.LinuxBlockIO{Weight: unsigned[uint16](&n, "blkio-weight")},
		Pids:    &specs.LinuxPids{Limit: n.signed("pids-limit")},
	}
	return r, n.err
}

func readResources(file string, timeout time.Duration) (*specs.LinuxResources, error) {
	if file == "-" {
		file = "/proc/self/fd/0"
	}
	raw, err := spec.ReadFile(file, timeout)
	if err != nil {
		return nil, err
	}
	return spec.DecodeResources(raw)
}

// intelRdt are the schemata, nil without any.
func (c *call) intelRdt() *specs.LinuxIntelRdt {
	rdt := &specs.LinuxIntelRdt{L3CacheSchema: c.flags.text("l3-cache-schema"), MemBwSchema: c.flags.text("mem-bw-schema")}
	if rdt.L3CacheSchema == "" && rdt.MemBwSchema == "" {
		return nil
	}
	return rdt
}

// numbers reads flags into numbers, and keeps the first error.
type numbers struct {
	flags values
	err   error
}

// signed returns a flag's number, nil if it was not given.
func (n *numbers) signed(name string) *int64 {
	value := n.flags.text(name)
	if value == "" {
		return nil
	}
	x, err := strconv.ParseInt(value, 10, 64)
	return checked(n, name, x, err)
}

// unsigned is signed for numbers without a sign, of a size of their own.
func unsigned[T uint16 | uint64](n *numbers, name string) *T {
	value := n.flags.text(name)
	if value == "" {
		return nil
	}
	x, err := strconv.ParseUint(value, 10, 64)
	if err == nil && uint64(T(x)) != x {
		err = strconv.ErrRange
	}
	return checked(n, name, T(x), err)
}

// bytes is signed for sizes.
func (n *numbers) bytes(name string) *int64 {
	value := n.flags.text(name)
	if value == "" {
		return nil
	}
	x, err := parseBytes(value)
	return checked(n, name, x, err)
}

func checked[T any](n *numbers, name string, x T, err error) *T {
	if err == nil {
		return &x
	}
	if cause := errors.Unwrap(err); cause != nil {
		err = cause // without Go's `strconv.ParseInt: parsing "x"`
	}
	if n.err == nil {
		n.err = &diag.Error{Op: "invalid value for " + name, Path: n.flags.text(name), Err: err, Hint: "a number; of bytes also as 512k, 100M, 1g", Code: "usage"}
	}
	return nil
}

// parseBytes reads a size with a unit of 1024: 4096, 4096b, 100M, 1g, 512KiB.
func parseBytes(value string) (int64, error) {
	number := strings.TrimRight(value, "kKmMgGtTpPiIbB")
	unit := strings.ToLower(value[len(number):])
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	power := strings.Index("kmgtp", unit) + 1
	if unit == "" {
		power = 0
	} else if power == 0 || len(unit) > 1 {
		return 0, strconv.ErrSyntax
	}
	x, err := strconv.ParseInt(number, 10, 64)
	if big := x << (10 * power); err == nil && big>>(10*power) != x {
		err = strconv.ErrRange
	}
	return x << (10 * power), err
}
