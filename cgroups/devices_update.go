package cgroups

import "strings"

// parseDeviceList reads devices.list of version 1: "a *:* rwm" when everything
// is allowed (the kernel does not show what is denied then), otherwise what is
// allowed. ok is false when a line has another shape.
func parseDeviceList(text string) (policy deviceRules, ok bool) {
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if line == "" {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		numbers, letters, _ := strings.Cut(rest, " ")
		major, minor, found := strings.Cut(numbers, ":")
		bits, bad := parseAccess(letters)
		r := rule{allow: true, access: bits, index: ours}
		var okMajor, okMinor bool
		r.major, okMajor = parseNumber(major)
		r.minor, okMinor = parseNumber(minor)
		if !found || !okMajor || !okMinor || bad != "" || letters == "" {
			return deviceRules{}, false
		}
		switch kind {
		case "a":
			return deviceRules{allowAll: true}, true
		case "b", "c":
			r.kind = kind[0]
		default:
			return deviceRules{}, false
		}
		policy.list = append(policy.list, r)
	}
	return policy, true
}

func parseNumber(text string) (int64, bool) {
	if text == "*" {
		return anyNumber, true
	}
	n, ok := parseUint(text)
	return int64(n), ok && n < 1<<32
}

// transition gives the writes that lead from one list of allowed devices to
// another, with no moment in which something is allowed that neither allows.
func transition(from, to []rule) []Setting {
	var list []Setting
	add := func(r rule) {
		if r.access != 0 {
			list = append(list, deviceSetting(r))
		}
	}
	for _, f := range from {
		gone := f
		gone.allow, gone.access = false, f.access&^accessOf(to, f)
		add(gone)
	}
	for _, n := range to {
		more := n
		more.access &^= accessOf(from, n)
		add(more)
	}
	return list
}

// accessOf is what list allows for exactly the devices of r.
func accessOf(list []rule, r rule) access {
	for _, o := range list {
		if o.sameDevices(r) {
			return o.access
		}
	}
	return 0
}
