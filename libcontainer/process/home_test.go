package process

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

const passwdFile = "root:x:0:0:root:/root:/bin/sh\n" +
	"nobody:*:65534:65534:no shell:/nonexistent\n" +
	"broken:x:x:0::/broken:\n" +
	"\n+::::::\n" +
	"user:x:1000:100:A User:/home/user:/bin/sh\r\n" +
	"twin:x:1000:100::/home/twin:/bin/sh\n" +
	"nohome:x:1001:100::"

func TestHome(t *testing.T) {
	needsRoot(t)
	cases := []struct {
		name   string
		passwd string
		uid    uint32
		env    []string
		want   string
	}{
		{"root", passwdFile, 0, nil, "/root"},
		{"first of two", passwdFile, 1000, nil, "/home/user"},
		{"no home", passwdFile, 1001, nil, "/"},
		{"no entry", passwdFile, 4711, nil, "/"},
		{"given", passwdFile, 1000, []string{"HOME=/given"}, "/given"},
		{"given empty", passwdFile, 1000, []string{"HOME="}, ""},
		{"link", "-> ../data/passwd", 1000, nil, "/linked"},
		{"dangling link", "-> /nowhere", 0, nil, "/"},
		{"link to a descriptor", "-> /proc/self/fd/4", 0, nil, "/"},
		{"pipe", "| ", 0, nil, "/"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root := busybox(t, map[string]string{"proc/": "", "etc/passwd": c.passwd, "data/passwd": "u:x:1000:1::/linked:"})
			if c.passwd == "| " { // one that has something to say
				fifo, err := os.OpenFile(root+"/etc/passwd", os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer fifo.Close()
				fifo.WriteString("root:x:0:0::/from-pipe:\n")
			}
			got := home(t, root, c.uid, c.env)
			if got != c.want {
				t.Errorf("HOME is %q, want %q", got, c.want)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		if got := home(t, busybox(t, map[string]string{"proc/": ""}), 0, nil); got != "/" {
			t.Errorf("HOME is %q", got)
		}
	})
	t.Run("directory", func(t *testing.T) {
		if got := home(t, busybox(t, map[string]string{"proc/": "", "etc/passwd/": ""}), 0, nil); got != "/" {
			t.Errorf("HOME is %q", got)
		}
	})
	t.Run("endless", func(t *testing.T) {
		root := busybox(t, map[string]string{"proc/": "", "etc/passwd": passwdFile})
		if err := os.Truncate(root+"/etc/passwd", 1<<40); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if got := home(t, root, 4711, nil); got != "/" {
			t.Errorf("HOME is %q", got)
		}
		if took := time.Since(begin); took > homeTimeout/2 {
			t.Errorf("took %v", took)
		}
	})
}

func home(t *testing.T, root string, uid uint32, env []string) string {
	t.Helper()
	in := Input{Process: minimal("/bin/busybox", "sh", "-c", `echo -n "$HOME"`)}
	in.Process.Env = env
	in.Process.User.UID = uid
	got := start(t, in, options{flags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, early: func(p *nsenter.Program) {
		null, err := os.Open("/etc/passwd")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { null.Close() })
		p.Inherit(int(null.Fd()), "host's passwd")
		enter(p, root)
	}})
	if got.err != nil {
		t.Fatal(got.err)
	}
	return got.out
}

// A device is not read, be it endless; and findHome keeps no descriptor.
func TestHomeOfDevice(t *testing.T) {
	x := &Process{in: Input{Process: minimal()}}
	fd, err := unix.Open("/dev/zero", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.findHome(fd); got != "/" {
		t.Errorf("got %q", got)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
		t.Error("the descriptor is still open")
	}
}
