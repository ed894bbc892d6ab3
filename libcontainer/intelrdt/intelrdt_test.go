package intelrdt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The tree below is a directory that looks like resctrl, as few machines have
// one to test with: what the kernel would refuse, it takes.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	populate(t, root)
	populate(t, filepath.Join(root, "there"))
	put(t, root+"/there/schemata", "    L3:0=00ff;1=f\n    MB:0=100;1= 50\n")
	return root
}

func populate(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir+"/mon_groups", 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, dir+"/tasks", "")
	put(t, dir+"/schemata", "")
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func plan(t *testing.T, root string, config specs.LinuxIntelRdt) (*Plan, error) {
	t.Helper()
	p, err := NewPlan(root, "box", &config)
	p.mkdir = func(path string) error {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		populate(t, path)
		return nil
	}
	return p, err
}

func TestApply(t *testing.T) {
	lines := []string{"L2:0=3", "L3:1=1"}
	for name, c := range map[string]struct {
		config   specs.LinuxIntelRdt
		dir      string // of the control group
		schemata string // in the end
		own      bool
	}{
		"nothing said":      {specs.LinuxIntelRdt{}, "box", "", true},
		"order":             {specs.LinuxIntelRdt{MemBwSchema: "MB:0=20", L3CacheSchema: "L3:0=f", Schemata: lines}, "box", "L3:0=f\nMB:0=20\nL2:0=3\nL3:1=1\n", true},
		"new class":         {specs.LinuxIntelRdt{ClosID: "new", L3CacheSchema: "L3:0=f"}, "new", "L3:0=f\n", false},
		"class, no schema":  {specs.LinuxIntelRdt{ClosID: "there"}, "there", "    L3:0=00ff;1=f\n    MB:0=100;1= 50\n", false},
		"class, same":       {specs.LinuxIntelRdt{ClosID: "there", L3CacheSchema: "L3:0=FF", MemBwSchema: "MB:1=50;0=100"}, "there", "    L3:0=00ff;1=f\n    MB:0=100;1= 50\n", false},
		"default class":     {specs.LinuxIntelRdt{ClosID: "/"}, "", "", false},
		"monitored":         {specs.LinuxIntelRdt{EnableMonitoring: true}, "box", "", true},
		"monitored default": {specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t)
			p, err := plan(t, root, c.config)
			if err == nil {
				err = p.Apply(4711)
			}
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(root, c.dir)
			if filepath.Clean(p.Dir) != dir || p.Own != c.own {
				t.Errorf("got %+v", p.Group)
			}
			want(t, dir+"/tasks", "4711")
			want(t, dir+"/schemata", c.schemata)
			if c.config.EnableMonitoring {
				want(t, dir+"/mon_groups/box/tasks", "4711")
			}
		})
	}
}

func want(t *testing.T, path, text string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("%s: got %q (%v), want %q", path, got, err, text)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		config specs.LinuxIntelRdt
		part   string
	}{
		"class missing":   {specs.LinuxIntelRdt{ClosID: "nosuch"}, "linux.intelRdt.closID"},
		"other limits":    {specs.LinuxIntelRdt{ClosID: "there", L3CacheSchema: "L3:0=1"}, "linux.intelRdt.l3CacheSchema"},
		"other resource":  {specs.LinuxIntelRdt{ClosID: "there", Schemata: []string{"L3:0=ff", "L2:0=1"}}, "linux.intelRdt.schemata[1]"},
		"default differs": {specs.LinuxIntelRdt{ClosID: "/", MemBwSchema: "MB:0=10"}, "linux.intelRdt.memBwSchema"},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t)
			if _, err := plan(t, root, c.config); err == nil || !strings.Contains(err.Error(), c.part) {
				t.Errorf("got %v, want one about %s", err, c.part)
			}
			if entries, _ := os.ReadDir(root); len(entries) != 4 {
				t.Errorf("something was made: %v", entries)
			}
		})
	}
	root := tree(t)
	populate(t, root+"/box")
	if _, err := plan(t, root, specs.LinuxIntelRdt{}); err == nil {
		t.Error("took the group of somebody else")
	}
}

// TestRemove: what was there before, or is named by closID, stays.
func TestRemove(t *testing.T) {
	for name, c := range map[string]struct {
		group      Group
		gone, left string
	}{
		"own":       {Group{Dir: "box", Own: true}, "box", ""},
		"class":     {Group{Dir: "class"}, "", "class"},
		"monitored": {Group{Dir: "class", Monitor: "class/box"}, "class/box", "class"},
		"none":      {Group{}, "", "class"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			_ = os.Mkdir("box", 0o755)
			_ = os.MkdirAll("class/box", 0o755)
			for range 2 { // a second time finds nothing
				if err := c.group.Remove(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(c.gone); c.gone != "" && err == nil {
				t.Errorf("%s is left", c.gone)
			}
			if _, err := os.Stat(c.left); c.left != "" && err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUndo: a failed Apply leaves nothing, not even a named class that it made.
func TestUndo(t *testing.T) {
	root := tree(t)
	p, err := plan(t, root, specs.LinuxIntelRdt{ClosID: "new", L3CacheSchema: "L3:0=f"})
	if err != nil {
		t.Fatal(err)
	}
	p.mkdir = func(path string) error { return os.Mkdir(path, 0o755) } // and no file in it
	if err := p.Apply(1); err == nil || !strings.Contains(err.Error(), "schemata") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(root + "/new"); err == nil {
		t.Error("the group is left")
	}
}

func TestFind(t *testing.T) {
	const info = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n" +
		"31 23 0:27 / /mnt/resctrl rw shared:9 master:2 - resctrl resctrl rw\n"
	if got := find(info); got != "/mnt/resctrl" {
		t.Errorf("got %q", got)
	}
}

// TestUpdate: what is named changes; what the kernel refuses changes nothing.
func TestUpdate(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(root+"/x", 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, root+"/x/schemata", "    L3:0=ff\n")
	g := Group{Dir: root + "/x"}
	undo, err := g.Update(root, &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=0f", MemBwSchema: "MB:0=50"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, root+"/x/schemata", "L3:0=0f\nMB:0=50\n") // the kernel's file takes lines one by one
	undo()
	want(t, root+"/x/schemata", "L3:0=ff\nMB:0=50\n") // over the first line, as this is no file of the kernel's
	for _, dir := range []string{"", root} {
		if _, err := (Group{Dir: dir}).Update(root, &specs.LinuxIntelRdt{MemBwSchema: "MB:0=50"}); err == nil {
			t.Errorf("the default group was changed: %q", dir)
		}
	}
	if _, err := (Group{Dir: root + "/gone"}).Update(root, &specs.LinuxIntelRdt{MemBwSchema: "MB:0=50"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a group that is gone: %v", err)
	}
}
