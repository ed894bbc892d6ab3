package ps

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const shell = "1234 (a ) (b) S 1 1234 1234 34817 5678 4194560 1 2 3 4 6000 100 0 0 20 0 3 0 4200 10485760 512 18446744073709551615 1\n"

func TestParse(t *testing.T) {
	p, err := parse(shell, []byte("sh\x00-c\x00a\nb\x1b\x00"))
	if err != nil {
		t.Fatal(err)
	}
	want := process{parent: 1, name: "a ) (b", command: "sh -c a?b?", state: "S", tty: 34817, ticks: 6100, start: 4200,
		threads: 3, virtual: 10485760, pages: 512}
	if *p != want {
		t.Errorf("got  %+v\nwant %+v", *p, want)
	}
	if p, _ := parse(shell, nil); p.command != "[a ) (b]" {
		t.Errorf("without arguments: %s", p.command)
	}
	for _, bad := range []string{"", "1 sh S", "1 (sh) S 1", ") 1 ("} {
		if _, err := parse(bad, nil); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

func TestColumns(t *testing.T) {
	cases := []struct{ args, header string }{
		{"", "UID PID PPID C STIME TTY TIME CMD"},
		{"-ef", "UID PID PPID C STIME TTY TIME CMD"},
		{"-f -A", "UID PID PPID C STIME TTY TIME CMD"},
		{"-e", "PID TTY TIME CMD"},
		{"-eo pid,comm", "PID COMMAND"},
		{"-o user,uid -o rss=MEM", "USER UID MEM"},
		{"-opid,args", "PID COMMAND"},
	}
	for _, c := range cases {
		columns, err := Columns(strings.Fields(c.args))
		var header []string
		for _, column := range columns {
			header = append(header, column.header)
		}
		if err != nil || strings.Join(header, " ") != c.header {
			t.Errorf("%q: got %q, %v; want %s", c.args, header, err, c.header)
		}
	}
	for args, want := range map[string]string{
		"aux":       `ps option "aux": is not supported`,
		"-":         `ps option "-": is not supported`,
		"-ex":       `ps option "-ex": is not supported`,
		"-o":        `ps option "-o": needs a list`,
		"-o pid,me": `ps column "me": does not exist`,
	} {
		if _, err := Columns(strings.Fields(args)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", args, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cases := []struct{ got, want string }{
		{terminal(0), "?"},
		{terminal(34816), "pts/0"},
		{terminal(34817 + 1<<20), "pts/257"},
		{terminal(35072), "pts/256"},
		{terminal(1025), "tty1"},
		{terminal(1089), "ttyS1"},
		{terminal(1281), "console"},
		{terminal(261 << 8), "261:0"},
		{cpuTime(0), "00:00:00"},
		{cpuTime(366199), "01:01:01"},
		{cpuTime(100 * (2*86400 + 61)), "2-00:01:01"},
		{started(now.Add(-time.Hour), now), "11:00"},
		{started(now.Add(-24*time.Hour), now), "Nov22"},
		{started(now.Add(-366*24*time.Hour), now), "2025"},
		{share(&process{ticks: 100}, &host{now: now, uptime: 4 * time.Second}), "25"},
		{share(&process{ticks: 1000}, &host{now: now, uptime: 4 * time.Second}), "99"},
		{share(&process{start: 500}, &host{now: now, uptime: 4 * time.Second}), "0"},
	}
	for _, c := range cases {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// TestWrite lists this process, and not one that does not exist.
func TestWrite(t *testing.T) {
	var b strings.Builder
	if err := Write(&b, []int{os.Getpid(), 1 << 30}, nil); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), b.String())
	}
	fields := strings.Fields(lines[1])
	if fields[1] != strconv.Itoa(os.Getpid()) || fields[2] != strconv.Itoa(os.Getppid()) || !strings.Contains(lines[1], os.Args[0]) {
		t.Errorf("line: %s", lines[1])
	}
	if strings.Index(lines[0], "CMD") != strings.Index(lines[1], os.Args[0]) {
		t.Errorf("columns:\n%s", b.String())
	}
}

func FuzzParse(f *testing.F) {
	f.Add(shell, []byte("sh\x00-c\x00"))
	f.Add(")(", []byte{0xff})
	f.Fuzz(func(t *testing.T, stat string, cmdline []byte) {
		if p, err := parse(stat, cmdline); err == nil && strings.ContainsAny(p.command+p.name, "\n\x1b\x00") {
			t.Errorf("%q %q", p.name, p.command)
		}
	})
}
