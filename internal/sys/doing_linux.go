package sys

import (
	"fmt"
	"strconv"
)

// Doing says what a process does at this moment: its state and where it waits in
// the kernel, proc_pid_wchan(5). It is for messages about one that does not go on.
func Doing(pid int) string {
	stat, err := Stat(pid)
	if err != nil {
		return "process " + strconv.Itoa(pid) + " is gone"
	}
	var buf [128]byte
	where := "/proc/" + strconv.Itoa(pid)
	comm, _ := ReadSmall(where+"/comm", buf[:]) // what cannot be read stays out of the message
	said := fmt.Sprintf("process %d (%s) is in state %c", pid, trimNewline(comm), stat.State)
	if wchan, _ := ReadSmall(where+"/wchan", buf[:]); len(wchan) > 0 && string(wchan) != "0" {
		said += ", waiting in " + string(wchan)
	}
	return said
}

func trimNewline(b []byte) string {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	return string(b)
}
