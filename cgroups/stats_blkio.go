package cgroups

import (
	"strconv"
	"strings"
)

// parseBlkio reads a version 1 counter file, cgroup-v1/blkio-controller.rst:
//
//	8:0 Read 4096
//	8:0 Write 0
//	8:0 Total 4096
//	Total 4096          the sum of all devices, left out
//	8:0 4096            files that count no operations apart
func parseBlkio(text string) []BlkioEntry {
	var list []BlkioEntry
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || len(fields) > 3 {
			continue
		}
		e := BlkioEntry{}
		var ok bool
		if e.Major, e.Minor, ok = parseDevice(fields[0]); !ok {
			continue
		}
		if len(fields) == 3 {
			e.Op = fields[1]
		}
		n, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
		if err != nil {
			continue
		}
		e.Value = n
		list = append(list, e)
	}
	return list
}

// parseIOStat reads io.stat of version 2 and gives bytes and operations.
//
//	8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0
func parseIOStat(text string) (bytes, ops []BlkioEntry) {
	for line := range strings.Lines(text) {
		device, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		major, minor, ok := parseDevice(device)
		if !ok {
			continue
		}
		for field := range strings.FieldsSeq(rest) {
			key, value, _ := strings.Cut(field, "=")
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				continue
			}
			switch key {
			case "rbytes":
				bytes = append(bytes, BlkioEntry{major, minor, "Read", n})
			case "wbytes":
				bytes = append(bytes, BlkioEntry{major, minor, "Write", n})
			case "dbytes":
				bytes = append(bytes, BlkioEntry{major, minor, "Discard", n})
			case "rios":
				ops = append(ops, BlkioEntry{major, minor, "Read", n})
			case "wios":
				ops = append(ops, BlkioEntry{major, minor, "Write", n})
			case "dios":
				ops = append(ops, BlkioEntry{major, minor, "Discard", n})
			}
		}
	}
	return bytes, ops
}

func parseDevice(text string) (major, minor uint64, ok bool) {
	a, b, found := strings.Cut(text, ":")
	major, err := strconv.ParseUint(a, 10, 32)
	minor, err2 := strconv.ParseUint(b, 10, 32)
	return major, minor, found && err == nil && err2 == nil
}
