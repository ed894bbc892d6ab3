package require

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAccepts(t *testing.T) {
	list := filepath.Join(t.TempDir(), "skips")
	text := "# comment\n\nv2 TestMemory* controller:memory # cgroup2 of this host has no memory\n* TestTime namespace:time\n"
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		view, test, requirement string
		want                    bool
	}{
		{"v2", "TestMemoryLimit", "controller:memory", true},
		{"v2", "TestMemoryLimit/half/of it", "controller:memory", true},
		{"v1", "TestMemoryLimit", "controller:memory", false},
		{"v2", "TestMemoryLimit", "root", false},
		{"as-is", "TestTime", "namespace:time", true},
	}
	for _, c := range cases {
		got, err := accepts(list, c.view, c.test, c.requirement)
		if err != nil || got != c.want {
			t.Errorf("%+v: got %v, %v", c, got, err)
		}
	}
}
