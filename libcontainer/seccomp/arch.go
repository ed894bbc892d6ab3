package seccomp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// abi is how a filter recognises the system calls of one architecture.
type abi struct {
	audit uint32 // seccomp_data.arch
	base  uint32 // number of the first call: MIPS ABIs and x32 do not begin at 0
	// privateLow..privateHigh, relative to base, lie above the table that all
	// architectures share and were there long before it. 0..0 is none.
	privateLow, privateHigh uint32
}

// x32Bit marks the calls of the x32 ABI, which share AUDIT_ARCH_X86_64.
const x32Bit = 0x40000000

// architecture is one row: the word of the specification and what it means.
type architecture struct {
	name specs.Arch
	abi  abi
}

// architectures is every row, in the order of the specification's list.
func architectures() [23]architecture {
	return [23]architecture{
		{specs.ArchX86, abi{audit: unix.AUDIT_ARCH_I386}},
		{specs.ArchX86_64, abi{audit: unix.AUDIT_ARCH_X86_64}},
		// 512-547 repeat calls whose arguments hold pointers, arch/x86/entry/syscalls/syscall_64.tbl.
		{specs.ArchX32, abi{unix.AUDIT_ARCH_X86_64, x32Bit, 512, 547}},
		// The __ARM_NR_ calls: breakpoint, cacheflush, set_tls..., asm/unistd.h.
		{specs.ArchARM, abi{unix.AUDIT_ARCH_ARM, 0, 0x0f0000, 0x0f00ff}},
		{specs.ArchAARCH64, abi{audit: unix.AUDIT_ARCH_AARCH64}},
		{specs.ArchLOONGARCH64, abi{audit: unix.AUDIT_ARCH_LOONGARCH64}},
		{specs.ArchM68K, abi{audit: unix.AUDIT_ARCH_M68K}},
		{specs.ArchMIPS, abi{audit: unix.AUDIT_ARCH_MIPS, base: 4000}},
		{specs.ArchMIPS64, abi{audit: unix.AUDIT_ARCH_MIPS64, base: 5000}},
		{specs.ArchMIPS64N32, abi{audit: unix.AUDIT_ARCH_MIPS64N32, base: 6000}},
		{specs.ArchMIPSEL, abi{audit: unix.AUDIT_ARCH_MIPSEL, base: 4000}},
		{specs.ArchMIPSEL64, abi{audit: unix.AUDIT_ARCH_MIPSEL64, base: 5000}},
		{specs.ArchMIPSEL64N32, abi{audit: unix.AUDIT_ARCH_MIPSEL64N32, base: 6000}},
		{specs.ArchPPC, abi{audit: unix.AUDIT_ARCH_PPC}},
		{specs.ArchPPC64, abi{audit: unix.AUDIT_ARCH_PPC64}},
		{specs.ArchPPC64LE, abi{audit: unix.AUDIT_ARCH_PPC64LE}},
		{specs.ArchS390, abi{audit: unix.AUDIT_ARCH_S390}},
		{specs.ArchS390X, abi{audit: unix.AUDIT_ARCH_S390X}},
		{specs.ArchSH, abi{audit: unix.AUDIT_ARCH_SHEL}}, // plain "SH" is the little-endian one
		{specs.ArchSHEB, abi{audit: unix.AUDIT_ARCH_SH}},
		{specs.ArchPARISC, abi{audit: unix.AUDIT_ARCH_PARISC}},
		{specs.ArchPARISC64, abi{audit: unix.AUDIT_ARCH_PARISC64}},
		{specs.ArchRISCV64, abi{audit: unix.AUDIT_ARCH_RISCV64}},
	}
}

// abiOf finds the row of an architecture; ok is false for an unknown word.
func abiOf(name specs.Arch) (_ abi, ok bool) {
	for _, row := range architectures() {
		if row.name == name {
			return row.abi, true
		}
	}
	return abi{}, false
}

// Archs lists the architectures that Version of libseccomp can compile for.
func Archs() []string {
	var names []string
	for _, row := range architectures() {
		if libraryHas(row.name, Version()) {
			names = append(names, string(row.name))
		}
	}
	return names
}

// libraryHas reports whether libseccomp of that version ("2.5.4") knows the
// architecture. Anything older than 2.5 is refused when compiling.
func libraryHas(name specs.Arch, version string) bool {
	switch name {
	case specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB:
		return !olderThan(version, 2, 6)
	}
	return true
}

// olderThan compares the first two numbers of a version.
func olderThan(version string, major, minor int) bool {
	var got [2]int
	part := 0
	for i := 0; i < len(version) && part < len(got); i++ {
		switch c := version[i]; {
		case c == '.':
			part++
		case c >= '0' && c <= '9':
			got[part] = got[part]*10 + int(c-'0')
		}
	}
	return got[0] < major || got[0] == major && got[1] < minor
}
