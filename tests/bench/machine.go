package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine describes where and when the numbers were taken.
type Machine struct {
	Date        string
	Kernel      string
	Distro      string
	CPU         string
	CPUs        int
	MemoryMiB   int64
	Clocksource string
	Cgroups     string // layout of the host, whatever views were measured
	Filesystem  string // of the root file systems and bundles
	LoadBefore  string
	LoadAfter   string
}

func describeMachine(scratch string) Machine {
	var name unix.Utsname
	_ = unix.Uname(&name) // cannot fail with a valid pointer
	var info unix.Sysinfo_t
	_ = unix.Sysinfo(&info)
	return Machine{
		Date:        time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		Kernel:      unix.ByteSliceToString(name.Release[:]) + " " + unix.ByteSliceToString(name.Machine[:]),
		Distro:      strings.Trim(valueOf("/etc/os-release", "PRETTY_NAME="), `"`),
		CPU:         strings.TrimLeft(valueOf("/proc/cpuinfo", "model name"), "\t :"),
		CPUs:        runtime.NumCPU(),
		MemoryMiB:   int64(info.Totalram) * int64(info.Unit) >> 20,
		Clocksource: trimmed("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
		Cgroups:     hostLayout(),
		Filesystem:  fmt.Sprintf("type %#x", filesystem(scratch)),
		LoadBefore:  loadAverage(),
	}
}

func (m *Machine) finish() { m.LoadAfter = loadAverage() }

// valueOf is the rest of the first line that starts with key.
func valueOf(path, key string) string {
	data, _ := os.ReadFile(path)
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, key); found {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

func trimmed(path string) string {
	data, _ := os.ReadFile(path)
	return strings.TrimSpace(string(data))
}

// lines is the description for people.
func (m Machine) lines() string {
	return fmt.Sprintf(`- %s, %s, kernel %s
- %d x %s, %d MiB, clock source %s
- cgroups of the host: %s; root file systems on a file system of %s
- load average before: %s; after: %s
`, m.Date, m.Distro, m.Kernel, m.CPUs, m.CPU, m.MemoryMiB, m.Clocksource, m.Cgroups, m.Filesystem, m.LoadBefore, m.LoadAfter)
}
