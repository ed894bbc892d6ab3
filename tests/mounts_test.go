package tests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

// mountsInside runs a container that shows its mount table.
func mountsInside(env *harness.Env, edits ...harness.Edit) []view.Mount {
	env.T.Helper()
	mounts := view.ParseMounts(env.Stdout(append(edits, harness.Args("cat", "/proc/self/mountinfo"))...))
	mountAt(env.T, mounts, "/")
	return mounts
}

// mountAt returns the topmost mount on the point.
func mountAt(t testing.TB, mounts []view.Mount, point string) view.Mount {
	t.Helper()
	for _, m := range slices.Backward(mounts) {
		if m.Point == point {
			return m
		}
	}
	t.Fatalf("nothing is mounted at %s: %v", point, mounts)
	return view.Mount{}
}

func tmpfs(destination string, options ...string) specs.Mount {
	return specs.Mount{Destination: destination, Type: "tmpfs", Source: "tmpfs", Options: options}
}

func bind(source, destination string, options ...string) specs.Mount {
	if len(options) == 0 {
		options = []string{"bind"}
	}
	return specs.Mount{Destination: destination, Type: "bind", Source: source, Options: options}
}

// optionCases: what the mount table shows for each option, beside the defaults.
var optionCases = []struct {
	options []string
	shown   []string
	hidden  []string
}{
	{nil, []string{"rw"}, []string{"ro", "nosuid", "nodev", "noexec"}},
	{[]string{"defaults"}, []string{"rw"}, []string{"nosuid", "nodev", "noexec"}},
	{[]string{"nosuid"}, []string{"nosuid"}, []string{"nodev", "noexec"}},
	{[]string{"nodev"}, []string{"nodev"}, []string{"nosuid"}},
	{[]string{"noexec"}, []string{"noexec"}, []string{"nosuid"}},
	{[]string{"ro"}, []string{"ro"}, nil},
	{[]string{"ro", "rw"}, []string{"rw"}, []string{"ro"}},
	{[]string{"nosuid", "nodev", "noexec", "suid", "dev", "exec"}, []string{"rw"}, []string{"nosuid", "nodev", "noexec"}},
	{[]string{"noatime"}, []string{"noatime"}, []string{"relatime"}},
	{[]string{"noatime", "atime"}, nil, []string{"noatime"}},
	{[]string{"relatime"}, []string{"relatime"}, []string{"noatime"}},
	{[]string{"strictatime"}, nil, []string{"relatime", "noatime"}},
	{[]string{"nodiratime"}, []string{"nodiratime"}, nil},
	{[]string{"nodiratime", "diratime"}, nil, []string{"nodiratime"}},
	{[]string{"nosymfollow"}, []string{"nosymfollow"}, nil},
	{[]string{"nosymfollow", "symfollow"}, nil, []string{"nosymfollow"}},
}

// TestMountOptions on a tmpfs of its own and on a bind mount.
func TestMountOptions(t *testing.T) {
	t.Parallel()
	for _, c := range optionCases {
		t.Run(strings.Join(c.options, ","), func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			check(t, os.Mkdir(env.File("source"), 0o755))
			mounts := mountsInside(env, harness.Mounted(tmpfs("/mnt", c.options...),
				bind(env.File("source"), "/bound", append([]string{"bind"}, c.options...)...)))
			for _, point := range []string{"/mnt", "/bound"} {
				m := mountAt(t, mounts, point)
				for _, option := range c.shown {
					// Per mount: a superblock may be rw below a ro bind mount.
					if !slices.Contains(m.Options, option) {
						t.Errorf("%s is not %s: %v", point, option, m)
					}
				}
				for _, option := range c.hidden {
					if slices.Contains(m.Options, option) {
						t.Errorf("%s is %s: %v", point, option, m)
					}
				}
			}
		})
	}
}

// TestMountSuperblockOptions: options of the file system, not of the mount.
func TestMountSuperblockOptions(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	mounts := mountsInside(env, harness.Mounted(tmpfs("/mnt/a", "size=1m", "mode=1750", "nr_inodes=77"),
		tmpfs("/mnt/b", "sync", "dirsync", "lazytime"), tmpfs("/mnt/c", "sync", "async", "uid=7", "gid=8")))
	for point, options := range map[string][]string{
		"/mnt/a": {"size=1024k", "mode=1750", "nr_inodes=77"},
		"/mnt/b": {"sync", "dirsync", "lazytime"},
		"/mnt/c": {"uid=7", "gid=8"},
	} {
		for _, option := range options {
			if m := mountAt(t, mounts, point); !m.Has(option) {
				t.Errorf("%s lacks %s: %v", point, option, m)
			}
		}
	}
	if m := mountAt(t, mounts, "/mnt/c"); m.Has("sync") {
		t.Errorf("async did not undo sync: %v", m)
	}
}

