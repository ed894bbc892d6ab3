package process

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

var update = flag.Bool("update", false, "write the golden listings")

// host is a machine with everything: root, 41 capabilities.
func host() *Host {
	return &Host{
		Bounding: 1<<41 - 1, Last: 40, Root: true,
		HardLimit: func(int) (uint64, error) { return 4096, nil },
		Resource:  func() bool { return true },
		Nice:      func() bool { return true },
	}
}

func docker() *specs.Process {
	s := minimal("sh", "-c", "true")
	list := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"}
	s.Capabilities = &specs.LinuxCapabilities{Bounding: list, Effective: list, Permitted: list}
	s.Env = []string{"PATH=/usr/bin:/bin"}
	s.User.AdditionalGids = []uint32{0, 10}
	return s
}

func TestGolden(t *testing.T) {
	umask := uint32(0o27)
	filter := &Filter{BPF: allowAll()}
	cases := []struct {
		name string
		in   func() Input
	}{
		{"docker", func() Input {
			s := docker()
			s.NoNewPrivileges = true
			return Input{Process: s, Keyring: "_ses.box", Hostname: "box", Seccomp: filter}
		}},
		{"no-process", func() Input { return Input{Keyring: "_ses.box", Hostname: "box", Domainname: "example"} }},
		{"user-filter-without-nnp", func() Input {
			s := docker()
			s.User = specs.User{UID: 1000, GID: 100, Umask: &umask}
			s.Cwd = "/home/user"
			s.Capabilities.Ambient = []string{"CAP_NET_RAW"}
			s.Capabilities.Inheritable = []string{"CAP_NET_RAW"}
			return Input{Process: s, Seccomp: filter}
		}},
		{"exec-terminal-userns", func() Input {
			s := minimal("/bin/sh")
			s.Terminal = true
			s.ConsoleSize = &specs.Box{Height: 24, Width: 80}
			s.User.UID = 7
			s.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0-1,65", Final: "1"}
			return Input{Process: s, Exec: true, Userns: true, SetgroupsDenied: true, Keyring: "_ses.box"}
		}},
		{"limits-and-scheduling", func() Input {
			s := minimal("/bin/sh")
			s.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 4096}, {Type: "RLIMIT_CORE"}}
			s.Scheduler = &specs.Scheduler{Policy: "SCHED_BATCH", Nice: 5, Flags: []specs.LinuxSchedulerFlag{"SCHED_FLAG_RESET_ON_FORK"}}
			s.IOPriority = &specs.LinuxIOPriority{Class: "IOPRIO_CLASS_BE", Priority: 6}
			return Input{Process: s,
				Personality:  &specs.LinuxPersonality{Domain: "LINUX32"},
				MemoryPolicy: &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{"MPOL_F_STATIC_NODES"}}}
		}},
		{"inheritable-beyond-bounding", func() Input {
			s := minimal("/bin/sh")
			s.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}, Inheritable: []string{"CAP_KILL", "CAP_CHOWN"}}
			return Input{Process: s}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := c.in()
			in.Host = host()
			compare(t, c.name, record(t, in))
		})
	}
}

// Labels need a host that has them to get past New.
func TestGoldenLabels(t *testing.T) {
	s := minimal("/bin/sh")
	s.ApparmorProfile, s.SelinuxLabel, s.NoNewPrivileges = "docker-default", "system_u:system_r:container_t:s0:c1,c2", true
	x := &Process{in: Input{Process: s, Keyring: "_ses.box"}, env: s.Env, programs: s.Args}
	x.scheduling.ioprio = -1
	compare(t, "labels", list(x, Descriptors{}))
}

// record lists what is recorded for in.
func record(t *testing.T, in Input) []byte {
	t.Helper()
	x, warnings, err := New(in)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	return list(x, Descriptors{Proc: nsenter.Number(7), Console: nsenter.Number(8)})
}

func list(x *Process, d Descriptors) []byte {
	p := nsenter.New(0)
	x.InitialAffinity(p)
	x.FinalAffinity(p)
	x.Setup(p, d)
	p.At("")
	files := []nsenter.FD{}
	if fd, ok := x.Passwd(); ok {
		files = append(files, fd)
	}
	p.Send(3, 0, files...)
	x.ReceiveLate(p)
	if x.in.Process != nil {
		x.Become(p, nil)
	}
	var b bytes.Buffer
	p.List(&b)
	return b.Bytes()
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range g {
		if i >= len(w) || !bytes.Equal(g[i], w[i]) {
			t.Errorf("%s:%d (update with -update)\ngot  %s", path, i+1, g[i])
			return
		}
	}
	t.Errorf("%s: %d lines, want %d", path, len(g), len(w))
}

// allowAll is the filter "return SECCOMP_RET_ALLOW".
func allowAll() []byte { return sockFilter(unix.BPF_RET|unix.BPF_K, 0, 0, seccompAllow) }

const (
	seccompAllow = 0x7fff0000
	seccompErrno = 0x00050000
	seccompKill  = 0x80000000
)

// sockFilter is one struct sock_filter.
func sockFilter(code uint16, jt, jf uint8, k uint32) []byte {
	return []byte{byte(code), byte(code >> 8), jt, jf, byte(k), byte(k >> 8), byte(k >> 16), byte(k >> 24)}
}

// deny is a filter that does action for system call nr and allows the rest.
func deny(nr int, action uint32) []byte {
	b := sockFilter(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, 0) // seccomp_data.nr
	b = append(b, sockFilter(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, uint32(nr))...)
	b = append(b, sockFilter(unix.BPF_RET|unix.BPF_K, 0, 0, action)...)
	return append(b, allowAll()...)
}
