package rootfs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// parseIDMapping reads crun's value of the idmap option:
//
//	uids=ID-HOST-SIZE[#ID-HOST-SIZE...];gids=...
//
// ID is as on the file system, HOST what it becomes.
func parseIDMapping(s string) (uids, gids []specs.LinuxIDMapping, err error) {
	for part := range strings.SplitSeq(s, ";") {
		key, list, _ := strings.Cut(part, "=")
		mappings, err := parseMappings(list)
		if err != nil {
			return nil, nil, err
		}
		switch key {
		case "uids":
			uids = append(uids, mappings...)
		case "gids":
			gids = append(gids, mappings...)
		default:
			return nil, nil, fmt.Errorf("%q is neither uids nor gids", key)
		}
	}
	if len(uids) == 0 || len(gids) == 0 {
		return nil, nil, errors.New("needs uids= and gids=")
	}
	return uids, gids, nil
}

func parseMappings(list string) ([]specs.LinuxIDMapping, error) {
	var mappings []specs.LinuxIDMapping
	for s := range strings.SplitSeq(list, "#") {
		numbers := strings.Split(s, "-")
		if len(numbers) != 3 {
			return nil, fmt.Errorf("%q is not ID-HOST-SIZE", s)
		}
		var v [3]uint32
		for i, text := range numbers {
			n, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%q is not a number below 2^32", text)
			}
			v[i] = uint32(n)
		}
		mappings = append(mappings, specs.LinuxIDMapping{ContainerID: v[0], HostID: v[1], Size: v[2]})
	}
	return mappings, nil
}
