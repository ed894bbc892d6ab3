package process

import (
	"fmt"
	"strconv"
	"strings"
)

// parseList reads a list of CPUs or NUMA nodes, e.g. "0-3,7", as a bit mask of
// 64-bit words. Every number is below limit. Spaces around numbers and empty
// elements are ignored, as the kernel's bitmap_parselist() does.
func parseList(list string, limit int) ([]uint64, error) {
	var mask []uint64
	for _, part := range strings.Split(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		from, to, isRange := strings.Cut(part, "-")
		first, err := parseListNumber(from, limit)
		if err != nil {
			return nil, err
		}
		last := first
		if isRange {
			if last, err = parseListNumber(to, limit); err != nil {
				return nil, err
			}
		}
		if last < first {
			return nil, fmt.Errorf("range %q ends before it begins", part)
		}
		for ; first <= last; first++ {
			for first/64 >= len(mask) {
				mask = append(mask, 0)
			}
			mask[first/64] |= 1 << (first % 64)
		}
	}
	return mask, nil
}

func parseListNumber(s string, limit int) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	if n >= uint64(limit) {
		return 0, fmt.Errorf("%d is more than the kernel can have, %d", n, limit-1)
	}
	return int(n), nil
}
