package tests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/tracer"
	"ociruntime/tests/view"
)

// What the rows of errorRows do.

// newBundle makes the scene's bundle.
func (s *scene) newBundle(edits ...harness.Edit) *harness.Bundle {
	s.bundle = s.Bundle(edits...)
	return s.bundle
}

// command prepares a call in which $ID, $BUNDLE and so on are filled in.
func (s *scene) command(args ...string) *harness.Command {
	for i := range args {
		args[i] = s.fill(args[i])
	}
	return s.Command(args...)
}

func (s *scene) call(args ...string) harness.Result { return s.command(slices.Clone(args)...).Run() }

// calling is a command line, and nothing else that matters.
func calling(args ...string) func(*scene) harness.Result {
	return func(s *scene) harness.Result { return s.call(args...) }
}

// creating is a create of a bundle with the edits.
func creating(edits ...harness.Edit) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		return s.call("create", "--bundle", s.newBundle(edits...).Dir, "$ID")
	}
}

// runs is a run.
func runs(edits ...harness.Edit) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		return s.call("run", "--bundle", s.newBundle(edits...).Dir, "$ID")
	}
}

// prepared is a create after something has been done to the bundle.
func prepared(prepare func(s *scene, b *harness.Bundle), edits ...harness.Edit) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		prepare(s, s.newBundle(edits...))
		return s.call("create", "--bundle", s.bundle.Dir, "$ID")
	}
}

// configured is a create with one value of config.json changed.
func configured(value any, path ...any) func(*scene) harness.Result {
	return prepared(func(s *scene, b *harness.Bundle) { b.SetJSON(value, path...) })
}

// texted is a create with a piece of config.json's text replaced.
func texted(before, after string) func(*scene) harness.Result {
	return prepared(func(s *scene, b *harness.Bundle) { b.ReplaceRaw(before, after) })
}

// tool is a run of a file of this mode and content.
func tool(mode os.FileMode, content string, edits ...harness.Edit) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		b := s.newBundle(append([]harness.Edit{harness.Args("/tool")}, edits...)...)
		script(s.T, b.Path("tool"), content)
		check(s.T, os.Chmod(b.Path("tool"), mode))
		return s.call("run", "--bundle", b.Dir, "$ID")
	}
}

// onCreated, onStarted and onStopped are calls on a container of that status.
func onCreated(args ...string) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		s.id = s.Create(s.newBundle(harness.Forever)).ID
		return s.call(args...)
	}
}

func onStarted(args ...string) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		s.id = s.Running(s.newBundle(harness.Forever)).ID
		return s.call(args...)
	}
}

func onStopped(args ...string) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		c := s.Create(s.newBundle(harness.Forever))
		c.Stop()
		s.id = c.ID
		return s.call(args...)
	}
}

// onPaused is a call on a container that has been paused.
func onPaused(args ...string) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		c := s.Running(s.newBundle(harness.Forever))
		s.id = c.ID
		pause(s.T, c)
		return s.call(args...)
	}
}

// failing is a create in which a system call of this number fails, as on a host
// that is full, poor or old: the first one for which the message has part in it.
func failing(target tracer.Target, call uintptr, errno syscall.Errno, part string, edits ...harness.Edit) func(*scene) harness.Result {
	return failingCall("create", target, call, errno, part, edits...)
}

func failingCall(verb string, target tracer.Target, call uintptr, errno syscall.Errno, part string, edits ...harness.Edit) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		b := s.newBundle(edits...)
		s.call(verb, "--bundle", b.Dir, "$ID") // what is done the first time only is not to count
		// Go makes threads as it sees fit, so the call in question is not always the same one.
		for nth, rounds := 1, 0; ; nth++ {
			deleteByForce(s.T, s.Env, s.id)
			s.id = s.ID()
			r, report := s.command(verb, "--bundle", b.Dir, "$ID").
				Trace(tracer.Plan{Target: target, Nth: nth, Errno: errno, Calls: []uintptr{call}})
			if !report.Hit && rounds < 10 {
				nth, rounds = 0, rounds+1
				continue
			}
			if !report.Hit {
				s.T.Fatalf("none of %d calls led to a message about %s; %s", report.Calls, part, r)
			}
			if r.Code != 0 && strings.Contains(r.Stderr, part) {
				return r
			}
		}
	}
}

