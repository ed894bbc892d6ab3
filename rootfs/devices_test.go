package rootfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func device(path, kind string, major, minor int64) specs.LinuxDevice {
	return specs.LinuxDevice{Path: path, Type: kind, Major: major, Minor: minor}
}

func TestDevices(t *testing.T) {
	mode, uid, gid := os.FileMode(0o640), uint32(7), uint32(8)
	owned := device("/dev/owned", "c", 1, 5)
	owned.FileMode, owned.UID, owned.GID = &mode, &uid, &gid
	null := device("/dev/null", "c", 1, 3)
	null.FileMode = &mode
	c := tiny(t, "stat -c '%n %F %t:%T %a %u:%g' /dev/owned /dev/null /dev/sub/b /opt/dev/p /dev/u")
	c.in.Config.Linux = &specs.Linux{Devices: []specs.LinuxDevice{
		owned, null, device("/dev/sub/b", "b", 7, 300), device("/opt/dev/p", "p", 0, 0), device("/dev/u", "u", 1, 9)}}
	c.want(t, `
/dev/owned character special file 1:5 640 7:8
/dev/null character special file 1:3 640 0:0
/dev/sub/b block special file 7:12c 666 0:0
/opt/dev/p fifo 0:0 666 0:0
/dev/u character special file 1:9 666 0:0`)
}

// An image's own device is used if it is the one, and refused if not.
func TestDeviceExists(t *testing.T) {
	needRoot(t)
	c := tiny(t, "stat -c '%n %t:%T' /opt/null")
	c.in.Config.Linux = &specs.Linux{Devices: []specs.LinuxDevice{device("/opt/null", "c", 1, 3)}}
	mkdir(t, c.root("opt"))
	if err := unix.Mknod(c.root("opt/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	c.want(t, "/opt/null 1:3")

	for name, d := range map[string]specs.LinuxDevice{
		`linux.devices[0]: "/opt/null" exists already and is not the device c 1:5`: device("/opt/null", "c", 1, 5),
		`linux.devices[0]: "/opt/null" exists already and is not the device b 1:3`: device("/opt/null", "b", 1, 3),
		`linux.devices[0]: "/bin/sh" exists already and is not the device c 1:3`:   device("/bin/sh", "c", 1, 3),
	} {
		c.in.Config.Linux.Devices[0] = d
		c.refused(t, name)
	}
}

// Where mknod(2) is denied, the host's device is bound.
func TestDeviceBound(t *testing.T) {
	c := tiny(t, "stat -c '%n %t:%T' /dev/null /dev/tty /dev/fuse /dev/zero; grep -c ' /[a-z]* /dev/[a-z]* ' /proc/self/mountinfo; echo x > /dev/null")
	c.dropMknod = true
	c.in.Config.Linux = &specs.Linux{Devices: []specs.LinuxDevice{device("/dev/fuse", "c", 10, 229)}}
	c.want(t, "/dev/null 1:3\n/dev/tty 5:0\n/dev/fuse a:e5\n/dev/zero 1:5\n7")
	c.in.Config.Linux.Devices[0] = device("/dev/null2", "c", 1, 3)
	c.refused(t, `linux.devices[0]: open_tree "/dev/null2": no such file or directory (it may not be made here, and the host has no such device to bind)`)
	c.in.Config.Linux.Devices[0] = device("/dev/fuse", "c", 10, 230)
	c.refused(t, `linux.devices[0]: "/dev/fuse" cannot be made here, and the host's is not c 10:230`)
}

// A /dev bound from the host is left as it is.
func TestBoundDev(t *testing.T) {
	dev := t.TempDir()
	c := tiny(t, "echo /dev/*; stat -c %F /opt/p")
	c.in.Config.Mounts[1] = bind(dev, "/dev")
	c.in.Config.Linux = &specs.Linux{Devices: []specs.LinuxDevice{device("/dev/x", "c", 1, 3), device("/opt/p", "p", 0, 0)}}
	c.want(t, "/dev/*\nfifo")
}

// Without a mount on /dev, the image's own is filled; its ptmx would be the host's.
func TestImageDev(t *testing.T) {
	c := tiny(t, "stat -c '%n %F' /dev/*; readlink /dev/ptmx; readlink /dev/stdin")
	c.in.Config.Mounts = c.in.Config.Mounts[:1]
	write(t, c.root("dev/ptmx"), "")
	symlink(t, "/tmp/log", c.root("dev/stdin"))
	out, err := c.run(t)
	if err != nil {
		t.Fatal(err)
	}
	const want = `/dev/core symbolic link
/dev/fd symbolic link
/dev/full character special file
/dev/null character special file
/dev/ptmx symbolic link
/dev/random character special file
/dev/stderr symbolic link
/dev/stdin symbolic link
/dev/stdout symbolic link
/dev/tty character special file
/dev/urandom character special file
/dev/zero character special file
pts/ptmx
/tmp/log
`
	if out != want && "/dev/core symbolic link\n"+out != want {
		t.Errorf("got %s", out)
	}
	// And once more, with all of it there.
	if again, err := c.run(t); err != nil || again != out {
		t.Errorf("second run: %s, %v", again, err)
	}
}

var devpts = specs.Mount{Destination: "/dev/pts", Type: "devpts", Source: "devpts",
	Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}}

func TestConsole(t *testing.T) {
	c := tiny(t, "stat -c '%F %t:%T %a' /dev/console; stat -c '%F' /dev/pts/0", devpts)
	c.console = true
	c.want(t, "character special file 88:0 620\ncharacter special file")
}

func TestConsoleNeedsDevpts(t *testing.T) {
	c := tiny(t, "")
	c.console = true
	c.refused(t, `process.terminal: openat2 "pts/ptmx": no such file or directory (a terminal needs a mount of type devpts on /dev/pts)`)

	c = tiny(t, "", bind(t.TempDir(), "/dev/pts"))
	c.console = true
	write(t, filepath.Join(c.in.Config.Mounts[2].Source, "ptmx"), "")
	c.refused(t, "process.terminal: /dev/pts/ptmx is not on a devpts")
}