// TestMountOrder: "mounts MUST be mounted in the listed order": what comes
// later covers what came before.
func TestMountOrder(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, name := range []string{"one", "two"} {
		check(t, os.Mkdir(env.File(name), 0o755))
		write(t, filepath.Join(env.File(name), "file"), name)
	}
	got := env.Stdout(harness.Args("cat", "/mnt/file"), harness.Mounted(bind(env.File("one"), "/mnt"), bind(env.File("two"), "/mnt")))
	want(t, "the topmost", got, "two")
}

// TestMountDefaults: the file systems of the default configuration are what
// they should be.
func TestMountDefaults(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	mounts := mountsInside(env)
	for point, kind := range map[string]string{"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs",
		"/dev/mqueue": "mqueue", "/sys": "sysfs"} {
		want(t, point, mountAt(t, mounts, point).Type, kind)
	}
	if m := mountAt(t, mounts, "/sys"); !slices.Contains(m.Options, "ro") || !m.Has("nosuid") {
		t.Errorf("/sys: %v", m)
	}
	if m := mountAt(t, mounts, "/dev/pts"); !m.Has("gid=5") || !m.Has("mode=620") || !m.Has("ptmxmode=666") {
		t.Errorf("/dev/pts: %v", m)
	}
	for _, m := range mounts {
		if view.Within(m.Point, env.Dir) || m.Propagation() == "shared" {
			t.Errorf("a mount of the host shows: %v", m)
		}
	}
}

// TestMountSourceRelative: the source of a bind is relative to the bundle.
func TestMountSourceRelative(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("cat", "/mnt/file"), harness.Mounted(bind("data", "/mnt")))
	check(t, os.Mkdir(filepath.Join(bundle.Dir, "data"), 0o755))
	write(t, filepath.Join(bundle.Dir, "data/file"), "beside config.json")
	want(t, "content", env.Run(bundle).WantCode(t, 0).Stdout, "beside config.json")
}

// TestMountDestinationRelative: a relative destination is taken from "/".
func TestMountDestinationRelative(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	// Deprecated, so a warning may say so.
	r := env.Run(env.Bundle(harness.Mounted(tmpfs("mnt/relative")), harness.Args("cat", "/proc/self/mountinfo"))).WantCode(t, 0)
	want(t, "type", mountAt(t, view.ParseMounts(r.Stdout), "/mnt/relative").Type, "tmpfs")
}

// TestMountFile: a file bound over a file, and where there is none.
func TestMountFile(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	write(t, env.File("source"), "from the host")
	bundle := env.Bundle(harness.Shell("cat /etc/passwd; echo; cat /new/dir/file; echo changed >/new/dir/file"),
		harness.Mounted(bind(env.File("source"), "/etc/passwd", "bind", "ro"), bind(env.File("source"), "/new/dir/file")))
	r := env.Run(bundle).WantCode(t, 0)
	want(t, "output", r.Stdout, "from the host\nfrom the host")
	wantFile(t, env.File("source"), "changed\n")
	wantFile(t, bundle.Path("new/dir/file"), "")
}

// TestMountReadonlyBind: nothing can be written through a bind with ro.
func TestMountReadonlyBind(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	check(t, os.Mkdir(env.File("source"), 0o777))
	got := env.Stdout(harness.Shell("touch /mnt/file 2>&1 || true"), harness.Mounted(bind(env.File("source"), "/mnt", "bind", "ro")))
	if !strings.Contains(got, "Read-only file system") {
		t.Errorf("got %q", got)
	}
}

// nested makes a directory of the test with a tmpfs mounted below it.
func nested(t *testing.T, env *harness.Env) string {
	t.Helper()
	dir := env.File("nested")
	check(t, os.MkdirAll(filepath.Join(dir, "below"), 0o777))
	env.Mount("tmpfs", filepath.Join(dir, "below"))
	return dir
}

