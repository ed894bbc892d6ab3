package cli

import (
	"os"
	"strconv"
	"testing"
)

// TestListenFDs: sd_listen_fds(3) counts descriptors only for the process that
// LISTEN_PID names; shims inherit the variables of others.
func TestListenFDs(t *testing.T) {
	us, other := strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid())
	cases := []struct {
		pid, fds string
		want     int
	}{
		{"", "", 0}, {us, "2", 2}, {other, "2", 0}, {us, "", 0}, {us, "-1", 0}, {us, "many", 0}, {"", "2", 0}, {us + "x", "2", 0},
	}
	for _, c := range cases {
		t.Setenv("LISTEN_PID", c.pid)
		t.Setenv("LISTEN_FDS", c.fds)
		if got := listenFDs(); got != c.want {
			t.Errorf("LISTEN_PID=%s LISTEN_FDS=%s: got %d, want %d", c.pid, c.fds, got, c.want)
		}
	}
}
