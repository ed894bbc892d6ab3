package libcontainer

import (
	"reflect"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/cgroups"
	"ociruntime/internal/json"
	"ociruntime/libcontainer/intelrdt"
)

// FuzzDecodeRecord: state.json may be damaged. What is accepted survives being
// written, and believing it reaches no process that is not the container's.
func FuzzDecodeRecord(f *testing.F) {
	score := -5
	for _, r := range []record{
		{Version: 1, ID: "empty"},
		{Version: 1, ID: "x", Bundle: "/b", Rootfs: "/b/rootfs", Created: "2026-01-02T03:04:05.000000006Z", Annotations: map[string]string{"a": "b"},
			Pid: 77, Start: 1 << 40, BootID: "0-1", Inode: 9, Hooks: []string{"prestart"}, PidNS: true, Keyring: "_ses.x", Namespaces: 1 << 29,
			Cgroup:   cgroups.Location{Places: []cgroups.Place{{Mount: "/sys/fs/cgroup", Path: "/x", Made: 1}}},
			IntelRdt: &intelrdt.Group{}, Filter: noKey, UIDMappings: []specs.LinuxIDMapping{{Size: 1}}, OOMScoreAdj: &score},
	} {
		f.Add(string(appendRecord(nil, &r)))
	}
	f.Add(`{"pid":-1,"start":18446744073709551615}`)
	f.Add(`{"pid":2147483648}`)
	f.Fuzz(func(t *testing.T, text string) {
		r := &record{}
		d := json.NewDecoder(text)
		decodeRecord(d, r)
		if len(d.Close()) > 0 {
			return
		}
		again := &record{}
		d = json.NewDecoder(string(appendRecord(nil, r)))
		decodeRecord(d, again)
		if problems := d.Close(); len(problems) > 0 {
			t.Fatalf("what was written cannot be read: %v", problems[0])
		}
		if !reflect.DeepEqual(normal(r), normal(again)) {
			t.Errorf("read\n%+v, read again\n%+v", r, again)
		}
		if pidfd, err := r.alive(); err == nil {
			closeFD(pidfd)
			t.Errorf("%q names a process", text)
		}
	})
}

// normal is r without the difference between what is empty and what is not there.
func normal(r *record) record {
	n := *r
	if len(n.Annotations) == 0 {
		n.Annotations = nil
	}
	if len(n.Hooks) == 0 {
		n.Hooks = nil
	}
	if len(n.UIDMappings) == 0 {
		n.UIDMappings = nil
	}
	if len(n.GIDMappings) == 0 {
		n.GIDMappings = nil
	}
	if len(n.Cgroup.Places) == 0 {
		n.Cgroup.Places = nil
	}
	return n
}
