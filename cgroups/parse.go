package cgroups

import (
	"strconv"
	"strings"
)

// parseUint reads a counter file. "max" is the largest number, as version 1
// spells it too (a little differently on each architecture).
func parseUint(text string) (uint64, bool) {
	text = strings.TrimSpace(text)
	if text == "max" {
		return 1<<64 - 1, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// ParseLimit reads a number, or "max" as the largest number.
func ParseLimit(text string) (uint64, bool) { return parseUint(text) }

// parsePids reads cgroup.procs or cgroup.threads, one number a line. A zero
// stands for a process outside the reader's pid namespace and is left out.
func parsePids(text string, pids []int) []int {
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if n, err := strconv.Atoi(line); err == nil && n > 0 {
			pids = append(pids, n)
		}
	}
	return pids
}

// keyed returns the value of one key in a flat keyed file, cgroup-v2.rst:
//
//	KEY0 VAL0\n
//	KEY1 VAL1\n
func keyed(text, key string) string {
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if name, value, ok := strings.Cut(line, " "); ok && name == key {
			return value
		}
	}
	return ""
}

// keyedUint is keyed for counters; a missing key counts as zero.
func keyedUint(text, key string) uint64 {
	n, _ := parseUint(keyed(text, key))
	return n
}

// hasField reports whether a blank-separated list has the word.
func hasField(text, word string) bool {
	for field := range strings.FieldsSeq(text) {
		if field == word {
			return true
		}
	}
	return false
}
