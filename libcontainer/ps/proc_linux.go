package ps

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is what /proc tells of one.
type process struct {
	pid, parent int
	uid         uint32 // effective
	name        string // as the kernel knows it, 15 bytes
	command     string // program and arguments; [name] without any
	state       string
	tty         uint64 // device number
	ticks       uint64 // of CPU time
	start       uint64 // ticks from boot to start
	threads     uint64
	virtual     uint64 // bytes
	pages       uint64 // in memory
}

// read reads what there is to know about a process.
func read(pid int) (*process, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil { // its owner is the effective user, proc(5)
		return nil, err
	}
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return nil, err
	}
	cmdline, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return nil, err
	}
	p, err := parse(string(stat), cmdline)
	if err != nil {
		return nil, err
	}
	p.pid, p.uid = pid, st.Uid
	return p, nil
}

var errMalformed = errors.New("malformed /proc/PID/stat")

// parse parses "PID (COMM) STATE PPID ...", proc_pid_stat(5), and the arguments,
// each with a NUL behind it. COMM may hold anything, so it ends at the last ")".
func parse(stat string, cmdline []byte) (*process, error) {
	begin, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if begin < 0 || end < begin {
		return nil, errMalformed
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 24-2 {
		return nil, errMalformed
	}
	number := func(field int) uint64 { // counted as the manual does
		n, _ := strconv.ParseUint(fields[field-3], 10, 64)
		return n
	}
	p := &process{
		name:    printable(stat[begin+1 : end]),
		state:   fields[0],
		parent:  int(number(4)),
		tty:     number(7),
		ticks:   number(14) + number(15),
		threads: number(20),
		start:   number(22),
		virtual: number(23),
		pages:   number(24),
	}
	p.command = printable(string(bytes.ReplaceAll(bytes.TrimRight(cmdline, "\x00"), []byte{0}, []byte{' '})))
	if p.command == "" {
		p.command = "[" + p.name + "]"
	}
	return p, nil
}

// printable replaces what would break the list, or reach the terminal as a
// command to it: the text is the container's.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// host is what all processes have in common.
type host struct {
	now    time.Time
	uptime time.Duration // with the time asleep, as start times are
	page   uint64
	users  string // /etc/passwd, once needed
}

func readHost() *host {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // cannot fail since Linux 2.6.39
	return &host{now: time.Now(), uptime: time.Duration(t.Nano()), page: uint64(os.Getpagesize())}
}

// ticks turns the unit of /proc into time: USER_HZ is 100 everywhere but on alpha.
func ticks(n uint64) time.Duration { return time.Duration(n) * (time.Second / 100) }

func (h *host) started(p *process) time.Time {
	return h.now.Add(ticks(p.start) - h.uptime)
}

// user names a user of the host; who has no name is a number.
func (h *host) user(uid uint32) string {
	if h.users == "" {
		text, _ := os.ReadFile("/etc/passwd") // without it, numbers
		h.users = string(text) + "\n"
	}
	id := strconv.FormatUint(uint64(uid), 10)
	for line := range strings.Lines(h.users) {
		f := strings.SplitN(line, ":", 4)
		if len(f) == 4 && f[2] == id {
			return f[0]
		}
	}
	return id
}
