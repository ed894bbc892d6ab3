package view

import "testing"

func TestParseMounts(t *testing.T) {
	const text = `36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
37 35 0:3 / /x rw shared:2 master:1 - tmpfs none rw
38 35 0:3 / /y rw unbindable - tmpfs none rw
a broken line
`
	mounts := ParseMounts(text)
	if len(mounts) != 3 {
		t.Fatalf("got %d mounts, want 3: %v", len(mounts), mounts)
	}
	first := mounts[0]
	if first.Point != "/mnt 2" || first.Root != "/mnt1" || first.Type != "ext3" || first.Source != "/dev/root" {
		t.Errorf("fields of the first line: %+v", first)
	}
	if !first.Has("noatime") || !first.Has("errors=continue") || first.Has("atime") {
		t.Errorf("options of the first line: %+v", first)
	}
	for i, want := range []string{"slave", "shared", "unbindable"} {
		if got := mounts[i].Propagation(); got != want {
			t.Errorf("propagation of line %d: got %s, want %s", i, got, want)
		}
	}
}
