package cgroups

import (
	"errors"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// access is a set of device operations. The bits are the kernel's
// BPF_DEVCG_ACC_* (linux/bpf.h), so that version 2 needs no translation.
type access uint8

const (
	mknod access = 1 << iota
	read
	write
	allAccess = mknod | read | write
)

// String spells the set as devices.allow wants it.
func (a access) String() string {
	text := make([]byte, 0, 3)
	for i, letter := range []byte("mrw") {
		if a&(1<<i) != 0 {
			text = append(text, letter)
		}
	}
	return string(text)
}

// anyNumber is the "*" of a major or minor number.
const anyNumber = -1

// rule is one entry of the device list for one device type.
type rule struct {
	allow        bool
	kind         byte // 'c' or 'b'
	major, minor int64
	access       access
	index        int // in linux.resources.devices, or ours
}

// ours is the index of a rule that is not in the config.
const ours = -1

// deviceRules is the policy: what holds for every device, then exceptions, of
// which the last that speaks of a device and an operation decides.
type deviceRules struct {
	allowAll bool
	list     []rule
}

// everything reports whether the policy restricts nothing.
func (d *deviceRules) everything() bool { return d.allowAll && len(d.list) == 0 }

// compileDevices turns linux.resources.devices, in its order, into a policy.
//
// It starts from "deny everything". An entry for all devices (type "a", no
// numbers, all of rwm) forgets what came before it. Behind the last such entry,
// if it denies, the devices every container needs are allowed, and then the
// entries that follow; so an explicit "deny c 1:3" after the usual "deny all"
// keeps its meaning.
func compileDevices(config []specs.LinuxDeviceCgroup) (*deviceRules, error) {
	start := 0
	policy := &deviceRules{}
	for i := range config {
		reset, err := checkDevice(i, &config[i])
		if err != nil {
			return nil, err
		}
		if reset {
			start, policy.allowAll = i+1, config[i].Allow
		}
	}
	if !policy.allowAll {
		policy.list = defaultDevices()
	}
	for i := start; i < len(config); i++ {
		if policy.everything() && config[i].Allow {
			continue // says nothing new
		}
		policy.list = append(policy.list, expand(i, &config[i])...)
	}
	return policy, nil
}

// defaultDevices are allowed in every container: those of
// config-linux.md#default-devices, and making (not opening) any node, which
// images do when they are unpacked. /dev/console is a pty there, so the host's
// 5:1 is not in the list.
func defaultDevices() []rule {
	return []rule{
		{true, 'c', anyNumber, anyNumber, mknod, ours},
		{true, 'b', anyNumber, anyNumber, mknod, ours},
		{true, 'c', 1, 3, allAccess, ours},           // null
		{true, 'c', 1, 5, allAccess, ours},           // zero
		{true, 'c', 1, 7, allAccess, ours},           // full
		{true, 'c', 1, 8, allAccess, ours},           // random
		{true, 'c', 1, 9, allAccess, ours},           // urandom
		{true, 'c', 5, 0, allAccess, ours},           // tty
		{true, 'c', 5, 2, allAccess, ours},           // ptmx
		{true, 'c', 136, anyNumber, allAccess, ours}, // pts/*, console
	}
}

// overlaps reports whether a device exists that both rules speak of.
func (r rule) overlaps(o rule) bool {
	return r.kind == o.kind &&
		(r.major == o.major || r.major == anyNumber || o.major == anyNumber) &&
		(r.minor == o.minor || r.minor == anyNumber || o.minor == anyNumber)
}

// covers reports whether r speaks of every device o speaks of.
func (r rule) covers(o rule) bool {
	return r.kind == o.kind &&
		(r.major == o.major || r.major == anyNumber) &&
		(r.minor == o.minor || r.minor == anyNumber)
}

func (r rule) sameDevices(o rule) bool { return r.covers(o) && o.covers(r) }

// String spells the rule for devices.allow and devices.deny,
// cgroup-v1/devices.rst: "c 1:3 mrw".
func (r rule) String() string {
	return string(r.kind) + " " + number(r.major) + ":" + number(r.minor) + " " + r.access.String()
}

func number(n int64) string {
	if n == anyNumber {
		return "*"
	}
	return itoa(n)
}

// checkDevice validates one entry and reports whether it is for all devices.
func checkDevice(i int, d *specs.LinuxDeviceCgroup) (reset bool, err error) {
	bits, bad := parseAccess(d.Access)
	switch {
	case d.Type != "" && d.Type != "a" && d.Type != "b" && d.Type != "c":
		return false, deviceError(i, ".type", d.Type, "is none of a, b, c")
	case bad != "":
		return false, deviceError(i, ".access", d.Access, "has a letter that is none of r, w, m")
	case !validNumber(d.Major):
		return false, deviceError(i, ".major", itoa(*d.Major), "is not a device number")
	case !validNumber(d.Minor):
		return false, deviceError(i, ".minor", itoa(*d.Minor), "is not a device number")
	}
	return (d.Type == "" || d.Type == "a") && wildcard(d.Major) && wildcard(d.Minor) && bits == allAccess, nil
}

// expand gives the rules of one entry; type "a" with a number or fewer
// operations means both kinds of device.
func expand(i int, d *specs.LinuxDeviceCgroup) []rule {
	bits, _ := parseAccess(d.Access)
	r := rule{d.Allow, 0, anyNumber, anyNumber, bits, i}
	if !wildcard(d.Major) {
		r.major = *d.Major
	}
	if !wildcard(d.Minor) {
		r.minor = *d.Minor
	}
	if d.Type == "b" || d.Type == "c" {
		r.kind = d.Type[0]
		return []rule{r}
	}
	char, block := r, r
	char.kind, block.kind = 'c', 'b'
	return []rule{char, block}
}

// parseAccess reads a set of letters; none at all means all three, as the
// other fields of an entry default to "all" too.
func parseAccess(text string) (bits access, bad string) {
	for _, letter := range text {
		i := strings.IndexRune("mrw", letter)
		if i < 0 {
			return 0, string(letter)
		}
		bits |= 1 << i
	}
	if bits == 0 {
		bits = allAccess
	}
	return bits, ""
}

func wildcard(n *int64) bool { return n == nil || *n == anyNumber }

func validNumber(n *int64) bool { return wildcard(n) || *n >= 0 && *n <= 1<<32-1 }

func deviceError(i int, sub, value, why string) error {
	return &diag.Error{Field: deviceField(i) + sub, Path: value, Err: errors.New(why), Code: "config-invalid"}
}

func deviceField(i int) string {
	if i == ours {
		return "linux.resources.devices"
	}
	return "linux.resources.devices[" + strconv.Itoa(i) + "]"
}

// AllowedDevice is one entry of a list of what is allowed; -1 stands for every
// major or minor number.
type AllowedDevice struct {
	Type         byte // 'c' or 'b'
	Major, Minor int64
	Access       string // of "rwm"
}

// AllowedDevices gives linux.resources.devices, with the devices every container
// needs, as a list of what is allowed. everything: there is no restriction, or
// only exceptions from none. exact is false when the list allows more than the
// rules do, because a list cannot make exceptions.
func AllowedDevices(config []specs.LinuxDeviceCgroup) (list []AllowedDevice, everything, exact bool, err error) {
	policy, err := compileDevices(config)
	if err != nil {
		return nil, false, false, err
	}
	if policy.allowAll {
		return nil, true, policy.everything(), nil
	}
	exact = true
	exceptions, err := policy.exceptions()
	if err != nil { // a range with a hole: allow the range
		exact, exceptions = false, nil
		for _, r := range policy.list {
			if r.allow {
				exceptions = join(exceptions, r)
			}
		}
	}
	for _, r := range exceptions {
		list = append(list, AllowedDevice{r.kind, r.major, r.minor, r.access.String()})
	}
	return list, false, exact, nil
}
