package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// caughtPipe is the write end of the pipe of Catch, for the handler; caughtRead
// is the other.
var (
	caughtPipe int32 = -1
	caughtRead int
)

func handlers() (handler, restorer uintptr)

// Flags of sigaction(2) that x/sys does not have.
const (
	saRestorer = 0x04000000
	saOnStack  = 0x08000000
	saRestart  = 0x10000000
)

// ignore is SIG_IGN.
const ignore = 1

// sigaction is the kernel's struct sigaction of amd64; that of arm64 is laid
// out the same as far as it goes.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// Catch makes signals readable from a pipe, as one byte each, and returns the
// pipe's read end: those that are named, or every one that can be caught. It is
// for the rest of the process's life; another call adds to the signals.
//
// os/signal does the same at the price of several thread switches per signal
// that is asked for, which together take longer than starting a container.
// Signals that the caller has us ignore (nohup(1)) stay ignored, and those that
// tell of a crash, or that the Go runtime sends itself, stay with it.
func Catch(only ...unix.Signal) (int, error) {
	if caughtPipe < 0 {
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			return -1, err
		}
		caughtRead, caughtPipe = pipe[0], int32(pipe[1])
	}
	for _, s := range only {
		if err := catch(s); err != nil {
			return -1, err
		}
	}
	for s := unix.Signal(1); s <= 64 && len(only) == 0; s++ {
		if err := catch(s); err != nil {
			return -1, err
		}
	}
	return caughtRead, nil
}

// catch lets the handler have s, unless that is ignored or not ours to catch.
func catch(s unix.Signal) error {
	if !catchable(s) {
		return nil
	}
	action := sigaction{flags: saOnStack | saRestart}
	if action.handler, action.restorer = handlers(); action.restorer != 0 {
		action.flags |= saRestorer
	}
	var before sigaction
	err := rtSigaction(s, &action, &before)
	if err == nil && before.handler == ignore {
		err = rtSigaction(s, &before, nil)
	}
	return err
}

func catchable(s unix.Signal) bool {
	switch s {
	case unix.SIGKILL, unix.SIGSTOP:
		return false // the kernel's
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGSYS:
		return false // a crash of ours
	case unix.SIGTTIN, unix.SIGTTOU:
		return false // who touches the terminal from the background shall stop, as the shell expects
	case unix.SIGURG, unix.SIGPROF, 32, 33:
		return false // the Go runtime's and the C library's
	}
	return true
}

func rtSigaction(s unix.Signal, set, get *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), unsafe.Sizeof(set.mask), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
