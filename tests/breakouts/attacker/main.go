// Command attacker runs inside containers of the tests and does what a shell
// cannot. Each line "HOLE ..." on its standard output is one that it has found.
package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	modes := map[string]func(args []string) error{
		"pry":   pry,
		"stop":  onEach(func(pid int) { _ = unix.Kill(pid, unix.SIGSTOP) }),
		"kill":  onEach(func(pid int) { _ = unix.Kill(pid, unix.SIGKILL) }),
		"limit": onEach(limit),
		"raise": onEach(raise),
		"call":  call,
	}
	run := modes[os.Args[1]]
	if run == nil {
		fmt.Println("no such attack")
		os.Exit(2)
	}
	if err := run(os.Args[2:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// hole reports that an attack has worked.
func hole(format string, args ...any) { fmt.Printf("HOLE "+format+"\n", args...) }

// call makes system calls by their numbers, without arguments, and prints how
// each fails.
func call(numbers []string) error {
	for _, text := range numbers {
		nr, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		_, _, errno := unix.Syscall(uintptr(nr), 0, 0, 0)
		fmt.Println(unix.ErrnoName(errno))
	}
	return nil
}
