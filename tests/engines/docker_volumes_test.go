package engines

import (
	"os"
	"strings"
	"testing"
)

func dockerVolumes(t *testing.T, d *Docker) {
	parallel(t, "volume-directory", func(t *testing.T) {
		dir := d.File("tmp", name())
		check(t, os.Mkdir(dir, 0o755))
		d.Run(t, "--volume", dir+":/v", "--", "sh", "-c", "echo inside >/v/file").OK(t)
		equals(t, "file", d.Call(t, "cat", dir+"/file").OK(t), "inside")
		d.Run(t, "--volume", dir+":/v:ro", "--", "sh", "-c", "cat /v/file; echo x >/v/file").Fails(t, "inside", "Read-only file system")
	})
	parallel(t, "volume-file", func(t *testing.T) {
		file := d.File("tmp", name())
		check(t, os.WriteFile(file, []byte("from outside"), 0o644))
		equals(t, "file", d.Run(t, "--volume", file+":/new/dir/file:ro", "--", "cat", "/new/dir/file").OK(t), "from outside")
	})
	parallel(t, "volume-file-on-directory", func(t *testing.T) {
		file := d.File("tmp", name())
		check(t, os.WriteFile(file, nil, 0o644))
		d.Run(t, "--volume", file+":/etc", "--", "true").Fails(t, file, "not a directory")
	})
	parallel(t, "volume-mount-option", func(t *testing.T) {
		d.Docker(t, "run", "--rm", "--mount", "type=bind,source=/no/such,target=/v", image, "true").Fails(t, "/no/such")
		got := d.Run(t, "--mount", "type=tmpfs,target=/v,tmpfs-size=1m,tmpfs-mode=1770", "--", "sh", "-c", "stat -c %a /v; df -k /v | tail -1 | awk '{print $2}'").OK(t)
		equals(t, "tmpfs", got, "1770\n1024")
	})
	parallel(t, "volume-named", func(t *testing.T) {
		v := "vol" + name()
		d.Run(t, "--volume", v+":/v", "--", "sh", "-c", "echo kept >/v/file").OK(t)
		equals(t, "file", d.Run(t, "--volume", v+":/v", "--", "cat", "/v/file").OK(t), "kept")
		d.Docker(t, "volume", "rm", v).OK(t)
	})
	parallel(t, "volume-named-copies-image", func(t *testing.T) {
		v := "vol" + name()
		equals(t, "file", d.Run(t, "--volume", v+":/var/www", "--", "cat", "/var/www/index.html").OK(t), "served")
		d.Docker(t, "volume", "rm", v).OK(t)
	})
	parallel(t, "volume-shared", func(t *testing.T) {
		v := "vol" + name()
		t.Cleanup(func() { d.Docker(t, "volume", "rm", v) })
		a := d.Start(t, "--volume", v+":/v", "--", "sh", "-c", "while ! [ -e /v/b ]; do usleep 10000; done")
		d.Start(t, "--volume", v+":/v", "--", "touch", "/v/b")
		equals(t, "exit code", d.Docker(t, "wait", a).OK(t), "0")
		d.Docker(t, "rm", a).OK(t)
	})
	parallel(t, "volumes-from", func(t *testing.T) {
		c := d.Start(t, "--volume", "/v", "--", "sh", "-c", "echo mine >/v/file; sleep 100")
		eventually(t, "file", func() bool {
			return d.Run(t, "--volumes-from", c+":ro", "--", "cat", "/v/file").Stdout == "mine\n"
		})
	})
	parallel(t, "tmpfs", func(t *testing.T) {
		got := d.Run(t, "--tmpfs", "/t:size=2m,mode=1777,noexec", "--", "sh", "-c", "grep ' /t ' /proc/mounts; dd if=/dev/zero of=/t/x bs=1M count=3 2>&1; true").OK(t)
		contains(t, got, "tmpfs /t tmpfs rw,nosuid,nodev,noexec", "size=2048k", "No space left on device")
	})
	parallel(t, "read-only", func(t *testing.T) {
		d.Run(t, "--read-only", "--tmpfs", "/t", "--", "sh", "-c", "touch /t/x && touch /x").Fails(t, "touch: /x: Read-only file system")
	})
	parallel(t, "propagation", func(t *testing.T) {
		dir := d.File("tmp", name())
		check(t, os.MkdirAll(dir+"/sub", 0o755))
		ready := "while ! [ -e /v/sub/there ]; do usleep 10000; done"
		slave := d.Start(t, "--volume", dir+":/v:rslave", "--", "sh", "-c", ready)
		shared := d.Start(t, "--volume", dir+":/v:rshared", "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined", "--", "sh", "-c",
			"mount -t tmpfs t /v/sub && touch /v/sub/there && sleep 100")
		equals(t, "exit code", d.Docker(t, "wait", slave).OK(t), "0")
		d.Docker(t, "rm", "--force", shared).OK(t)
		d.Call(t, "umount", dir+"/sub").OK(t)
	})
	parallel(t, "propagation-private", func(t *testing.T) {
		dir := d.File("tmp", name())
		check(t, os.MkdirAll(dir+"/sub", 0o755))
		c := d.Start(t, "--volume", dir+":/v", "--", "sleep", "100")
		d.Call(t, "mount", "-t", "tmpfs", "t", dir+"/sub").OK(t)
		lacks(t, d.Docker(t, "exec", c, "cat", "/proc/self/mounts").OK(t), "/v/sub")
		d.Call(t, "umount", dir+"/sub").OK(t)
	})
	parallel(t, "copy-on-write", func(t *testing.T) {
		c := d.Start(t, "--", "sh", "-c", "echo changed >/var/www/index.html; sleep 100")
		eventually(t, "changed", func() bool {
			return d.Docker(t, "exec", c, "cat", "/var/www/index.html").OK(t) == "changed"
		})
		equals(t, "image", d.Run(t, "--", "cat", "/var/www/index.html").OK(t), "served")
		contains(t, d.Run(t, "--", "grep", " / ", "/proc/mounts").OK(t), "overlay / overlay rw")
	})
	parallel(t, "commit", func(t *testing.T) {
		c := d.Start(t, "--", "sh", "-c", "echo layer >/x; sleep 100")
		eventually(t, "file", func() bool { return d.Docker(t, "exec", c, "cat", "/x").Code == 0 })
		tag := strings.ToLower("img" + name())
		d.Docker(t, "commit", c, tag).OK(t)
		equals(t, "file", d.Docker(t, "run", "--rm", tag, "cat", "/x").OK(t), "layer")
		d.Docker(t, "rmi", tag).OK(t)
	})
}
