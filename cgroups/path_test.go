package cgroups

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestCgroupPath(t *testing.T) {
	cases := []struct{ name, path, base, want string }{
		{"absent", "", "/user.slice", "/user.slice/ID"},
		{"absent at the root", "", "/", "/ID"},
		{"absolute", "/docker/abc", "/user.slice", "/docker/abc"},
		{"absolute, untidy", "//docker/./abc/", "/x", "/docker/abc"},
		{"the root itself", "/", "/x", "/"},
		{"relative", "a/b", "/user.slice", "/user.slice/a/b"},
		{"relative with a colon", "system.slice:x:y", "/", "/system.slice:x:y"},
		{"three dots are a name", "/a/...", "/", "/a/..."},
		{"dots in a name", "/a/b..c", "/", "/a/b..c"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := cgroupPath("ID", c.path, c.base)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	for _, bad := range []string{"..", "/..", "a/../b", "/a/..", "../x", ".", "./", "a\x00b"} {
		if got, err := cgroupPath("ID", bad, "/base"); err == nil || !strings.HasPrefix(err.Error(), "linux.cgroupsPath: ") {
			t.Errorf("%q: got %q, %v", bad, got, err)
		}
	}
}

func FuzzCgroupPath(f *testing.F) {
	for _, seed := range []string{"", "/", "a/b", "/a/../b", "..", "a/..", "/a//b/.", "...", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cgroupsPath string) {
		p, err := cgroupPath("ID", cgroupsPath, "/base")
		if err != nil {
			return
		}
		if !strings.HasPrefix(p, "/") || strings.Contains(p+"/", "/../") {
			t.Errorf("%q became %q", cgroupsPath, p)
		}
		if !strings.HasPrefix(cgroupsPath, "/") && !strings.HasPrefix(p, "/base/") {
			t.Errorf("relative %q left its base: %q", cgroupsPath, p)
		}
	})
}

func TestUnifiedBase(t *testing.T) {
	for own, want := range map[string]string{"/": "/", "/a": "/", "/a/b.scope": "/a"} {
		if got := unifiedBase(own); got != want {
			t.Errorf("base below %q: got %q, want %q", own, got, want)
		}
	}
}

func TestParseMembership(t *testing.T) {
	text := "12:cpu,cpuacct:/a:b\n2:name=systemd:/user.slice\nnonsense\n7::/seven\n1:x\n0::/c (deleted)\n3:pids:relative\n"
	want := []membership{{"cpu,cpuacct", "/a:b"}, {"name=systemd", "/user.slice"}, {"", "/c (deleted)"}}
	if got := parseMembership(text); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzParseMembership(f *testing.F) {
	f.Add("0::/\n")
	f.Add("4:memory:/a:b\n3:cpu,cpuacct:/\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseMembership(text) {
			if !strings.HasPrefix(m.path, "/") || strings.ContainsAny(m.path+m.controllers, "\n") {
				t.Errorf("%q gave %v", text, m)
			}
		}
	})
}

func TestPlace(t *testing.T) {
	p := Place{Controllers: "cpu,cpuacct", Mount: "/sys/fs/cgroup/cpu", Path: "/"}
	if !p.Has("cpuacct") || p.Has("cpua") || p.Has("") {
		t.Errorf("Has is wrong for %v", p)
	}
	if p.Dir() != "/sys/fs/cgroup/cpu" {
		t.Errorf("Dir of the root: %q", p.Dir())
	}
	if (Place{Mount: "/m"}).Has("memory") {
		t.Error("version 2 has no version 1 controllers")
	}
}

func TestModeText(t *testing.T) {
	for _, m := range []Mode{None, V1, Hybrid, V2} {
		text, err := json.Marshal(m)
		must(t, err)
		var back Mode
		must(t, json.Unmarshal(text, &back))
		if back != m {
			t.Errorf("%v through JSON is %v", m, back)
		}
	}
	var m Mode
	if err := m.UnmarshalText([]byte("v3")); err == nil {
		t.Error("v3 was taken")
	}
}

func TestInList(t *testing.T) {
	for list, want := range map[string]bool{"cpu": true, "cpuacct,cpu": true, "cpuacct": false, "": false, "name=cpu": false} {
		if got := inList(list, "cpu"); got != want {
			t.Errorf("cpu in %q: %v", list, got)
		}
	}
}

func TestCommonAncestor(t *testing.T) {
	for _, c := range [][3]string{
		{"/a/b", "/a/c", "/a"}, {"/a", "/b", "/"}, {"/a/b", "/a/b/c", "/a/b"}, {"/ab", "/a", "/"}, {"/", "/x", "/"}, {"/a/b/c", "/a", "/a"},
	} {
		if got := commonAncestor(c[0], c[1]); got != c[2] {
			t.Errorf("%s and %s: got %s, want %s", c[0], c[1], got, c[2])
		}
	}
}