// TestMountRecursive: rbind takes what is mounted below the source, bind does
// not; the r options reach below, the plain ones do not.
func TestMountRecursive(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		options []string
		below   bool     // the mount below the source is there
		shown   []string // by the mount below
		hidden  []string
	}{
		{"bind", []string{"bind"}, false, nil, nil},
		{"rbind", []string{"rbind"}, true, []string{"rw"}, []string{"ro"}},
		{"ro", []string{"rbind", "ro"}, true, []string{"rw"}, []string{"ro"}},
		{"rro", []string{"rbind", "rro"}, true, []string{"ro"}, nil},
		{"rro,rrw", []string{"rbind", "rro", "rrw"}, true, []string{"rw"}, []string{"ro"}},
		{"rnosuid", []string{"rbind", "rnosuid"}, true, []string{"nosuid"}, nil},
		{"rnodev", []string{"rbind", "rnodev"}, true, []string{"nodev"}, nil},
		{"rnoexec", []string{"rbind", "rnoexec"}, true, []string{"noexec"}, nil},
		{"rnoatime", []string{"rbind", "rnoatime"}, true, []string{"noatime"}, nil},
		{"rrelatime", []string{"rbind", "rrelatime"}, true, []string{"relatime"}, nil},
		{"rstrictatime", []string{"rbind", "rstrictatime"}, true, nil, []string{"relatime", "noatime"}},
		{"rnodiratime", []string{"rbind", "rnodiratime"}, true, []string{"nodiratime"}, nil},
		{"rnosymfollow", []string{"rbind", "rnosymfollow"}, true, []string{"nosymfollow"}, nil},
		{"rnosuid,rsuid", []string{"rbind", "rnosuid", "rsuid"}, true, nil, []string{"nosuid"}},
		{"rnodev,rdev", []string{"rbind", "rnodev", "rdev"}, true, nil, []string{"nodev"}},
		{"rnoexec,rexec", []string{"rbind", "rnoexec", "rexec"}, true, nil, []string{"noexec"}},
		{"rnosymfollow,rsymfollow", []string{"rbind", "rnosymfollow", "rsymfollow"}, true, nil, []string{"nosymfollow"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			mounts := mountsInside(env, harness.Mounted(bind(nested(t, env), "/mnt", c.options...)))
			has := slices.ContainsFunc(mounts, func(m view.Mount) bool { return m.Point == "/mnt/below" })
			want(t, "the mount below is there", has, c.below)
			if !has {
				return
			}
			m := mountAt(t, mounts, "/mnt/below")
			for _, option := range c.shown {
				if !slices.Contains(m.Options, option) {
					t.Errorf("not %s below: %v", option, m)
				}
			}
			for _, option := range c.hidden {
				if slices.Contains(m.Options, option) {
					t.Errorf("%s below: %v", option, m)
				}
			}
		})
	}
}

// TestMountPropagation: the propagation options; without one a mount is
// anything but shared with the host.
func TestMountPropagation(t *testing.T) {
	t.Parallel()
	cases := []struct {
		options []string
		top     string
		below   string
	}{
		{[]string{"rbind"}, "", ""},
		{[]string{"rbind", "private"}, "private", ""},
		{[]string{"rbind", "rprivate"}, "private", "private"},
		{[]string{"rbind", "rshared"}, "shared", "shared"},
		{[]string{"rbind", "rslave"}, "slave", "slave"},
		{[]string{"rbind", "runbindable"}, "unbindable", "unbindable"},
		{[]string{"bind", "shared"}, "shared", ""},
		{[]string{"bind", "slave"}, "slave", ""},
		{[]string{"bind", "unbindable"}, "unbindable", ""},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.options, ","), func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			// The root mount must not be private for a slave to have a master.
			mounts := mountsInside(env, harness.Mounted(bind(nested(t, env), "/mnt", c.options...)),
				func(s *specs.Spec) { s.Linux.RootfsPropagation = "rslave" })
			wantPropagation(t, mountAt(t, mounts, "/mnt"), c.top)
			if c.options[0] == "rbind" {
				wantPropagation(t, mountAt(t, mounts, "/mnt/below"), c.below)
			}
		})
	}
}

func wantPropagation(t *testing.T, m view.Mount, wanted string) {
	t.Helper()
	if got := m.Propagation(); got != wanted && wanted != "" {
		t.Errorf("propagation of %s: got %s, want %s", m.Point, got, wanted)
	}
}

// TestMountSlaveLive: what the host mounts later shows inside an rslave bind,
// and what the container mounts does not show outside.
func TestMountSlaveLive(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := nested(t, env)
	c := env.Create(env.Bundle(harness.Forever, harness.Mounted(bind(dir, "/mnt", "rbind", "rslave")),
		func(s *specs.Spec) { s.Linux.RootfsPropagation = "rslave" }))
	c.Start()
	check(t, os.Mkdir(filepath.Join(dir, "later"), 0o755))
	env.Mount("tmpfs", filepath.Join(dir, "later"))
	mounts, err := view.Mounts(c.Proc("mountinfo"))
	check(t, err)
	want(t, "type", mountAt(t, mounts, "/mnt/later").Type, "tmpfs")
}

// TestMountRemount changes a mount made before.
func TestMountRemount(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	mounts := mountsInside(env, harness.Mounted(tmpfs("/mnt"), specs.Mount{Destination: "/mnt", Options: []string{"remount", "ro"}}))
	if m := mountAt(t, mounts, "/mnt"); !slices.Contains(m.Options, "ro") && !slices.Contains(m.Super, "ro") {
		t.Errorf("not read-only: %v", m)
	}
}
