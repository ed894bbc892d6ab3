package tests

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// network is a network namespace of the test's own, which plays the host's:
// no test touches a device of the machine.
type network struct {
	t   *testing.T
	env *harness.Env

	holder int // process that keeps it
	pid    string
}

func newNetwork(t *testing.T, env *harness.Env, script ...string) *network {
	t.Helper()
	require.Program(t, "ip")
	require.Program(t, "nsenter")
	n := &network{t: t, env: env, holder: env.Holder(unix.CLONE_NEWNET)}
	n.pid = strconv.Itoa(n.holder)
	for _, line := range script {
		n.ip(line)
	}
	return n
}

// ip runs ip(8) there and returns its output.
func (n *network) ip(line string) string {
	n.t.Helper()
	args := append([]string{"-t", n.pid, "-n", "ip"}, strings.Fields(line)...)
	out, err := exec.Command("nsenter", args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("ip %s: %v\n%s", line, err, out)
	}
	return string(out)
}

// links are the names there, without lo and the other ends of veth(4) pairs.
func (n *network) links() string {
	n.t.Helper()
	var names []string
	for line := range strings.Lines(n.ip("-o link")) {
		name, _, _ := strings.Cut(strings.Fields(line)[1], "@")
		if name = strings.TrimSuffix(name, ":"); name != "lo" && !strings.HasPrefix(name, "peer") {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// inside makes a call of the runtime come from that namespace.
func (n *network) inside(c *harness.Command) *harness.Command {
	c.Args = append([]string{"-t", n.pid, "-n", c.Binary}, c.Args...)
	c.Binary = require.Program(n.t, "nsenter")
	return c
}

func netDevices(devices map[string]specs.LinuxNetDevice) harness.Edit {
	return func(c *specs.Spec) { c.Linux.NetDevices = devices }
}

const showLinks = `for d in /sys/class/net/*; do echo "${d##*/} $(cat $d/flags)"; done`

// TestNetDevices: devices move, with a new name, one that the kernel picks, or
// their own; they are up and have their lasting addresses of global scope.
func TestNetDevices(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	n := newNetwork(t, env,
		"link add veth0 mtu 1400 address 02:00:00:00:00:07 type veth peer name peer1",
		"addr add 192.0.2.7/24 dev veth0 metric 77",
		"addr add 192.0.2.8/24 dev veth0",
		"addr add 198.51.100.1/32 dev veth0 valid_lft 1000 preferred_lft 500", // not lasting
		"addr add 203.0.113.1/32 dev veth0 scope link",                        // not global
		"-6 addr add 2001:db8::7/64 dev veth0 nodad",
		"link add web type veth peer name peer2", "link set web up",
		"link add keep type veth peer name peer3",
	)
	got := env.RunCommand(env.Bundle(netDevices(map[string]specs.LinuxNetDevice{
		"veth0": {Name: "eth0"}, "web": {Name: "eth%d"}, "keep": {},
	}), harness.Shell(showLinks+`; ip -o addr show dev eth0; cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address`)))
	text := fields(n.inside(got).Run().WantCode(t, 0).Stdout)
	for _, part := range []string{"eth0 0x1003", "eth1 0x1003", "keep 0x1003", "lo 0x9",
		"192.0.2.7/24", "192.0.2.8/24", "2001:db8::7/64", "1400 02:00:00:00:00:07"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %q", part, text)
		}
	}
	for _, part := range []string{"198.51.100.1", "203.0.113.1"} {
		if strings.Contains(text, part) {
			t.Errorf("%s has been kept: %q", part, text)
		}
	}
	if left := n.links(); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// TestNetDeviceTemplateOfOwnName: the kernel counts from the first free number,
// also when the device already has a name of that form.
func TestNetDeviceTemplateOfOwnName(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	theirs := newNetwork(t, env, "link add eth0 type veth peer name peer4")
	n := newNetwork(t, env, "link add eth0 type veth peer name peer5")
	n.inside(env.RunCommand(env.Bundle(netDevices(map[string]specs.LinuxNetDevice{"eth0": {Name: "eth%d"}}),
		harness.Namespace(specs.NetworkNamespace, harness.NamespacePath(theirs.holder, "net")), ran))).Run().WantCode(t, 0)
	want(t, "links", theirs.links(), "eth0 eth1")
	want(t, "links left", n.links(), "")
}

// TestNetDeviceErrors: what cannot be moved is named, and everything is as before.
func TestNetDeviceErrors(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	setup := []string{"link add br0 type bridge", "link add ext type veth peer name peer6", "addr add 192.0.2.7/24 dev ext", "link set ext up",
		"link add port type veth peer name peer7", "link set port master br0"}
	theirs := newNetwork(t, env, "link add taken type veth peer name peer8")
	join := harness.Namespace(specs.NetworkNamespace, harness.NamespacePath(theirs.holder, "net"))
	cases := []struct {
		name    string
		devices map[string]specs.LinuxNetDevice
		edit    harness.Edit
		parts   []string
	}{
		{"missing", map[string]specs.LinuxNetDevice{"ext": {}, "port": {}, "nosuch": {}}, ran,
			[]string{`linux.netDevices["nosuch"]`, "no device of this name", "no such device"}},
		{"taken", map[string]specs.LinuxNetDevice{"ext": {}, "port": {Name: "taken"}}, join,
			[]string{`linux.netDevices["port"]`, `"taken"`, "file exists"}},
		{"taken by lo", map[string]specs.LinuxNetDevice{"ext": {}, "port": {Name: "lo"}}, ran,
			[]string{`linux.netDevices["port"]`, `"lo"`, "file exists"}},
		{"lo", map[string]specs.LinuxNetDevice{"ext": {}, "port": {}, "lo": {Name: "eth0"}}, ran,
			[]string{`linux.netDevices["lo"]`, "invalid argument"}},
		{"later failure", map[string]specs.LinuxNetDevice{"ext": {Name: "eth%d"}, "port": {}},
			func(c *specs.Spec) {
				c.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}}
			}, []string{"createRuntime"}},
		{"no program", map[string]specs.LinuxNetDevice{"ext": {Name: "eth%d"}, "port": {}}, harness.Args("nosuch"),
			[]string{"nosuch"}},
		{"host network", map[string]specs.LinuxNetDevice{"ext": {}}, harness.WithoutNamespace(specs.NetworkNamespace),
			[]string{"linux.netDevices", "network namespace"}},
		{"bad name", map[string]specs.LinuxNetDevice{"ext": {Name: "a/b"}}, ran, []string{`linux.netDevices["ext"].name`, "a/b"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, env, setup...)
			before := n.story()
			n.inside(env.RunCommand(env.Bundle(netDevices(c.devices), c.edit))).Run().WantError(t, 1, c.parts...)
			want(t, "devices", n.story(), before)
		})
	}
	want(t, "links of the others", theirs.links(), "taken")
}

// TestNetDeviceInUserNamespace: the host's root moves it to where the
// container's root owns it.
func TestNetDeviceInUserNamespace(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	n := newNetwork(t, env, "link add d0 type veth peer name peer9", "addr add 192.0.2.7/24 dev d0")
	r := n.inside(env.RunCommand(env.Bundle(harness.UserNamespace, netDevices(map[string]specs.LinuxNetDevice{"d0": {Name: "eth0"}}),
		harness.Capabilities("CAP_NET_ADMIN"), harness.Shell("ip -o addr show dev eth0; ip link set eth0 down")))).Run().WantCode(t, 0)
	if !strings.Contains(r.Stdout, "192.0.2.7/24") {
		t.Error(r)
	}
}

// story tells of the devices there all that must not change. Numbers may.
func (n *network) story() string {
	n.t.Helper()
	var lines []string
	for _, name := range strings.Fields(n.links()) {
		link, _, _ := strings.Cut(n.ip("-o link show "+name), "group")
		_, link, _ = strings.Cut(link, ": ")
		for line := range strings.Lines(n.ip("-o -4 addr show dev " + name)) {
			_, address, _ := strings.Cut(line, "inet")
			link += address
		}
		lines = append(lines, fields(link))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
