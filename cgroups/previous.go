package cgroups

import "strings"

// previous gives the setting that undoes s, from the content of its file before
// s is written. The second result is false when the file cannot tell.
func previous(s Setting, content string) (Setting, bool) {
	switch s.File {
	case "memory.oom_control": // reads as "oom_kill_disable 0\nunder_oom 0\n..."
		s.Value = keyed(content, "oom_kill_disable")
	case "io.weight", "io.bfq.weight", "blkio.weight_device", "blkio.bfq.weight_device", "blkio.leaf_weight_device":
		s.Value = previousWeight(s, content)
	case "io.max":
		s.Value = previousRates(s.Value, content)
	case "rdma.max", "net_prio.ifpriomap":
		s.Value = lineOf(s.Value, content)
	default:
		if strings.HasPrefix(s.File, "blkio.throttle.") {
			s.Value = lineOf(s.Value, content)
			break
		}
		s.Value = strings.TrimSuffix(content, "\n")
		if strings.Contains(s.Value, "\n") {
			return s, false
		}
	}
	return s, s.Value != ""
}

// lineOf returns the line of content about the same device as the written
// value. A device without a line has no limit; zero says so for a throttle.
func lineOf(value, content string) string {
	device, _, _ := strings.Cut(value, " ")
	if old := keyed(content, device); old != "" {
		return device + " " + old
	}
	if strings.Contains(device, ":") {
		return device + " 0"
	}
	return ""
}

// previousWeight: "8:16 default" takes a device's own weight away.
func previousWeight(s Setting, content string) string {
	device, _, _ := strings.Cut(s.Value, " ")
	if old := keyed(content, device); old != "" {
		return device + " " + old
	}
	if device != "default" {
		return device + " default"
	}
	return strings.TrimSpace(content) // BFQ of Linux before 5.7 shows a bare number
}

// previousRates undoes one "8:16 rbps=1000" in a line of four, cgroup-v2.rst:
//
//	8:16 rbps=2097152 wbps=max riops=max wiops=120
func previousRates(value, content string) string {
	device, key, _ := strings.Cut(value, " ")
	key, _, _ = strings.Cut(key, "=")
	for rate := range strings.FieldsSeq(keyed(content, device)) {
		if strings.HasPrefix(rate, key+"=") {
			return device + " " + rate
		}
	}
	return device + " " + key + "=max"
}
