package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// pry looks for processes that appear in the pid namespace and tries everything
// to get at what they hold, until SIGTERM. A process that has become a program
// of the container's is a fair target, and tells by its exe.
//
// With the argument "neighbour", such a program may be another container's.
func pry(args []string) error {
	neighbour = len(args) > 0
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Println("prying")
	refused := map[string]int{}
	runtime.LockOSThread() // ptrace(2) is the thread's
	for {
		select {
		case <-term:
			for what, n := range refused {
				fmt.Println("refused", what, n)
			}
			return nil
		default:
		}
		// Pids count up. Looking at all of /proc would be too slow.
		last := lastPid()
		for pid := max(2, last-3); pid < last+3; pid++ {
			attack(pid, refused)
		}
	}
}

// neighbour says that another container has its programs in the pid namespace.
var neighbour bool

// lastPid is the process id given out last, proc_loadavg(5).
func lastPid() int {
	text, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(fields[len(fields)-1])
	return n
}

// attack tries everything on pid, if there is such a process.
func attack(pid int, refused map[string]int) {
	proc := "/proc/" + strconv.Itoa(pid) + "/"
	comm, err := os.ReadFile(proc + "comm")
	if err != nil {
		return
	}
	if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(pid)); err == nil {
		return // a thread of ours
	}
	stage := strings.HasPrefix(string(comm), "runtime:") || strings.HasPrefix(string(comm), "exe")
	for _, name := range []string{"exe", "mem", "environ", "maps", "fd", "cwd", "root", "ns/mnt", "map_files", "task/" + strconv.Itoa(pid) + "/fd"} {
		for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY} {
			look(proc, name, flags, stage, refused)
		}
	}
	steal(pid, stage, refused)
	trace(pid, stage, refused)
}

// look opens a file of another process.
func look(proc, name string, flags int, stage bool, refused map[string]int) {
	fd, err := unix.Open(proc+name, flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		if stage && err == unix.EACCES || err == unix.EPERM {
			refused[name]++
		}
		return
	}
	defer unix.Close(fd)
	target, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	switch {
	case name == "exe" && !strings.HasPrefix(target, "/bin/") && !strings.HasPrefix(target, "/tmp/attacker"):
		hole("open %s%s is %s", proc, name, target)
	case name == "fd" && flags == unix.O_RDONLY:
		descriptors(proc)
	case (name == "cwd" || name == "root") && target != "/":
		hole("open %s%s is %s", proc, name, target)
	case name == "ns/mnt":
		if neighbour {
			return // a program of another container is a fair target, too
		}
		if ours, _ := os.Readlink("/proc/self/ns/mnt"); target != ours {
			hole("open %s%s is %s, ours is %s", proc, name, target, ours)
		}
	case name == "mem" || name == "environ" || name == "maps":
		mapped(fd, proc, name)
	}
}

// mapped looks at memory: the stage's ops are at a fixed address, its image has
// a name, and the arena has strings of the host.
func mapped(fd int, proc, name string) {
	buf := make([]byte, 1<<16)
	var n int
	if name == "mem" {
		n, _ = unix.Pread(fd, buf, 0x11000000)
	} else {
		n, _ = unix.Read(fd, buf)
	}
	if name == "mem" && n > 0 || strings.Contains(string(buf[:max(n, 0)]), "runtime:stage") {
		hole("read %s%s: %d bytes", proc, name, n)
	}
}

// descriptors lists what a process has open beyond stdio.
func descriptors(proc string) {
	entries, err := os.ReadDir(proc + "fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		target, err := os.Readlink(proc + "fd/" + e.Name())
		if n, _ := strconv.Atoi(e.Name()); err == nil && n > 2 {
			hole("%sfd/%s is %s", proc, e.Name(), target)
		}
	}
}

// steal duplicates descriptors by pidfd_getfd(2).
func steal(pid int, stage bool, refused map[string]int) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(pidfd)
	for n := 3; n < 8; n++ {
		fd, err := unix.PidfdGetfd(pidfd, n, 0)
		if err == nil {
			target, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
			hole("descriptor %d of process %d is %s", n, pid, target)
			unix.Close(fd)
		} else if stage && err == unix.EPERM {
			refused["pidfd_getfd"]++
		}
	}
}

// trace attaches by ptrace(2) and looks at what it has caught.
func trace(pid int, stage bool, refused map[string]int) {
	const seize = 0x4206 // PTRACE_SEIZE
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, seize, uintptr(pid), 0, 0, 0, 0)
	if errno != 0 {
		if stage && errno == unix.EPERM {
			refused["ptrace"]++
		}
		return
	}
	if exe, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe"); strings.Contains(exe, "runtime") {
		hole("traced process %d while it was %s", pid, exe)
	}
	// It runs on, and its parent learns of its end once we do.
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		if err == nil && status.Stopped() {
			_ = unix.PtraceCont(pid, 0)
		} else if err != unix.EINTR {
			return
		}
	}
}
