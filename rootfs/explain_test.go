package rootfs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestExplain(t *testing.T) {
	dir := t.TempDir()
	file := source(t) + "/file"
	tmpfs := func(options ...string) specs.Mount {
		return specs.Mount{Destination: "/m", Type: "tmpfs", Source: "tmpfs", Options: options}
	}
	for want, m := range map[string]specs.Mount{
		`mounts[2].options[1]: unknown option "sizee" for tmpfs (did you mean "size"?)`:                                                                tmpfs("nosuid", "sizee=1m"),
		`mounts[2].options[0]: unknown option "nosiud" for tmpfs (did you mean "nosuid"?)`:                                                             tmpfs("nosiud"),
		`mounts[2].options[0]: unknown option "xyzzy" for tmpfs`:                                                                                       tmpfs("xyzzy"),
		`mounts[2].options[0]: fsconfig "1x": invalid argument (tmpfs: Bad value for 'size')`:                                                          tmpfs("size=1x"),
		`mounts[2].type: fsopen "bogusfs": no such device (this kernel knows no such file system)`:                                                     {Destination: "/m", Type: "bogusfs"},
		`mounts[2]: mount "/etc/x": not a directory (cannot put DIR, an empty directory made N ago, onto a file)`:                                      bind(dir, "/etc/x"),
		`mounts[2]: mount "/tmp": not a directory (cannot put FILE, a file, onto an empty directory made N ago)`:                                       bind(file, "/tmp"),
		`mounts[2]: mount "/etc/x": not a directory (cannot put a new tmpfs onto a file)`:                                                              {Destination: "/etc/x", Type: "tmpfs"},
		`mounts[2]: mount "/bin/sh": not a directory (cannot put DIR, an empty directory made N ago, onto a symbolic link to busybox, a file)`:         bind(dir, "/bin/sh"),
		`mounts[2].destination: "/etc/x/sub/dir": not a directory (/etc/x is a file in the container's root, so nothing can be below it)`:              bind(dir, "/etc/x/sub/dir"),
		`mounts[2].destination: "/dangling/sub": no such file or directory (/dangling is a symbolic link to /none, which does not exist in the image)`: bind(dir, "/dangling/sub"),
	} {
		c := tiny(t, "", m)
		write(t, c.root("etc/x"), "")
		symlink(t, "/none", c.root("dangling"))
		_, err := c.run(t)
		if err == nil {
			t.Errorf("no error; want %s", want)
			continue
		}
		got := strings.NewReplacer(dir, "DIR", file, "FILE").Replace(err.Error())
		got = regexp.MustCompile(`made .* ago`).ReplaceAllString(got, "made N ago")
		if got != want {
			t.Errorf("\ngot  %s\nwant %s", got, want)
		}
	}
}

func TestExplainReadonlyRoot(t *testing.T) {
	c := tiny(t, "", specs.Mount{Destination: "/missing/m", Type: "tmpfs"})
	needRoot(t)
	if err := unix.Mount(c.root(""), c.root(""), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(c.root(""), unix.MNT_DETACH) }()
	if err := unix.Mount("", c.root(""), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	c.refused(t, `mounts[2].destination: mkdirat "missing": read-only file system (the mountpoint /missing/m is missing in the image, and its file system is read-only)`)
	c.in.Config.Mounts[2].Destination = "/tmp"
	c.script = "touch /tmp/x && touch /x"
	c.want(t, "touch: /x: Read-only file system")
}
