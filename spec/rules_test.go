package spec

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
	"ociruntime/tests/corpus"
)

// TestHost checks rules that depend on more than the configuration.
func TestHost(t *testing.T) {
	const full, minimal, rootless = "full.json", "start.json", "rootless.json"
	cases := []struct {
		name, config string
		host         Host
		path, value  string // a change to config, as in bad.txt
		want         string
	}{
		{"root needs no user namespace", minimal, Host{}, "", "", ""},
		{"others do", minimal, Host{Rootless: true}, "", "", "linux.namespaces: needs a user namespace, as the runtime is not run by root (runtime spec --rootless makes a configuration that has one)"},
		{"and have one", rootless, Host{Rootless: true}, "", "", ""},
		{"only root moves network devices", full, Host{Rootless: true}, "", "",
			"linux.netDevices: cannot be moved out of the runtime's network namespace without being root there"},
		{"sysctl in a joined network namespace", full, Host{}, "linux.namespaces[1].path", `"/run/netns/x"`, ""},
		{"that is the host's", minimal, Host{Shared: []specs.LinuxNamespaceType{"network"}}, "linux",
			`{"namespaces":[{"type":"network","path":"/proc/1/ns/net"}],"sysctl":{"net.x":"1"}}`,
			`linux.sysctl["net.x"]: would change the host: the network namespace that is joined is the runtime's own`},
		{"hostname in the host's uts namespace", minimal, Host{Shared: []specs.LinuxNamespaceType{"uts"}}, "",
			`{"ociVersion":"1.0.0","root":{"path":"x"},"hostname":"x","linux":{"namespaces":[{"type":"uts","path":"/proc/1/ns/uts"}]}}`,
			`hostname: would change the host: the uts namespace that is joined is the runtime's own`},
		{"idmap from nowhere", minimal, Host{}, "",
			`{"ociVersion":"1.0.0","root":{"path":"x"},"linux":{"namespaces":[{"type":"mount"}]},"mounts":[{"destination":"/x","source":"/x","options":["rbind","ridmap"]}]}`,
			`mounts[0].options[1]: "ridmap": needs uidMappings and gidMappings, as there is no user namespace to take them from`},
		{"unit", minimal, Host{SystemdCgroup: true}, "linux.cgroupsPath", `"system.slice:runtime:id"`, ""},
		{"unit without slice", minimal, Host{SystemdCgroup: true}, "linux.cgroupsPath", `":runtime:id"`, ""},
		{"no unit name", minimal, Host{SystemdCgroup: true}, "linux.cgroupsPath", `"/a/b"`,
			`linux.cgroupsPath: expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/a/b" instead`},
		{"empty unit name", minimal, Host{SystemdCgroup: true}, "linux.cgroupsPath", `"a:b:"`,
			`linux.cgroupsPath: expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "a:b:" instead`},
		{"unit property", minimal, Host{SystemdCgroup: true}, "annotations", `{"org.systemd.property.CPUWeight":"10"}`, ""},
		{"bad unit property", minimal, Host{SystemdCgroup: true}, "annotations", `{"org.systemd.property.Exec-Stop":"x"}`,
			`annotations["org.systemd.property.Exec-Stop"]: the name of a systemd unit property has at least 3 letters, and only letters`},
		{"short unit property", minimal, Host{SystemdCgroup: true}, "annotations", `{"org.systemd.property.ab":"x"}`,
			`annotations["org.systemd.property.ab"]: the name of a systemd unit property has at least 3 letters, and only letters`},
		{"not for systemd", minimal, Host{}, "annotations", `{"org.systemd.property.ab":"x"}`, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			raw := goodConfigs(t)[c.config]
			if c.value != "" {
				var err error
				raw, err = corpus.Mutation{Path: c.path, Value: c.value}.Apply(raw)
				must(t, err)
			}
			config, err := Decode(raw)
			must(t, err)
			got := ""
			if err := Validate(config, c.host); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestValidateReportsAll(t *testing.T) {
	config := &specs.Spec{Version: "2.0.0", Process: &specs.Process{Cwd: "x"}, Hostname: "h"}
	err := Validate(config, Host{})
	want := `ociVersion: "2.0.0": is a major version that this runtime does not know, it knows 1; ` +
		`process.args: is missing: there is no program to run; process.cwd: "x": must be an absolute path; root: is missing; ` +
		`hostname: needs a namespace of its own, "uts" in linux.namespaces: else it would change the host`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	var all Problems
	var one *diag.Error
	if !errors.As(err, &all) || len(all) != 5 || !errors.As(err, &one) || !errors.Is(err, all[4].Err) {
		t.Errorf("As and Is do not find the problems in %#v", err)
	}
	if diag.CodeOf(err) != CodeInvalid {
		t.Errorf("code %q", diag.CodeOf(err))
	}
}

func TestValidateParts(t *testing.T) {
	full, err := Decode(goodConfigs(t)["full.json"])
	must(t, err)
	if err := ValidateProcess("", full.Process, full); err != nil {
		t.Errorf("good process: %v", err)
	}
	bad := *full.Process
	bad.User.UID, bad.Cwd = 70000, "x"
	for field, want := range map[string]string{
		"":        `user.uid: is 70000, which linux.uidMappings does not map; cwd: "x": must be an absolute path`,
		"process": `process.user.uid: is 70000, which linux.uidMappings does not map; process.cwd: "x": must be an absolute path`,
	} {
		if err := ValidateProcess(field, &bad, full); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if err := ValidateResources("", full.Linux.Resources); err != nil {
		t.Errorf("good resources: %v", err)
	}
	low := int64(-5)
	err = ValidateResources("", &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &low}})
	if want := "memory.limit: is -5, must be -1 (no limit) or more"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestWarnings(t *testing.T) {
	full := goodConfigs(t)["full.json"]
	cases := []struct{ path, value, want string }{
		{"ociVersion", `"1.3.0"`, ""},
		{"process", "null", ""},
		{"process.capabilities.bounding[0]", `"CAP_KIL"`, `process.capabilities.bounding[0]: "CAP_KIL": unknown capability, it is ignored (did you mean "CAP_KILL"?)`},
		{"process.capabilities.ambient[0]", `"kill"`, `process.capabilities.ambient[0]: "kill": unknown capability, it is ignored`},
		{"process.capabilities.permitted", `["CAP_KILL"]`, `process.capabilities.effective: "CAP_NET_BIND_SERVICE": not in permitted and so ignored; ` +
			`process.capabilities.ambient: "CAP_NET_BIND_SERVICE": not in permitted and so ignored`},
		{"process.capabilities.inheritable", `["CAP_KILL"]`, `process.capabilities.ambient: "CAP_NET_BIND_SERVICE": not in inheritable and so ignored`},
		{"mounts[3].destination", `"sys"`, `mounts[3].destination: "sys": is relative, which is deprecated; it is taken from "/"`},
		{"mounts[5].options", `["bind"]`, `mounts[5].options: should hold "idmap" or "ridmap", as there are uidMappings; "idmap" is assumed`},
		{"mounts[5].options", `["bind","ridmap"]`, ""},
		{"linux.devices[+]", `{"path":"/dev/fuse2","type":"c","major":10,"minor":229}`, `linux.devices[2]: is the same device as linux.devices[0]`},
		{"linux.seccomp", `{"defaultAction":"SCMP_ACT_KILL"}`, `linux.seccomp.syscalls: is empty: the process will be killed at its first system call`},
		{"linux.intelRdt.l3CacheSchema", `"0=f"`, `linux.intelRdt.l3CacheSchema: "0=f": should be a single line that begins with "L3:"`},
		{"linux", "null", ""},
	}
	for _, c := range cases {
		raw, err := corpus.Mutation{Path: c.path, Value: c.value}.Apply(full)
		must(t, err)
		config, err := Decode(raw)
		must(t, err)
		if got := Warnings(config).Error(); got != c.want {
			t.Errorf("%s = %s\ngot  %s\nwant %s", c.path, c.value, got, c.want)
		}
	}
}

func TestSysctlFile(t *testing.T) {
	for key, want := range map[string]string{
		"net.ipv4.ip_forward":              "net/ipv4/ip_forward",
		"net/ipv4/ip_forward":              "net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/1.forwarding":  "net/ipv4/conf/eth0.1/forwarding",
		"net/ipv4/conf/eth0.1/forwarding":  "net/ipv4/conf/eth0.1/forwarding",
		"kernel.shmmax":                    "kernel/shmmax",
		"kernel":                           "",
		"":                                 "",
		"net.ipv4.":                        "",
		"net/../kernel/core_pattern":       "",
		"net.x//////kernel/core_pattern":   "net/x......kernel.core_pattern",
		"net.//.kernel.core_pattern":       "",
		"net./.kernel":                     "",
		"net/./x":                          "",
		"/net/x":                           "",
		"..net":                            "",
		"net.ipv4.conf./.forwarding":       "",
		"net.ipv4.conf.a/b.c/d.forwarding": "net/ipv4/conf/a.b/c.d/forwarding",
	} {
		got, ok := SysctlFile(key)
		if got != want || ok != (want != "") {
			t.Errorf("SysctlFile(%q) = %q, %v, want %q", key, got, ok, want)
		}
	}
}

func TestCapability(t *testing.T) {
	for name, want := range map[string]int{"CAP_CHOWN": 0, "CAP_SYS_ADMIN": 21, "CAP_CHECKPOINT_RESTORE": 40} {
		if got, ok := Capability(name); got != want || !ok {
			t.Errorf("Capability(%s) = %d, %v, want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "CHOWN", "cap_chown", "CAP_CHOWN CAP_KILL"} {
		if got, ok := Capability(name); ok {
			t.Errorf("Capability(%q) = %d", name, got)
		}
	}
}

// FuzzValidate looks for panics, and for results that depend on anything but
// the configuration.
func FuzzValidate(f *testing.F) {
	for _, raw := range goodConfigs(f) {
		f.Add(raw, false)
		f.Add(raw, true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, other bool) {
		config, err := Decode(raw)
		if err != nil {
			return
		}
		host := Host{Rootless: other, SystemdCgroup: other}
		first := Validate(config, host)
		warnings := Warnings(config).Error()
		again, err := Decode(AppendSpec(nil, config))
		if err != nil {
			// An empty list that is required is not written, as it is nil.
			if strings.Contains(err.Error(), "is missing") || strings.Contains(err.Error(), "is null") {
				return
			}
			t.Fatalf("does not survive encoding: %v", err)
		}
		second := Validate(again, host)
		if text(first) != text(second) || warnings != Warnings(again).Error() {
			t.Errorf("first %v, then %v", first, second)
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
