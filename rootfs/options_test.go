package rootfs

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestParseOptions(t *testing.T) {
	atime := uint64(unix.MOUNT_ATTR__ATIME)
	cases := []struct {
		name string
		in   string
		want options
	}{
		{"none", "", options{}},
		{"bind and flags", "rbind,ro,nosuid", options{bind: true, recursive: true,
			own: attributes{set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}}},
		{"the last wins", "ro,rw,nodev,dev,nodev", options{
			own: attributes{set: unix.MOUNT_ATTR_NODEV, clear: unix.MOUNT_ATTR_RDONLY}}},
		{"access time is a number", "noatime,strictatime", options{
			own: attributes{set: unix.MOUNT_ATTR_STRICTATIME, clear: atime}}},
		{"relatime is zero", "noatime,relatime", options{own: attributes{clear: atime}}},
		{"recursive", "rro,rnoexec,rexec,rnoatime", options{
			tree: attributes{set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOATIME, clear: unix.MOUNT_ATTR_NOEXEC | atime}}},
		{"propagation in order", "rslave,shared", options{
			propagation: []propagation{{unix.MS_SLAVE, true}, {unix.MS_SHARED, false}}}},
		{"data keeps its place", "mode=755,nosuid,size=1k,newinstance", options{
			own: attributes{set: unix.MOUNT_ATTR_NOSUID},
			data: []option{{index: 0, key: "mode", value: "755"}, {index: 2, key: "size", value: "1k"},
				{index: 3, key: "newinstance", flag: true}}}},
		{"of the file system", "sync,lazytime", options{super: []option{{index: 0, key: "sync", flag: true}, {index: 1, key: "lazytime", flag: true}}}},
		{"of mount(8)", "defaults,_netdev,x-systemd.automount,nofail,silent", options{}},
		{"empty value", "context=", options{data: []option{{key: "context"}}}},
		{"of crun", "tmpcopyup,copy-symlink,src-nofollow,dest-nofollow", options{
			copyUp: true, copySymlink: true, sourceNofollow: true, destNofollow: true}},
		{"ridmap with a mapping", "ridmap=uids=0-1-10#10-11-10;gids=0-1-10", options{
			idmap: true, idmapTree: true, idmapping: "uids=0-1-10#10-11-10;gids=0-1-10"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var list []string
			if c.in != "" {
				list = strings.Split(c.in, ",")
			}
			got, err := parseOptions("mounts[0]", list)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q\ngot  %+v, %v\nwant %+v", c.in, got, err, c.want)
			}
		})
	}
}

func TestParseOptionsRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"ro,":                          `mounts[0].options[1]: option: is empty`,
		"=x":                           `mounts[0].options[0]: option "=x": is empty`,
		"idmap=uids=0-1-10":            `mounts[0].options[0]: option "idmap=uids=0-1-10": needs uids= and gids=`,
		"idmap=uids=0-1;gids=0-1-1":    `mounts[0].options[0]: option "idmap=uids=0-1;gids=0-1-1": "0-1" is not ID-HOST-SIZE`,
		"idmap=uids=0-1--1;gids=0-1-1": `mounts[0].options[0]: option "idmap=uids=0-1--1;gids=0-1-1": "0-1--1" is not ID-HOST-SIZE`,
		"idmap=uids=0-1-x;gids=0-1-1":  `mounts[0].options[0]: option "idmap=uids=0-1-x;gids=0-1-1": "x" is not a number below 2^32`,
		"idmap=ids=0-1-1":              `mounts[0].options[0]: option "idmap=ids=0-1-1": "ids" is neither uids nor gids`,
	} {
		_, err := parseOptions("mounts[0]", strings.Split(in, ","))
		if err == nil || err.Error() != want {
			t.Errorf("%q\ngot  %v\nwant %s", in, err, want)
		}
	}
}

// Every option that `features` lists has a meaning, and none is left to the
// file system.
func TestMountOptionsAreParsed(t *testing.T) {
	list := MountOptions()
	if !sort.StringsAreSorted(list) {
		t.Error("not sorted")
	}
	for _, name := range list {
		o, err := parseOptions("m", []string{name})
		if err != nil || len(o.data) > 0 {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func TestNearOption(t *testing.T) {
	for in, want := range map[string]string{
		"nosiud": "nosuid", "sizee": "size", "node": "nodev", "xyzzy": "", "mdoe": "mode", "rrpivate": "rprivate", "a": "",
	} {
		if got := nearOption(in, append(MountOptions(), fsOptions("tmpfs")...)); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

// Whatever the options, the attributes are such as mount_setattr(2) accepts:
// nothing is both set and cleared, but the access time mode is always cleared
// as a whole.
func FuzzParseOptions(f *testing.F) {
	for _, seed := range []string{"ro,rw", "bind,rro,noatime,relatime", "mode=755,size=1k", "idmap=uids=0-1-1;gids=0-0-1", "r,rr,=,==,x=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := strings.Split(s, ",")
		o, err := parseOptions("mounts[0]", list)
		if err != nil {
			return
		}
		for _, a := range []attributes{o.own, o.tree} {
			const atime = unix.MOUNT_ATTR__ATIME
			if a.set&a.clear&^atime != 0 {
				t.Errorf("%q sets and clears %#x", s, a.set&a.clear)
			}
			if c := a.clear & atime; c != 0 && c != atime || a.set&atime != 0 && c == 0 {
				t.Errorf("%q: access time mode of %+v", s, a)
			}
		}
		for _, d := range o.data {
			again := d.key
			if !d.flag {
				again += "=" + d.value
			}
			if list[d.index] != again {
				t.Errorf("%q: option %d has become %q", s, d.index, again)
			}
		}
	})
}

// FuzzParseIDMapping: what is accepted says the same when it is written out.
func FuzzParseIDMapping(f *testing.F) {
	for _, seed := range []string{"uids=0-1-1;gids=0-0-1", "uids=0-1-2#3-4-5;gids=0-0-4294967295;uids=9-9-9", "uids=;gids=-", "uids=0-0-4294967296;gids=0-0-1"} {
		f.Add(seed)
	}
	write := func(key string, list []specs.LinuxIDMapping) string {
		var words []string
		for _, m := range list {
			words = append(words, fmt.Sprintf("%d-%d-%d", m.ContainerID, m.HostID, m.Size))
		}
		return key + "=" + strings.Join(words, "#")
	}
	f.Fuzz(func(t *testing.T, s string) {
		uids, gids, err := parseIDMapping(s)
		if err != nil {
			return
		}
		uids2, gids2, err := parseIDMapping(write("uids", uids) + ";" + write("gids", gids))
		if err != nil || !reflect.DeepEqual(uids, uids2) || !reflect.DeepEqual(gids, gids2) {
			t.Errorf("%q: %v %v, written out %v %v, %v", s, uids, gids, uids2, gids2, err)
		}
	})
}
