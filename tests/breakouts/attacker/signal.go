package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// onEach does something to every process that appears, for ever.
func onEach(do func(pid int)) func([]string) error {
	return func([]string) error {
		fmt.Println("ready")
		for {
			last := lastPid()
			for pid := max(2, last-1); pid < last+3; pid++ {
				if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(pid)); err != nil {
					do(pid)
				}
			}
		}
	}
}

// limit takes from a process what it needs to go on; who has the same user id
// may, prlimit(2).
func limit(pid int) {
	none := &unix.Rlimit{}
	for _, resource := range []int{unix.RLIMIT_NOFILE, unix.RLIMIT_AS, unix.RLIMIT_STACK, unix.RLIMIT_DATA, unix.RLIMIT_FSIZE} {
		_ = unix.Prlimit(pid, resource, none, nil)
	}
}

// raise gives a process more than it was given: to set its hard limits takes
// CAP_SYS_RESOURCE, unless they were higher when they were looked at.
func raise(pid int) {
	for _, resource := range []int{unix.RLIMIT_NOFILE, unix.RLIMIT_CORE} {
		var old unix.Rlimit
		if unix.Prlimit(pid, resource, nil, &old) == nil {
			_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: old.Max, Max: old.Max}, nil)
		}
	}
}
