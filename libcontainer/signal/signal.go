// Package signal reads the names of signals as commands, configurations and
// images give them.
package signal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// highest is the last signal there is, signal(7).
const highest = 64

// The real-time signals as glibc counts them: it keeps 32 and 33 for itself,
// and systemd's SIGRTMIN+3, which asks a container to halt, is 37.
const (
	realtimeMin = 34
	realtimeMax = highest
)

// ErrUnknown is wrapped by what Parse returns for a signal that does not exist.
var ErrUnknown = errors.New("unknown signal")

// Parse reads a number from 0 to 64 or a name, in any case, with or without
// "SIG": "9", "KILL", "sigkill", "RTMIN+3", "SIGRTMAX-1".
func Parse(s string) (unix.Signal, error) {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		if n <= highest {
			return unix.Signal(n), nil
		}
		return 0, unknown(s)
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	switch name {
	case "CLD": // what System V called it
		return unix.SIGCHLD, nil
	case "POLL":
		return unix.SIGIO, nil
	case "IOT":
		return unix.SIGABRT, nil
	}
	if n := unix.SignalNum("SIG" + name); n != 0 {
		return n, nil
	}
	if n, ok := realtime(name); ok {
		return n, nil
	}
	return 0, unknown(s)
}

// realtime reads RTMIN, RTMIN+n, RTMAX and RTMAX-n.
func realtime(name string) (unix.Signal, bool) {
	base, sign := realtimeMin, '+'
	rest, ok := strings.CutPrefix(name, "RTMIN")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "RTMAX"); !ok {
			return 0, false
		}
		base, sign = realtimeMax, '-'
	}
	if rest == "" {
		return unix.Signal(base), true
	}
	offset, err := strconv.ParseUint(rest[1:], 10, 6)
	if err != nil || rune(rest[0]) != sign || offset > realtimeMax-realtimeMin {
		return 0, false
	}
	if sign == '-' {
		return unix.Signal(base - int(offset)), true
	}
	return unix.Signal(base + int(offset)), true
}

func unknown(s string) error {
	return &diag.Error{Err: fmt.Errorf("%w %q", ErrUnknown, s),
		Hint: "a number from 0 to 64, or a name such as TERM, SIGKILL, RTMIN+3", Code: "unknown-signal"}
}
