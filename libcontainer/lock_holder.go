package libcontainer

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/sys"
)

// lockHolder says who holds the container's lock, and what he does, for the
// message of one who waited in vain. The kernel names him in /proc/locks,
// proc_locks(5); "" if it does not, as for one in another pid namespace:
//
//	1: FLOCK  ADVISORY  WRITE 4711 00:1f:5678 0 EOF
func (c *container) lockHolder() string {
	var st unix.Stat_t
	if unix.Fstat(c.dir, &st) != nil {
		return ""
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	text, _ := os.ReadFile("/proc/locks") // without it the message is shorter
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != file {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 {
			return "the lock is with " + sys.Doing(pid)
		}
	}
	return ""
}
