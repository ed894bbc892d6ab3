package process

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// The tests here run programs for real, and look at what the kernel says of
// them in /proc.

// sets reads the five capability sets out of /proc/self/status.
func sets(t *testing.T, s map[string]string) (got [5]uint64) {
	t.Helper()
	for i, name := range []string{"CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"} {
		v, err := strconv.ParseUint(s[name], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		got[i] = v
	}
	return got
}

func mask(numbers ...int) (m uint64) {
	for _, n := range numbers {
		m |= 1 << n
	}
	return m
}

func TestCapabilities(t *testing.T) {
	needsRoot(t)
	const kill, chown, raw, admin = unix.CAP_KILL, unix.CAP_CHOWN, unix.CAP_NET_RAW, unix.CAP_SYS_ADMIN
	three := []string{"CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"}
	all := mask(kill, chown, raw)
	cases := []struct {
		name string
		uid  uint32
		caps *specs.LinuxCapabilities
		want [5]uint64 // bounding, effective, permitted, inheritable, ambient: after execve
	}{
		{"none", 0, nil, [5]uint64{}},
		{"root", 0, &specs.LinuxCapabilities{Bounding: three, Effective: three, Permitted: three}, [5]uint64{all, all, all, 0, 0}},
		{"user", 1000, &specs.LinuxCapabilities{Bounding: three, Effective: three, Permitted: three}, [5]uint64{all, 0, 0, 0, 0}},
		{"user, ambient", 1000, &specs.LinuxCapabilities{Bounding: three, Effective: three, Permitted: three,
			Inheritable: []string{"CAP_NET_RAW", "CAP_KILL"}, Ambient: []string{"CAP_NET_RAW"}},
			[5]uint64{all, mask(raw), mask(raw), mask(raw, kill), mask(raw)}},
		{"inheritable beyond bounding", 0, &specs.LinuxCapabilities{Bounding: three[:1], Inheritable: three[1:2]},
			[5]uint64{mask(kill), mask(kill, chown), mask(kill, chown), mask(chown), 0}},
	}
	for _, user := range []bool{false, true} {
		for _, filtered := range []bool{false, true} {
			for _, c := range cases {
				t.Run(fmt.Sprintf("%s/userns=%v,filter=%v", c.name, user, filtered), func(t *testing.T) {
					in := Input{Process: minimal(), Userns: user}
					in.Process.Capabilities = c.caps
					in.Process.User.UID = c.uid
					if filtered { // without no_new_privs: needs CAP_SYS_ADMIN, which must not show
						in.Seccomp = &Filter{BPF: deny(unix.SYS_MKDIRAT, seccompErrno|38)}
					}
					o := options{}
					if user {
						o = newUser(t)
					}
					s := status(t, in, o)
					if got := sets(t, s); got != c.want {
						t.Errorf("\ngot  %x\nwant %x", got, c.want)
					}
					if want := map[bool]string{false: "0", true: "2"}[filtered]; s["Seccomp"] != want {
						t.Errorf("Seccomp: got %s, want %s", s["Seccomp"], want)
					}
				})
			}
		}
	}
}

// newUser makes the stage be born in a user namespace.
func newUser(t *testing.T) options {
	t.Helper()
	e, err := nsenter.Enter([]nsenter.Namespace{{Type: nsenter.User}, {Type: nsenter.Mount}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return options{flags: e.CloneFlags, early: e.Emit}
}

// A capability that does not exist, or that the machine does not have, is left
// out; the rest is granted.
func TestCapabilitiesUnavailable(t *testing.T) {
	needsRoot(t)
	h := HostFacts()
	h.Bounding &^= mask(unix.CAP_SYS_RESOURCE) // also where there is one, see lack
	lack := options{early: func(p *nsenter.Program) { p.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_RESOURCE) }}
	names := []string{"CAP_KILL", "CAP_SYS_RESOURCE", "CAP_BOGUS", "cap_chown"}
	in := Input{Process: minimal("grep", "CapPrm", "/proc/self/status"), Host: h}
	in.Process.Capabilities = &specs.LinuxCapabilities{Bounding: names, Effective: names, Permitted: names}
	got := start(t, in, lack)
	if want := "CapPrm:\t0000000000000020\n"; got.err != nil || got.out != want {
		t.Errorf("got %q, %v, want %q", got.out, got.err, want)
	}
	want := []string{"ignoring unknown or unavailable capabilities: [CAP_SYS_RESOURCE CAP_BOGUS cap_chown]"}
	if !slices.Equal(got.warnings, want) {
		t.Errorf("warnings %q", got.warnings)
	}
}

func TestIdentity(t *testing.T) {
	needsRoot(t)
	umask := uint32(0o27)
	in := Input{Process: minimal()}
	in.Process.User = specs.User{UID: 1000, GID: 100, AdditionalGids: []uint32{5, 4294967294}, Umask: &umask}
	in.Process.NoNewPrivileges = true
	// The caller's groups must not leak.
	o := options{early: func(p *nsenter.Program) { p.Setgroups([]uint32{0, 42}) }}
	s := status(t, in, o)
	for name, want := range map[string]string{
		"Uid": "1000\t1000\t1000\t1000", "Gid": "100\t100\t100\t100", "Groups": "5 4294967294",
		"Umask": "0027", "NoNewPrivs": "1",
	} {
		if s[name] != want {
			t.Errorf("%s: got %q, want %q", name, s[name], want)
		}
	}
	in.Process.User = specs.User{}
	in.KeepGroups = true
	own := fmt.Sprintf("%04o", unix.Umask(0))
	mask, _ := strconv.ParseUint(own, 8, 32)
	unix.Umask(int(mask))
	s = status(t, in, o)
	if s["Groups"] != "0 42" || s["Umask"] != own {
		t.Errorf("kept groups %q and umask %s, want the caller's: 0 42 and %s", s["Groups"], s["Umask"], own)
	}
}

func TestUnmappedUser(t *testing.T) {
	in := Input{Process: minimal("true"), UIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 10}}, Host: host()}
	in.Process.User.UID = 10
	_, _, err := New(in)
	if want := "process.user.uid: invalid argument (10 is not mapped in linux.uidMappings)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRlimits(t *testing.T) {
	needsRoot(t)
	h := HostFacts()
	h.Resource = func() bool { return false }
	max, err := h.HardLimit(unix.RLIMIT_NOFILE)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Process: minimal("cat", "/proc/self/limits"), Host: h}
	in.Process.Rlimits = []specs.POSIXRlimit{
		{Type: "RLIMIT_NOFILE", Soft: max + 5, Hard: max + 10},
		{Type: "RLIMIT_CORE", Soft: 0, Hard: 4096},
		{Type: "RLIMIT_FSIZE", Soft: unix.RLIM_INFINITY, Hard: unix.RLIM_INFINITY},
		{Type: "RLIMIT_STACK", Soft: 1 << 20, Hard: 1 << 21},
	}
	got := start(t, in, options{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	for _, want := range []string{
		fmt.Sprintf("Max open files            %-20d %d", max, max),
		"Max core file size        0                    4096",
		"Max file size             unlimited            unlimited",
		"Max stack size            1048576              2097152",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("limits lack %q:\n%s", want, got.out)
		}
	}
	want := fmt.Sprintf("process.rlimits[0]: RLIMIT_NOFILE is %d instead of %d, because", max, max+10)
	if len(got.warnings) != 1 || !strings.HasPrefix(got.warnings[0], want) {
		t.Errorf("warnings %q", got.warnings)
	}
}

