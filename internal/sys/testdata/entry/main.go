// Command entry prints what a program linked with -E=ociruntime_entry sees of
// its surroundings, and the slack of timers of a child.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"ociruntime/internal/sys"
)

func main() {
	sys.GrowStack()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	fmt.Println("procs", runtime.GOMAXPROCS(0))
	fmt.Printf("args %q\n", os.Args[1:])
	fmt.Println("env", os.Getenv("FIRST"), os.Getenv("LAST"))
	fmt.Println("page", os.Getpagesize() == syscall.Getpagesize() && os.Getpagesize() >= 4096) // from the auxiliary vector
	fmt.Println("slack", slack, err)
	pid, err := sys.ForkExec("/bin/cat", []string{"cat", "/proc/self/timerslack_ns"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var status syscall.WaitStatus
	_, err = syscall.Wait4(pid, &status, 0, nil)
	fmt.Println("waited", err, status.ExitStatus())
}
