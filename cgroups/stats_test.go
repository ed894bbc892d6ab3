package cgroups

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestParsePSI(t *testing.T) {
	psi := parsePSI("some avg10=1.50 avg60=0.25 avg300=0.00 total=12345\nfull avg10=100.00 avg60=0.00 avg300=0.00 total=7\n")
	want := &PSI{PSILine{1.5, 0.25, 0, 12345}, PSILine{100, 0, 0, 7}}
	if !reflect.DeepEqual(psi, want) {
		t.Errorf("got %+v, want %+v", psi, want)
	}
	if psi := parsePSI(""); psi != nil {
		t.Errorf("no file gave %+v", psi)
	}
}

func FuzzParsePSI(f *testing.F) {
	f.Add("some avg10=NaN avg60=+Inf avg300=-1 total=1\n")
	f.Add("full avg10=1e400 avg60=0.00 avg300=0.00 total=18446744073709551616\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := json.Marshal(parsePSI(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func TestParseKeyed(t *testing.T) {
	text := "cache 4096\nrss 0\nhuge 18446744073709551615\nbad -1\nlonely\ntwo words 3\n"
	want := map[string]uint64{"cache": 4096, "rss": 0, "huge": 1<<64 - 1}
	if got := parseKeyed(text); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if keyed(text, "rss") != "0" || keyed(text, "ss") != "" || keyed(text, "lonely") != "" || keyedUint(text, "cache") != 4096 || keyedUint(text, "nope") != 0 {
		t.Error("keyed reads another value")
	}
}

func FuzzKeyed(f *testing.F) {
	f.Add("a 1\nb 2", "b")
	f.Add("frozen 1\n", "frozen")
	f.Fuzz(func(t *testing.T, text, key string) {
		if value := keyed(text, key); value != "" && !strings.Contains(text, key+" "+value) {
			t.Errorf("%q of %q is %q", key, text, value)
		}
		for key := range parseKeyed(text) {
			if !strings.Contains(text, key) {
				t.Errorf("%q is not in %q", key, text)
			}
		}
	})
}

func TestParseList(t *testing.T) {
	for text, want := range map[string][]uint16{
		"0-3,7\n": {0, 1, 2, 3, 7}, "5": {5}, "": nil, "\n": nil, "3-1": nil, "a": nil, "1,,2": nil, "65536": nil, "0-": nil,
	} {
		if got := ParseList(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("0-3,7")
	f.Add("0-65535,0-65535,0-65535")
	f.Fuzz(func(t *testing.T, text string) {
		if n := len(ParseList(text)); n > 1<<18 {
			t.Errorf("%q gave %d numbers", text, n)
		}
	})
}

func TestParsePids(t *testing.T) {
	if got := parsePids("12\n0\n-3\nx\n7\n", nil); !reflect.DeepEqual(got, []int{12, 7}) {
		t.Errorf("got %v", got)
	}
}

func FuzzParsePids(f *testing.F) {
	f.Add("1\n2\n")
	f.Add("0\n99999999999999999999\n-1")
	f.Fuzz(func(t *testing.T, text string) {
		for _, pid := range parsePids(text, nil) {
			if pid <= 0 {
				t.Errorf("%q gave pid %d, which would signal a group", text, pid)
			}
		}
	})
}

func TestParseBlkio(t *testing.T) {
	got := parseBlkio("8:0 Read 4096\n8:0 Total 4096\n253:16 77\nTotal 4096\n8:x Read 1\n8:0 Read -1\n")
	want := []BlkioEntry{{8, 0, "Read", 4096}, {8, 0, "Total", 4096}, {253, 16, "", 77}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseIOStat(t *testing.T) {
	bytes, ops := parseIOStat("8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=9\nx rbytes=1\n")
	if want := []BlkioEntry{{8, 16, "Read", 1}, {8, 16, "Write", 2}, {8, 16, "Discard", 5}}; !reflect.DeepEqual(bytes, want) {
		t.Errorf("bytes: got %v, want %v", bytes, want)
	}
	if want := []BlkioEntry{{8, 16, "Read", 3}, {8, 16, "Write", 4}, {8, 16, "Discard", 6}}; !reflect.DeepEqual(ops, want) {
		t.Errorf("operations: got %v, want %v", ops, want)
	}
}

func FuzzParseIO(f *testing.F) {
	f.Add("8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n")
	f.Add("8:0 Read 4096\nTotal 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		bytes, ops := parseIOStat(text)
		if n := len(bytes) + len(ops) + len(parseBlkio(text)); n > len(text) {
			t.Errorf("%q gave %d entries", text, n)
		}
	})
}

func FuzzAppendDirs(f *testing.F) {
	record := make([]byte, 24)
	record[16], record[18], record[19] = 24, 4, 'x'
	f.Add(record)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, buf []byte) {
		for _, name := range appendDirs(nil, buf) {
			if name == "." || name == ".." || strings.Contains(name, "\x00") {
				t.Errorf("% x gave %q", buf, name)
			}
		}
	})
}

func FuzzPrevious(f *testing.F) {
	f.Add("io.max", "8:0 rbps=7", "8:0 rbps=99 wbps=max\n")
	f.Add("rdma.max", "mlx4_0 hca_handle=2", "")
	f.Add("memory.oom_control", "1", "oom_kill_disable 0\n")
	f.Fuzz(func(t *testing.T, file, value, content string) {
		if s, ok := previous(Setting{File: file, Value: value}, content); ok && s.Value == "" {
			t.Errorf("%s: nothing to write back for %q", file, content)
		}
	})
}

func TestCauseText(t *testing.T) {
	for want, cause := range map[string]Cause{
		"": {},
		"oom: limit 64 MiB of /sys/fs/cgroup/x, peak 63.9 MiB, 1 process killed":                                      {OOMKills: 1, OOMAt: "/sys/fs/cgroup/x", Limit: 64 << 20, Peak: 64<<20 - 1},
		"oom: limit 1.5 GiB of /x, 3 processes killed":                                                                {OOMKills: 3, OOMAt: "/x", Limit: 3 << 29},
		"oom: the host had no memory left; no limit of the container was reached":                                     {OOMKills: 1},
		"pids: limit 5 refused a new task once":                                                                       {ForksRefused: 1, PidsLimit: 5},
		"pids: a limit above the container refused a new task 2 times":                                                {ForksRefused: 2},
		"pids: limit 5 refused a new task once; the cgroup is older than the container, and has counted all the time": {ForksRefused: 1, PidsLimit: 5, Shared: true},
	} {
		if got := cause.String(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestSwapFree(t *testing.T) {
	for text, want := range map[string]uint64{
		"": 0, "MemFree: 5 kB\n": 0, "SwapTotal:  9 kB\nSwapFree:        3 kB\nDirty: 1 kB\n": 3072,
	} {
		if got := swapFree(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1 KiB", 255 << 10: "255 KiB", 1 << 20: "1 MiB", 1<<64 - 1: "15.9 EiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestOwner(t *testing.T) {
	writable := specs.Mount{Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"rw", "nosuid"}}
	readonly := specs.Mount{Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"ro"}}
	fresh := []specs.LinuxNamespace{{Type: specs.CgroupNamespace}}
	joined := []specs.LinuxNamespace{{Type: specs.CgroupNamespace, Path: "/proc/1/ns/cgroup"}}
	mapped := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 10}, {ContainerID: 10, HostID: 5, Size: 1}}
	cases := []struct {
		name       string
		mount      specs.Mount
		namespaces []specs.LinuxNamespace
		mappings   []specs.LinuxIDMapping
		uid        uint32
		want       int
		ok         bool
	}{
		{"delegated", writable, fresh, nil, 7, 7, true},
		{"delegated in a user namespace", writable, fresh, mapped, 9, 100009, true},
		{"second mapping", writable, fresh, mapped, 10, 5, true},
		{"unmapped user", writable, fresh, mapped, 11, 0, false},
		{"read-only mount", readonly, fresh, nil, 7, 0, false},
		{"no cgroup namespace", writable, nil, nil, 7, 0, false},
		{"joined cgroup namespace", writable, joined, nil, 7, 0, false},
		{"no mount", specs.Mount{}, fresh, nil, 7, 0, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := &specs.Spec{Process: &specs.Process{User: specs.User{UID: c.uid}}, Mounts: []specs.Mount{c.mount},
				Linux: &specs.Linux{Namespaces: c.namespaces, UIDMappings: c.mappings}}
			if uid, ok := Owner(config); ok != c.ok || ok && uid != c.want {
				t.Errorf("got %d, %v; want %d, %v", uid, ok, c.want, c.ok)
			}
		})
	}
	if _, ok := Owner(&specs.Spec{}); ok {
		t.Error("an empty config delegates")
	}
}

func TestSpellPageSize(t *testing.T) {
	for kb, want := range map[uint64]string{64: "64KB", 2048: "2MB", 1 << 20: "1GB", 16 << 20: "16GB", 32768: "32MB"} {
		if got := spellPageSize(kb); got != want || !isPageSize(got) {
			t.Errorf("%d kB: got %s, want %s", kb, got, want)
		}
	}
}
