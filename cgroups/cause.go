package cgroups

import "strings"

// Cause is what a cgroup remembers about the death of its processes. The zero
// value says that no limit had a part in it.
type Cause struct {
	// OOMKills counts processes of the container that the kernel killed because
	// memory was short.
	OOMKills uint64 `json:"oomKills,omitempty"`
	// OOMAt is the cgroup whose limit was reached: the container's own or one
	// above it. Empty with OOMKills above zero: the host itself was short.
	OOMAt string `json:"oomAt,omitempty"`
	// Limit and Peak are bytes of OOMAt; Peak is zero where the kernel keeps none.
	Limit uint64 `json:"memoryLimit,omitempty"`
	Peak  uint64 `json:"memoryPeak,omitempty"`
	// ForksRefused counts how often pids.limit, or one above, refused a new
	// task; PidsLimit is the container's own limit, 0 for none.
	ForksRefused uint64 `json:"forksRefused,omitempty"`
	PidsLimit    uint64 `json:"pidsLimit,omitempty"`
	// Shared: the cgroup is older than the container, so what is counted may have
	// happened to others.
	Shared bool `json:"shared,omitempty"`
}

// String words the cause in one line for a user: "oom: limit 64 MiB of
// /sys/fs/cgroup/x, peak 64 MiB". It is empty when there is none.
func (c Cause) String() string {
	var parts []string
	switch {
	case c.OOMKills > 0 && c.OOMAt == "":
		parts = append(parts, "oom: the host had no memory left; no limit of the container was reached")
	case c.OOMKills > 0:
		text := "oom: limit " + bytesText(c.Limit) + " of " + c.OOMAt
		if c.Peak > 0 {
			text += ", peak " + bytesText(c.Peak)
		}
		parts = append(parts, text+plural(c.OOMKills, ", 1 process killed", " processes killed"))
	}
	if c.ForksRefused > 0 {
		text := "pids: a limit above the container refused a new task"
		if c.PidsLimit > 0 {
			text = "pids: limit " + utoa(c.PidsLimit) + " refused a new task"
		}
		parts = append(parts, text+plural(c.ForksRefused, " once", " times"))
	}
	if c.Shared && len(parts) > 0 {
		parts = append(parts, "the cgroup is older than the container, and has counted all the time")
	}
	return strings.Join(parts, "; ")
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	if strings.HasPrefix(one, ",") {
		return ", " + utoa(n) + many
	}
	return " " + utoa(n) + many
}

// bytesText spells a size with the largest unit that leaves at most one decimal.
func bytesText(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return utoa(n) + " bytes"
	}
	i, unit := 0, uint64(1024)
	for i+1 < len(units) && n/1024 >= unit {
		unit *= 1024
		i++
	}
	text := utoa(n / unit)
	if tenth := n % unit * 10 / unit; tenth > 0 && n/unit < 100 {
		text += "." + utoa(tenth)
	}
	return text + " " + units[i:i+1] + "iB"
}
