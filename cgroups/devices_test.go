package cgroups

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// deny and allow build entries of linux.resources.devices: kind, major, minor,
// access; -1 and "" leave the field out.
func entry(allow bool, kind string, major, minor int64, access string) specs.LinuxDeviceCgroup {
	d := specs.LinuxDeviceCgroup{Allow: allow, Type: kind, Access: access}
	if major >= 0 {
		d.Major = &major
	}
	if minor >= 0 {
		d.Minor = &minor
	}
	return d
}

var denyAll = entry(false, "", -1, -1, "rwm")

var deviceCases = []struct {
	name string
	list []specs.LinuxDeviceCgroup
}{
	{"no rules", nil},
	{"deny all", []specs.LinuxDeviceCgroup{denyAll}},
	{"allow all", []specs.LinuxDeviceCgroup{entry(true, "a", -1, -1, "rwm")}},
	{"allow all, then deny all", []specs.LinuxDeviceCgroup{entry(true, "a", -1, -1, ""), denyAll}},
	{"deny all, then allow all", []specs.LinuxDeviceCgroup{denyAll, entry(true, "a", -1, -1, "")}},
	{"one device", []specs.LinuxDeviceCgroup{denyAll, entry(true, "c", 10, 200, "rwm")}},
	{"a block device read only", []specs.LinuxDeviceCgroup{denyAll, entry(true, "b", 8, 0, "r")}},
	{"both kinds", []specs.LinuxDeviceCgroup{denyAll, entry(true, "a", 7, -1, "rw")}},
	{"explicit deny of a default", []specs.LinuxDeviceCgroup{denyAll, entry(false, "c", 1, 3, "rwm")}},
	{"deny of part of a default", []specs.LinuxDeviceCgroup{denyAll, entry(false, "c", 136, 0, "rwm")}},
	{"deny of writing to a default", []specs.LinuxDeviceCgroup{denyAll, entry(false, "c", 1, 9, "w")}},
	{"deny of making nodes", []specs.LinuxDeviceCgroup{denyAll, entry(false, "c", -1, -1, "m")}},
	{"deny of one node", []specs.LinuxDeviceCgroup{denyAll, entry(false, "c", 10, 229, "rwm")}},
	{"allow all, then one device", []specs.LinuxDeviceCgroup{entry(true, "a", -1, -1, "rwm"), entry(true, "c", 10, 229, "m")}},
	{"exception to an exception", []specs.LinuxDeviceCgroup{denyAll, entry(true, "c", 10, -1, "rw"), entry(false, "c", 10, 200, "rw")}},
	{"allow all but one", []specs.LinuxDeviceCgroup{entry(true, "", -1, -1, ""), entry(false, "c", 10, 200, "rwm")}},
	{"no hole into a denied range", []specs.LinuxDeviceCgroup{entry(true, "", -1, -1, ""), entry(false, "c", 10, -1, "rwm"), entry(true, "c", 10, 200, "rwm")}},
	{"reading of a range and writing of a device in it", []specs.LinuxDeviceCgroup{denyAll, entry(true, "c", 10, -1, "r"), entry(true, "c", 10, 229, "w")}},
	{"largest numbers", []specs.LinuxDeviceCgroup{denyAll, entry(true, "b", 1<<32-1, 1<<31, "rwm"), entry(true, "b", 4095, 1<<20-1, "rwm")}},
}

func TestDevices(t *testing.T) {
	var b strings.Builder
	for _, c := range deviceCases {
		b.WriteString("== " + c.name + "\n")
		policy, err := compileDevices(c.list)
		must(t, err)
		settings, err := policy.settings()
		if err != nil {
			b.WriteString("v1 error " + err.Error() + "\n")
		}
		for _, s := range settings {
			b.WriteString("v1 " + s.File + " <- " + s.Value + "   (" + s.Field + ")\n")
		}
		for i, in := range policy.program() {
			fmt.Fprintf(&b, "v2 %3d  %s\n", i, in.text())
		}
	}
	golden(t, "testdata/devices.txt", b.String())
}