// cloneCall is what the stage is cloned with: clone3 when it is born in a cgroup.
func cloneCall() uintptr {
	if view.Current() == view.V1 {
		return unix.SYS_CLONE
	}
	return unix.SYS_CLONE3
}

// under is a create that another program starts, "prlimit" or "unshare".
func under(program []string, edits ...harness.Edit) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		b := s.newBundle(edits...)
		return s.wrapped(program, "create", "--bundle", b.Dir, "$ID")
	}
}

func (s *scene) wrapped(program []string, args ...string) harness.Result {
	c := s.command(slices.Clone(args)...)
	c.Args = append(append(slices.Clone(program[1:]), c.Binary), c.Args...)
	c.Binary = require.Program(s.T, program[0])
	return c.Run()
}

// byUser is a run by an ordinary user.
func byUser(edits ...harness.Edit) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		u := newUser(s.T, s.Env)
		s.words = append(s.words, "$HOME", u.dir)
		s.bundle = u.bundle(edits...)
		return u.command("run", "--bundle", s.bundle.Dir, s.id).Run()
	}
}

// mounted is a create with these mounts, the first of which is mounts[7].
func mounted(mounts ...specs.Mount) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		for i := range mounts {
			mounts[i].Source = s.fill(mounts[i].Source)
		}
		return creating(harness.Mounted(mounts...))(s)
	}
}

// joining is a create in the namespace at path.
func joining(kind specs.LinuxNamespaceType, path string) func(*scene) harness.Result {
	return creating(func(c *specs.Spec) {
		harness.WithoutNamespace(kind)(c)
		c.Linux.Namespaces = append([]specs.LinuxNamespace{{Type: kind, Path: path}}, c.Linux.Namespaces...)
	})
}

// linux edits the Linux part.
func linux(edit func(l *specs.Linux)) harness.Edit {
	return func(c *specs.Spec) { edit(c.Linux) }
}

// smallRoot mounts a tmpfs of one page for --root, with flags of mount(2).
func (s *scene) smallRoot(flags uintptr) {
	check(s.T, os.Mkdir(s.Root, 0o711))
	check(s.T, unix.Mount("tmpfs", s.Root, "tmpfs", flags, "size=4k,nr_inodes=2,mode=711"))
	s.Unmount(s.Root)
}

// lock holds the lock of the scene's container until the test ends.
func (s *scene) lock() {
	dir, err := os.Open(filepath.Join(s.Root, s.id))
	check(s.T, err)
	s.T.Cleanup(func() { dir.Close() })
	check(s.T, unix.Flock(int(dir.Fd()), unix.LOCK_EX))
}

// elfHeader is the header of a program for another machine: all that is looked at.
func elfHeader(machine byte) string {
	return "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00" + string([]byte{machine}) + "\x00\x01\x00\x00\x00" + strings.Repeat("\x00", 40)
}

// seccompRule denies, or worse, some system calls.
func seccompRule(action specs.LinuxSeccompAction, names ...string) harness.Edit {
	return linux(func(l *specs.Linux) {
		l.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: names, Action: action}}}
	})
}

var oneID = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}}

// make131073 is one byte more than execve(2) takes in a string.
func make131073() []byte { return []byte(strings.Repeat("x", 131073)) }

// dynamicProgram is a run of a program that wants a loader.
func dynamicProgram(s *scene) harness.Result {
	b := s.newBundle(harness.Args("/tool"))
	script(s.T, b.Path("tool"), read(s.T, require.Program(s.T, "cat")))
	return s.call("run", "--bundle", b.Dir, "$ID")
}

