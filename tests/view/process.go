package view

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Processes returns every PID of this view's PID namespace but our own.
func Processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Alive tells whether the process exists and has not ended; a zombie has.
func Alive(pid int) bool {
	state := processState(pid)
	return state != "" && state != "Z" && state != "X"
}

// processState returns the one-letter state of proc_pid_stat(5), or "" for a
// process that does not exist.
func processState(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name in parentheses may hold anything, so look behind the last one.
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}

// Describe says what is needed to recognise a process and what it waits for.
func Describe(pid int) string {
	proc := "/proc/" + strconv.Itoa(pid)
	comm, _ := os.ReadFile(proc + "/comm")
	args, _ := os.ReadFile(proc + "/cmdline")
	wchan, _ := os.ReadFile(proc + "/wchan")
	return fmt.Sprintf("%d (%s) state %s, waiting in %q, args %q", pid, strings.TrimSpace(string(comm)),
		processState(pid), wchan, strings.ReplaceAll(string(args), "\x00", " "))
}

// claimed are the zombies that are not ReapOrphans'.
var claimed sync.Map

// Claim leaves the process, once it has ended, for the caller to wait for.
func Claim(pid int) { claimed.Store(pid, true) }

// Unclaim takes that back, after the wait.
func Unclaim(pid int) { claimed.Delete(pid) }

// ReapOrphans collects the orphans that died inside containers and became our
// children, as the init of a host does: until then the PID namespace they are
// in cannot end. The first process of a container is left to its test.
func ReapOrphans() {
	for _, pid := range Processes() {
		if _, theirs := claimed.Load(pid); !theirs && processState(pid) == "Z" && insideContainer(pid) {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // fails for another's child
		}
	}
}

// insideContainer tells whether the process is in a PID namespace below ours,
// and not its first one. NSpid lists its PIDs from ours inwards.
func insideContainer(pid int) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if pids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			list := strings.Fields(pids)
			return len(list) > 1 && list[len(list)-1] != "1"
		}
	}
	return false
}
