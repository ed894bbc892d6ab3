package systemd

import (
	"iter"
	"maps"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/cgroups"
)

// Devices turns the device rules into DevicePolicy= and DeviceAllow=. All
// devices are named by number, so that neither udev's links nor the names in
// /proc/devices have to exist when systemd applies the list again, as it does at
// every daemon-reload: /dev/char/MAJOR:MINOR (systemd takes the numbers from the
// path without looking at it), char-MAJOR for all minors, char-* for all.
//
// exact is false when the rules are more than such a list can say. The properties
// then allow more than the rules do, and the cgroup needs its own program.
func Devices(rules []specs.LinuxDeviceCgroup) (list []Property, exact bool, err error) {
	allowed, everything, exact, err := cgroups.AllowedDevices(rules)
	if err != nil {
		return nil, false, err
	}
	if everything {
		return []Property{{Name: "DevicePolicy", Value: "auto"}, {Name: "DeviceAllow", Value: []NamedString{}}}, exact, nil
	}
	allow := make([]NamedString, 0, len(allowed))
	for _, d := range allowed {
		allow = append(allow, NamedString{deviceName(d), d.Access})
	}
	return []Property{{Name: "DevicePolicy", Value: "strict"}, {Name: "DeviceAllow", Value: allow}}, exact, nil
}

func deviceName(d cgroups.AllowedDevice) string {
	kind := "char"
	if d.Type == 'b' {
		kind = "block"
	}
	switch {
	case d.Major < 0:
		return kind + "-*"
	case d.Minor < 0:
		return kind + "-" + strconv.FormatInt(d.Major, 10)
	}
	return "/dev/" + kind + "/" + strconv.FormatInt(d.Major, 10) + ":" + strconv.FormatInt(d.Minor, 10)
}

func blockPath(major, minor int64) string {
	return "/dev/block/" + strconv.FormatInt(major, 10) + ":" + strconv.FormatInt(minor, 10)
}

func keys(m map[string]string) iter.Seq[string] { return maps.Keys(m) }