// coveredProc is a create by a caller whose /proc is covered in part, as in a
// nested container.
func coveredProc(s *scene) harness.Result {
	b := s.newBundle(harness.UserNamespace)
	return s.wrapped([]string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs none /proc/acpi || mount -t tmpfs none /proc/driver; exec "$@"`, "sh"},
		"create", "--bundle", b.Dir, "$ID")
}

// limitedNamespaces is a create below a user namespace in which no more
// namespaces of the kind may be made.
func limitedNamespaces(kind string, edits ...harness.Edit) func(*scene) harness.Result {
	return func(s *scene) harness.Result {
		require.Userns(s.T)
		b := s.newBundle(edits...)
		return s.wrapped([]string{"unshare", "--user", "--map-root-user", "sh", "-c", `echo 0 >/proc/sys/user/max_` + kind + `_namespaces; exec "$@"`, "sh"},
			"create", "--bundle", b.Dir, "$ID")
	}
}

// foreignNamespace is a create by root of a user namespace that wants to join a
// network namespace of the host's.
func foreignNamespace(s *scene) harness.Result {
	require.Userns(s.T)
	write(s.T, s.File("net"), "")
	check(s.T, unix.Mount(harness.NamespacePath(s.Holder(unix.CLONE_NEWNET), "net"), s.File("net"), "", unix.MS_BIND, ""))
	s.Unmount(s.File("net"))
	b := s.newBundle(harness.Namespace(specs.NetworkNamespace, s.File("net")))
	return s.wrapped([]string{"unshare", "--user", "--map-root-user"}, "create", "--bundle", b.Dir, "$ID")
}

// lockedMount is a create in a user namespace that wants to be rid of the flag
// of a mount that was there before.
func lockedMount(s *scene) harness.Result {
	require.Userns(s.T)
	check(s.T, os.Mkdir(s.File("locked"), 0o755))
	check(s.T, unix.Mount("tmpfs", s.File("locked"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	s.Unmount(s.File("locked"))
	b := s.newBundle(harness.WithoutMount("/dev/pts"), harness.Mounted(bind(s.File("locked"), "/mnt", "bind", "exec", "suid", "dev")))
	return s.wrapped([]string{"unshare", "--user", "--map-root-user", "--mount"}, "create", "--bundle", b.Dir, "$ID")
}

// onV1 and onV2 skip the situation in other views of cgroups.
func onV1(situation func(*scene) harness.Result) func(*scene) harness.Result {
	return func(s *scene) harness.Result { require.CgroupV1(s.T); return situation(s) }
}

func onV2(situation func(*scene) harness.Result) func(*scene) harness.Result {
	return func(s *scene) harness.Result { require.CgroupV2(s.T); return situation(s) }
}

// cgroupDirs makes a cgroup of the scene's name in every hierarchy.
func (s *scene) cgroupDirs() {
	name := s.id
	for _, h := range view.Hierarchies() {
		check(s.T, os.Mkdir(filepath.Join(h.Point, name), 0o755))
	}
	s.T.Cleanup(func() { view.RemoveCgroups(name) })
}

// threadedCgroup is a create beside a threaded cgroup.
func threadedCgroup(s *scene) harness.Result {
	s.cgroupDirs()
	check(s.T, os.Mkdir("/sys/fs/cgroup/"+s.id+"/t", 0o755))
	write(s.T, "/sys/fs/cgroup/"+s.id+"/t/cgroup.type", "threaded")
	return creating(linux(func(l *specs.Linux) { l.CgroupsPath = "/" + s.id + "/x" }))(s)
}

// freeze freezes a cgroup, or thaws it.
func (s *scene) freeze(name string, frozen bool) {
	v1, v2 := "THAWED", "0"
	if frozen {
		v1, v2 = "FROZEN", "1"
	}
	for file, value := range map[string]string{"/freezer/" + name + "/freezer.state": v1, "/" + name + "/cgroup.freeze": v2} {
		if _, err := os.Stat("/sys/fs/cgroup" + file); err == nil {
			write(s.T, "/sys/fs/cgroup"+file, value)
		}
	}
}

// frozenAbove is a resume of a container in a cgroup that somebody has frozen.
func frozenAbove(s *scene) harness.Result {
	s.cgroupDirs()
	above := s.id
	c := s.Running(s.newBundle(harness.Forever, linux(func(l *specs.Linux) { l.CgroupsPath = "/" + above + "/x" })))
	s.id = c.ID
	s.words = append(s.words, "$ABOVE", above)
	pause(s.T, c)
	s.freeze(above, true)
	s.T.Cleanup(func() { s.freeze(above, false) })
	return s.call("--timeout", "500ms", "resume", "$ID")
}

// frozenCgroup is a create in a cgroup that somebody has frozen.
func frozenCgroup(s *scene) harness.Result {
	s.cgroupDirs()
	s.freeze(s.id, true)
	return creating(linux(func(l *specs.Linux) { l.CgroupsPath = "/" + s.id }))(s)
}

// forbiddenDevice is a create below a cgroup that allows no device.
func forbiddenDevice(s *scene) harness.Result {
	s.cgroupDirs()
	write(s.T, "/sys/fs/cgroup/devices/"+s.id+"/devices.deny", "a")
	return creating(linux(func(l *specs.Linux) { l.CgroupsPath = "/" + s.id + "/x" }))(s)
}