// A limit above the stage's is given to it by the parent, if that may.
func TestRlimitsGranted(t *testing.T) {
	needsRoot(t)
	const low, high = 100, 200
	old := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_MSGQUEUE, &old); err != nil {
		t.Fatal(err)
	}
	h := HostFacts()
	may := h.Resource()
	h.Resource = func() bool { return true }
	h.HardLimit = func(int) (uint64, error) { return low, nil }
	in := Input{Process: minimal("grep", "msgqueue", "/proc/self/limits"), Host: h}
	in.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_MSGQUEUE", Soft: high, Hard: high}}
	o := options{early: func(p *nsenter.Program) { p.Prlimit(unix.RLIMIT_MSGQUEUE, low, low) }}
	got := start(t, in, o)
	if !may { // the kernel refuses, and that is what the user is told
		want := `process.rlimits[0]: raise "RLIMIT_MSGQUEUE": operation not permitted`
		if got.err == nil || got.err.Error() != want {
			t.Errorf("got %v, want %s", got.err, want)
		}
		return
	}
	if f := strings.Fields(got.out); got.err != nil || len(f) < 5 || f[3] != "200" || f[4] != "200" {
		t.Errorf("%q, %v", got.out, got.err)
	}
}

func TestNoNewPrivilegesFilter(t *testing.T) {
	needsRoot(t)
	// The filter forbids all that we do before execve; it must not matter.
	for _, nnp := range []bool{false, true} {
		for _, nr := range []int{unix.SYS_CAPSET, unix.SYS_PRCTL, unix.SYS_PRLIMIT64, unix.SYS_CLOSE_RANGE, unix.SYS_SETRESUID} {
			in := Input{Process: minimal("busybox", "echo", "ran"), Seccomp: &Filter{BPF: deny(nr, seccompKill)}}
			in.Process.User.UID = 1000
			in.Process.NoNewPrivileges = nnp
			in.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}}
			got := start(t, in, options{})
			if (nr == unix.SYS_PRLIMIT64 || nr == unix.SYS_PRCTL) && got.status.Signaled() && got.err == nil {
				continue // busybox itself may use it
			}
			if got.err != nil || got.out != "ran\n" {
				t.Errorf("no_new_privs %v, without system call %d: %q, %v, status %x", nnp, nr, got.out, got.err, got.status)
			}
		}
	}
}