func TestDeviceErrors(t *testing.T) {
	for want, d := range map[string]specs.LinuxDeviceCgroup{
		`linux.resources.devices[1].type: "p": is none of a, b, c`:                        entry(true, "p", 1, 3, "r"),
		`linux.resources.devices[1].access: "rx": has a letter that is none of r, w, m`:   entry(true, "c", 1, 3, "rx"),
		`linux.resources.devices[1].major: "4294967296": is not a device number`:          entry(true, "c", 1<<32, 3, "r"),
		`linux.resources.devices[1].minor: "-7": is not a device number`:                  {Type: "c", Minor: ptr(int64(-7))},
		`linux.resources.devices[1].type: "cc": is none of a, b, c`:                       entry(true, "cc", 1, 3, "r"),
		`linux.resources.devices[1].access: "rwmé": has a letter that is none of r, w, m`: entry(true, "c", 1, 3, "rwmé"),
	} {
		if _, err := compileDevices([]specs.LinuxDeviceCgroup{denyAll, d}); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// decide answers from the policy itself: for each operation the last rule that
// speaks of it counts. It is what the program is checked against.
func (d *deviceRules) decide(kind byte, major, minor int64, asked access) bool {
	for bit := access(1); bit <= allAccess; bit <<= 1 {
		if asked&bit == 0 {
			continue
		}
		allowed := d.allowAll
		for _, r := range d.list {
			if r.access&bit != 0 && r.covers(rule{kind: kind, major: major, minor: minor}) {
				allowed = r.allow
			}
		}
		if !allowed {
			return false
		}
	}
	return true
}

// run interprets a program as the kernel does; a wrong program panics here.
func run(code []instruction, kind byte, major, minor uint32, asked access) bool {
	context := map[int16]uint32{0: uint32(asked)<<16 | uint32(devType(kind)), 4: major, 8: minor}
	var reg [6]uint32
	for pc := 0; ; pc++ {
		in := code[pc]
		jump := false
		switch in.op {
		case opLoad:
			reg[in.dst] = context[in.jump]
		case opMov:
			reg[in.dst] = reg[in.src]
		case opSet:
			reg[in.dst] = uint32(in.imm)
		case opAnd:
			reg[in.dst] &= uint32(in.imm)
		case opOr:
			reg[in.dst] |= reg[in.src]
		case opLeft:
			reg[in.dst] <<= uint32(in.imm)
		case opRight:
			reg[in.dst] >>= uint32(in.imm)
		case opIfEq:
			jump = reg[in.dst] == uint32(in.imm)
		case opIfNe:
			jump = reg[in.dst] != uint32(in.imm)
		case opIfAny:
			jump = reg[in.dst]&uint32(in.imm) != 0
		case opGoto:
			jump = true
		case opExit:
			return reg[r0] == 1
		default:
			panic(fmt.Sprintf("unknown instruction %#x", in.op))
		}
		if jump {
			pc += int(in.jump)
		}
	}
}

// TestProgramDecides compares program and policy over random policies.
func TestProgramDecides(t *testing.T) {
	random := newRandom()
	for range 2000 {
		policy := randomPolicy(random)
		code := policy.program()
		for range 30 {
			kind, major, minor, asked := "bc"[random.IntN(2)], random.Int64N(4), random.Int64N(4), access(1+random.IntN(7))
			if got, want := run(code, kind, uint32(major), uint32(minor), asked), policy.decide(kind, major, minor, asked); got != want {
				t.Fatalf("%c %d:%d %s: program says %v, policy %v\n%v", kind, major, minor, asked, got, want, policy.list)
			}
		}
	}
}

func newRandom() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func randomPolicy(random *rand.Rand) *deviceRules {
	policy := &deviceRules{allowAll: random.IntN(2) == 0}
	for range random.IntN(6) {
		policy.list = append(policy.list, rule{random.IntN(2) == 0, "bc"[random.IntN(2)], random.Int64N(4) - 1, random.Int64N(4) - 1, access(1 + random.IntN(7)), 0})
	}
	return policy
}

// kernelV1 is the version 1 controller as security/device_cgroup.c has it.
type kernelV1 struct {
	allowAll   bool
	exceptions []rule
}

func (k *kernelV1) write(s Setting) {
	allow := s.File == "devices.allow"
	if s.Value == "a" {
		k.allowAll, k.exceptions = allow, nil
		return
	}
	list, ok := parseDeviceList(s.Value)
	if !ok {
		panic("cannot read our own " + s.Value)
	}
	r := list.list[0]
	for i := range k.exceptions {
		if e := &k.exceptions[i]; e.sameDevices(r) {
			if allow != k.allowAll {
				e.access |= r.access
			} else {
				e.access &^= r.access
			}
			return
		}
	}
	if allow != k.allowAll {
		k.exceptions = append(k.exceptions, r)
	}
}

func (k *kernelV1) decide(kind byte, major, minor int64, asked access) bool {
	device := rule{kind: kind, major: major, minor: minor}
	for _, e := range k.exceptions {
		switch {
		case !e.covers(device):
		case k.allowAll && e.access&asked != 0:
			return false
		case !k.allowAll && asked&^e.access == 0:
			return true
		}
	}
	return k.allowAll
}

// TestV1Settings checks that what we write makes the kernel decide as the
// policy does, or that we refuse to write it.
func TestV1Settings(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 5000 {
		policy := randomPolicy(random)
		settings, err := policy.settings()
		if err != nil {
			refused++
			continue
		}
		kernel := &kernelV1{}
		for _, s := range settings {
			kernel.write(s)
		}
		for _, kind := range []byte("bc") {
			for device := int64(0); device < 9; device++ {
				major, minor := device/3, device%3
				for bit := access(1); bit <= allAccess; bit <<= 1 {
					if got, want := kernel.decide(kind, major, minor, bit), policy.decide(kind, major, minor, bit); got != want {
						t.Fatalf("%c %d:%d %s: the kernel says %v, the policy %v\n%v", kind, major, minor, bit, got, want, policy)
					}
				}
				// Where "*:1 r" and "2:* w" meet, opening for both is more than the kernel can give.
				if kernel.decide(kind, major, minor, read|write) && !policy.decide(kind, major, minor, read|write) {
					t.Fatalf("%c %d:%d: the kernel opens for reading and writing, the policy does not\n%v", kind, major, minor, policy)
				}
			}
		}
	}
	if refused == 0 || refused > 4000 {
		t.Errorf("%d of 5000 policies were refused", refused)
	}
}

func TestTransition(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	done := 0
	for range 5000 {
		a, b := randomPolicy(random), randomPolicy(random)
		from, err := a.exceptions()
		to, err2 := b.exceptions()
		if a.allowAll || b.allowAll || err != nil || err2 != nil {
			continue
		}
		done++
		kernel := &kernelV1{exceptions: slices.Clone(from)}
		both := func(k byte, major, minor int64, bit access) (old, want bool) {
			return a.decide(k, major, minor, bit), b.decide(k, major, minor, bit)
		}
		for _, s := range transition(from, to) {
			kernel.write(s)
			eachDevice(func(k byte, major, minor int64, bit access) {
				old, want := both(k, major, minor, bit)
				if got := kernel.decide(k, major, minor, bit); got && !old && !want {
					t.Fatalf("on the way %c %d:%d %s is allowed, which neither policy does", k, major, minor, bit)
				}
			})
		}
		eachDevice(func(k byte, major, minor int64, bit access) {
			if got := kernel.decide(k, major, minor, bit); got != b.decide(k, major, minor, bit) {
				t.Fatalf("%c %d:%d %s: %v after the change\nfrom %v\nto   %v", k, major, minor, bit, got, a.list, b.list)
			}
		})
	}
	if done < 500 {
		t.Errorf("only %d pairs of policies were tried", done)
	}
}

func eachDevice(visit func(kind byte, major, minor int64, bit access)) {
	for _, kind := range []byte("bc") {
		for device := int64(0); device < 9; device++ {
			for bit := access(1); bit <= allAccess; bit <<= 1 {
				visit(kind, device/3, device%3, bit)
			}
		}
	}
}

func FuzzParseDeviceList(f *testing.F) {
	f.Add("a *:* rwm\n")
	f.Add("c 1:3 rwm\nb 8:* r\n")
	f.Add("c *:* m")
	f.Fuzz(func(t *testing.T, text string) {
		policy, ok := parseDeviceList(text)
		if !ok || policy.allowAll {
			return
		}
		for _, r := range policy.list {
			again, ok := parseDeviceList(r.String())
			if !ok || len(again.list) != 1 || !again.list[0].sameDevices(r) || again.list[0].access != r.access {
				t.Errorf("%q: %v reads back as %v", text, r, again)
			}
		}
	})
}

func TestEncode(t *testing.T) {
	in := []instruction{{opIfNe, r3, 0, -2, 0x01020304}, {opMov, r3, r2, 0, 0}}
	little := encode(in, binary.LittleEndian)
	if want := "56 03 fe ff 04 03 02 01 bc 23 00 00 00 00 00 00"; fmt.Sprintf("% x", little) != want {
		t.Errorf("little-endian: got % x, want %s", little, want)
	}
	big := encode(in, binary.BigEndian)
	if want := "56 30 ff fe 01 02 03 04 bc 32 00 00 00 00 00 00"; fmt.Sprintf("% x", big) != want {
		t.Errorf("big-endian: got % x, want %s", big, want)
	}
}

// text is the listing of an instruction for the golden file.
func (in instruction) text() string {
	switch in.op {
	case opLoad:
		return fmt.Sprintf("r%d = ctx[%d]", in.dst, in.jump)
	case opMov:
		return fmt.Sprintf("r%d = r%d", in.dst, in.src)
	case opSet:
		return fmt.Sprintf("r%d = %d", in.dst, in.imm)
	case opAnd:
		return fmt.Sprintf("r%d &= %#x", in.dst, uint32(in.imm))
	case opOr:
		return fmt.Sprintf("r%d |= r%d", in.dst, in.src)
	case opLeft:
		return fmt.Sprintf("r%d <<= %d", in.dst, in.imm)
	case opRight:
		return fmt.Sprintf("r%d >>= %d", in.dst, in.imm)
	case opIfEq:
		return fmt.Sprintf("if r%d == %d skip %d", in.dst, uint32(in.imm), in.jump)
	case opIfNe:
		return fmt.Sprintf("if r%d != %d skip %d", in.dst, uint32(in.imm), in.jump)
	case opIfAny:
		return fmt.Sprintf("if r%d & %#x skip %d", in.dst, uint32(in.imm), in.jump)
	case opGoto:
		return fmt.Sprintf("skip %d", in.jump)
	}
	return "exit"
}
