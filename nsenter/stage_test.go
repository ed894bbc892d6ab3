package nsenter

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestStageIsSelfContained disassembles the machine code that goes into the
// image: jumps stay inside, nothing is addressed relative to the program
// counter, and the only absolute addresses are those of the segments. So the
// code means the same wherever it is copied to.
func TestStageIsSelfContained(t *testing.T) {
	text, err := loop()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("knows amd64's disassembly only")
	}
	out, err := exec.Command("go", "tool", "objdump", "-s", `nsenter\.stage$`, os.Args[0]).CombinedOutput()
	if err != nil {
		t.Skipf("needs go tool objdump: %v: %s", err, out)
	}
	line := regexp.MustCompile(`^\s+stage_amd64\.s:\d+\s+0x([0-9a-f]+)\s+([0-9a-f]+)\s+(\S+)\s*(.*)$`)
	var first, end uint64
	var targets []uint64
	for l := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(strings.TrimRight(l, "\t\n "))
		if m == nil {
			continue
		}
		address, _ := strconv.ParseUint(m[1], 16, 64)
		if first == 0 {
			first = address
		}
		if address-first >= uint64(len(text)) {
			break // the end mark
		}
		end = address + uint64(len(m[2]))/2
		switch operands := m[4]; {
		case strings.Contains(operands, "(IP)"), strings.Contains(operands, "(SB)"):
			t.Errorf("%s: refers to what is not copied", l)
		case strings.HasPrefix(m[3], "CALL"), m[3] == "RET":
			t.Errorf("%s: there is nothing to call or to return to", l)
		case strings.HasPrefix(m[3], "J"):
			target, err := strconv.ParseUint(strings.TrimPrefix(operands, "0x"), 16, 64)
			if err != nil {
				t.Errorf("%s: jumps to where it cannot be told", l)
			}
			targets = append(targets, target)
		}
	}
	if end-first != uint64(len(text)) {
		t.Fatalf("%d bytes disassembled, %d copied", end-first, len(text))
	}
	for _, target := range targets {
		if target < first || target >= end {
			t.Errorf("a jump to %#x leaves %#x-%#x", target, first, end)
		}
	}
}

// TestImageIsAnExecutable reads the image as the kernel does.
func TestImageIsAnExecutable(t *testing.T) {
	p := branching()
	path := filepath.Join(t.TempDir(), "image")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.write(int(file.Fd())); err != nil {
		t.Fatal(err)
	}
	file.Close()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Type != elf.ET_EXEC || f.Entry != textBase+textOffset {
		t.Errorf("type %v, entry %#x", f.Type, f.Entry)
	}
	want := []struct {
		kind  elf.ProgType
		flags elf.ProgFlag
		addr  uint64
	}{
		{elf.PT_LOAD, elf.PF_R | elf.PF_X, textBase},
		{elf.PT_LOAD, elf.PF_R, opsBase},
		{elf.PT_LOAD, elf.PF_R | elf.PF_W, arenaBase},
		{elf.PT_GNU_STACK, elf.PF_R | elf.PF_W, 0},
	}
	if len(f.Progs) != len(want) {
		t.Fatalf("%d segments, want %d", len(f.Progs), len(want))
	}
	for i, w := range want {
		g := f.Progs[i]
		if g.Type != w.kind || g.Flags != w.flags || g.Vaddr != w.addr {
			t.Errorf("segment %d: %v %v at %#x, want %+v", i, g.Type, g.Flags, g.Vaddr, w)
		}
	}
}