func TestFilterForbidsExecve(t *testing.T) {
	needsRoot(t)
	in := Input{Process: minimal("true"), Seccomp: &Filter{BPF: deny(unix.SYS_EXECVE, seccompErrno|uint32(unix.EPERM))}}
	got := start(t, in, options{})
	if want := `process.args[0]: exec: "true": permission denied`; got.err == nil || got.err.Error() != want {
		t.Errorf("got %v, want %s", got.err, want)
	}
	in.Seccomp = &Filter{BPF: deny(unix.SYS_EXECVE, seccompKill)}
	got = start(t, in, options{})
	if !got.status.Signaled() || got.status.Signal() != unix.SIGSYS {
		t.Errorf("status %x", got.status)
	}
}

func TestKeyring(t *testing.T) {
	needsRoot(t)
	name := "_ses.test-" + strconv.Itoa(os.Getpid())
	for _, user := range []bool{false, true} {
		keyring := func(exec bool, o options) (key string) {
			in := Input{Process: minimal("cat", "/proc/keys"), Keyring: name, Userns: user, Exec: exec}
			got := start(t, in, o)
			if got.err != nil {
				t.Fatal(got.err)
			}
			for _, line := range strings.Split(got.out, "\n") {
				if strings.Contains(line, name) {
					return line
				}
			}
			t.Fatalf("exec %v: no keyring %s in\n%s", exec, name, got.out)
			return ""
		}
		o, want := options{}, "3f1b0000"
		if user {
			o, want = newUser(t), "3f130008"
		}
		var joined string
		if !user { // exec joins the one that exists
			o.ready = func(*Process, *nsenter.Stage) { joined = keyring(true, options{}) }
		}
		made := keyring(false, o)
		if f := strings.Fields(made); f[4] != want {
			t.Errorf("userns %v: permissions %s, want %s", user, f[4], want)
		}
		if !user && strings.Fields(made)[0] != strings.Fields(joined)[0] {
			t.Errorf("exec has another keyring:\n%s\n%s", made, joined)
		}
	}
}

func TestNames(t *testing.T) {
	needsRoot(t)
	in := Input{Process: minimal("sh", "-c", "uname -n; cat /proc/sys/kernel/domainname"), Hostname: "box", Domainname: "example.org"}
	if got := start(t, in, options{flags: unix.CLONE_NEWUTS}); got.err != nil || got.out != "box\nexample.org\n" {
		t.Errorf("got %q, %v", got.out, got.err)
	}
}

// What the label is written into must be the root of a procfs, whatever the
// image has at /proc.
func TestProcIsProven(t *testing.T) {
	needsRoot(t)
	x := &Process{in: Input{Process: minimal("true")}}
	x.in.Process.SelinuxLabel = "a:b:c:s0"
	x.scheduling.ioprio = -1
	cases := []struct {
		name string
		make func(p *nsenter.Program, root string)
		want string
	}{
		{"tmpfs", func(p *nsenter.Program, root string) { p.Mount("tmpfs", root+"/proc", "tmpfs", 0, "") }, "process: /proc is not a procfs"},
		{"directory of it", func(p *nsenter.Program, root string) { p.Mount("/proc/1", root+"/proc", "", unix.MS_BIND, "") }, "process: /proc is not the root of a procfs"},
		{"link", func(p *nsenter.Program, root string) {}, `process: openat2 "/proc": too many levels of symbolic links`},
		{"file mounted over", func(p *nsenter.Program, root string) {
			p.Mount("proc", root+"/proc", "proc", 0, "")
			p.Mount(root+"/fake", root+"/proc/1/task/1/attr/exec", "", unix.MS_BIND, "")
		}, `process.selinuxLabel: openat2 "thread-self/attr/exec": invalid cross-device link`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"proc/": "", "fake": ""}
			if c.name == "link" {
				files = map[string]string{"proc": "-> /other", "other/": ""}
			}
			root := image(t, files)
			p := nsenter.New(0)
			p.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
			c.make(p, root)
			p.Chroot(root)
			p.Chdir("/")
			x.Setup(p, Descriptors{})
			s, err := p.Start(nsenter.Options{Args: []string{"stage"}, CloneFlags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, Cgroup: -1, Stdio: [3]int{0, 1, 2}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Next(deadline)
			s.Close()
			var status unix.WaitStatus
			unix.Wait4(s.Pid, &status, 0, nil)
			if err == nil || err.Error() != c.want {
				t.Errorf("\ngot  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestSessionAndDescriptors(t *testing.T) {
	needsRoot(t)
	in := Input{Process: minimal("sh", "-c", "echo $$; cut -d' ' -f6 /proc/self/stat; ls /proc/$$/fd")}
	// The sh may keep what it was given; ls is run by it, so look at sh's.
	leak, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	got := start(t, in, options{early: func(p *nsenter.Program) { p.Inherit(int(leak.Fd()), "leak") }})
	f := strings.Fields(got.out)
	if got.err != nil || len(f) != 5 || f[0] != f[1] || !slices.Equal(f[2:], []string{"0", "1", "2"}) {
		t.Errorf("pid, session and descriptors: %q, %v", f, got.err)
	}
}
