package cgroups

import "github.com/opencontainers/runtime-spec/specs-go"

const hugetlbField = "linux.resources.hugepageLimits"

func hugetlbAsked(r *specs.LinuxResources) bool { return len(r.HugepageLimits) > 0 }

func hugetlbV1(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	return hugetlb(r.HugepageLimits, "limit_in_bytes")
}

func hugetlbV2(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	return hugetlb(r.HugepageLimits, "max")
}

// hugetlb limits reservations where the kernel counts them (Linux 5.7): a
// program is then refused by mmap(2) instead of being killed by SIGBUS at the
// first touch. The limit on usage is set too, and is the only one before 5.7.
func hugetlb(limits []specs.LinuxHugepageLimit, suffix string) ([]Setting, error) {
	list := make([]Setting, 0, 2*len(limits))
	for i, limit := range limits {
		field := indexed(hugetlbField, i)
		if !isPageSize(limit.Pagesize) {
			return nil, refusal(field+".pageSize", limit.Pagesize, `is not a number followed by KB, MB or GB`)
		}
		base := "hugetlb." + limit.Pagesize + "."
		list = append(list,
			Setting{Controller: "hugetlb", Field: field, File: base + "rsvd." + suffix, Value: utoa(limit.Limit), Else: &Setting{}},
			Setting{Controller: "hugetlb", Field: field, File: base + suffix, Value: utoa(limit.Limit)})
	}
	return list, nil
}

// isPageSize keeps everything but a size out of the file name:
// ^[1-9][0-9]*[KMG]B$. Otherwise "../../x" would write any file of any cgroup.
func isPageSize(text string) bool {
	n := len(text) - 2
	if n < 1 || text[n+1] != 'B' || text[0] == '0' || text[n] != 'K' && text[n] != 'M' && text[n] != 'G' {
		return false
	}
	for _, digit := range text[:n] {
		if digit < '0' || digit > '9' {
			return false
		}
	}
	return true
}
