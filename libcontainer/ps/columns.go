package ps

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	errOption = errors.New("is not supported")
	errList   = errors.New("needs a list of columns")
	errColumn = errors.New("does not exist")
)

type knownColumn struct {
	name string
	Column
}

// known are the columns by the names of ps(1), "STANDARD FORMAT SPECIFIERS".
var known = [...]knownColumn{
	{"user", Column{"USER", false, func(p *process, h *host) string { return h.user(p.uid) }}},
	{"uid", Column{"UID", true, func(p *process, _ *host) string { return strconv.FormatUint(uint64(p.uid), 10) }}},
	{"pid", Column{"PID", true, func(p *process, _ *host) string { return strconv.Itoa(p.pid) }}},
	{"ppid", Column{"PPID", true, func(p *process, _ *host) string { return strconv.Itoa(p.parent) }}},
	{"c", Column{"C", true, func(p *process, h *host) string { return share(p, h) }}},
	{"stime", Column{"STIME", false, func(p *process, h *host) string { return started(h.started(p), h.now) }}},
	{"tty", Column{"TTY", false, func(p *process, _ *host) string { return terminal(p.tty) }}},
	{"time", Column{"TIME", true, func(p *process, _ *host) string { return cpuTime(p.ticks) }}},
	{"cmd", Column{"CMD", false, func(p *process, _ *host) string { return p.command }}},
	{"args", Column{"COMMAND", false, func(p *process, _ *host) string { return p.command }}},
	{"command", Column{"COMMAND", false, func(p *process, _ *host) string { return p.command }}},
	{"comm", Column{"COMMAND", false, func(p *process, _ *host) string { return p.name }}},
	{"s", Column{"S", false, func(p *process, _ *host) string { return p.state }}},
	{"stat", Column{"STAT", false, func(p *process, _ *host) string { return p.state }}},
	{"nlwp", Column{"NLWP", true, func(p *process, _ *host) string { return strconv.FormatUint(p.threads, 10) }}},
	{"vsz", Column{"VSZ", true, func(p *process, _ *host) string { return strconv.FormatUint(p.virtual>>10, 10) }}},
	{"rss", Column{"RSS", true, func(p *process, h *host) string { return strconv.FormatUint(p.pages*h.page>>10, 10) }}},
}

func knownNames() string {
	var names []string
	for _, k := range known {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

// share is the CPU time since the start, in percent of the time since then.
func share(p *process, h *host) string {
	elapsed := h.now.Sub(h.started(p))
	if elapsed <= 0 {
		return "0"
	}
	return strconv.FormatInt(min(99, int64(100*ticks(p.ticks)/elapsed)), 10)
}

// started is the time of day today, the day this year, else the year.
func started(at, now time.Time) string {
	switch {
	case at.Year() != now.Year():
		return at.Format("2006")
	case at.YearDay() != now.YearDay():
		return at.Format("Jan02")
	}
	return at.Format("15:04")
}

func cpuTime(n uint64) string {
	s := uint64(ticks(n) / time.Second)
	text := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		return fmt.Sprintf("%d-%s", days, text)
	}
	return text
}

// terminal names a terminal by its device number, as in the kernel's
// Documentation/admin-guide/devices.txt.
func terminal(device uint64) string {
	major, minor := device>>8&0xfff, device&0xff|device>>12&0xfff00 // tty_nr of proc_pid_stat(5)
	number := strconv.FormatUint(minor, 10)
	switch {
	case device == 0:
		return "?"
	case major >= 136 && major <= 143: // 256 each, before minor numbers were larger
		return "pts/" + strconv.FormatUint((major-136)<<8+minor, 10)
	case major == 4 && minor < 64:
		return "tty" + number
	case major == 4:
		return "ttyS" + strconv.FormatUint(minor-64, 10)
	case major == 5 && minor == 1:
		return "console"
	}
	return strconv.FormatUint(major, 10) + ":" + number
}
