package view

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// processGrace is how long a killed process may take to die.
const processGrace = 2 * time.Second

// reportLeftovers is the last look after all tests of a view: processes that
// no test recognised as its own, and files this process forgot to close.
func reportLeftovers(filesBefore map[string]bool) int {
	code := 0
	for _, pid := range Processes() {
		if !diesSoon(pid) {
			fmt.Printf("--- FAIL: view %s left a process behind: %s\n", current.view, Describe(pid))
			code = 1
		}
	}
	for file := range openFiles() {
		if !filesBefore[file] {
			fmt.Printf("--- FAIL: view %s: the tests left a file open: %s\n", current.view, file)
			code = 1
		}
	}
	return code
}

func diesSoon(pid int) bool {
	for deadline := time.Now().Add(processGrace); Alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// openFiles returns what the open file descriptors of this process refer to.
func openFiles() map[string]bool {
	files := map[string]bool{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		link, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err == nil && !ofGoRuntime(link) {
			files[link] = true
		}
	}
	return files
}

// ofGoRuntime names what Go's own runtime opens on its first use, and the
// directory that openFiles itself is reading.
func ofGoRuntime(link string) bool {
	for _, prefix := range []string{"anon_inode:[eventpoll]", "anon_inode:[eventfd]", "/proc/", "/sys/fs/cgroup"} {
		if strings.HasPrefix(link, prefix) {
			return true
		}
	}
	return false
}
