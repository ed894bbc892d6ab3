package process

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// binprmSize is how much of a file the kernel looks at to tell what it is:
// BINPRM_BUF_SIZE, Linux 5.1.
const binprmSize = 256

// contentHint says what in the file at path keeps it from being executed, or
// nothing if it seems fine.
func (v *view) contentHint(path string) string {
	head, ok := v.read(path, 0, binprmSize)
	switch {
	case !ok:
		return ""
	case len(head) == 0:
		return "the file is empty"
	case bytes.HasPrefix(head, []byte("#!")):
		return v.scriptHint(path, head)
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return v.elfHint(path, head)
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf#!")):
		return `the file has a byte order mark before its "#!"; save it without`
	case bytes.HasPrefix(head, []byte("MZ")):
		return "it is a Windows program"
	case isText(head):
		return `it is a text file without a "#!" first line; run it through a shell`
	}
	return "it is neither an ELF file nor a script"
}

// read returns up to size bytes at offset of a regular file.
func (v *view) read(path string, offset int64, size int) ([]byte, bool) {
	fd, err := v.open(path, 0)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	var s unix.Stat_t
	if unix.Fstat(fd, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, false
	}
	file, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, false
	}
	defer unix.Close(file)
	buf := make([]byte, size)
	n, err := unix.Pread(file, buf, offset)
	return buf[:max(n, 0)], err == nil
}

func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b {
			return false
		}
	}
	return true
}

// scriptHint looks at the interpreter: the first word after "#!", as execve(2)
// describes it. A carriage return is no space to the kernel.
func (v *view) scriptHint(path string, head []byte) string {
	line, _, _ := strings.Cut(string(head[2:]), "\n")
	line = strings.Trim(line, " \t")
	interpreter := line
	if end := strings.IndexAny(line, " \t\x00"); end >= 0 {
		interpreter = line[:end]
	}
	if interpreter == "" {
		return `its first line names no interpreter after "#!"`
	}
	s, err := v.stat(interpreter)
	switch {
	case err == nil && isProgram(s):
		if hint := v.interpreterHint(interpreter); hint != "" {
			return fmt.Sprintf("its interpreter %s: %s", interpreter, hint)
		}
		return ""
	case err == nil:
		return fmt.Sprintf("its interpreter %s %s", interpreter, v.whyNot(interpreter, s))
	case strings.HasSuffix(interpreter, "\r"):
		return fmt.Sprintf("the script's interpreter is %q: the file has Windows (CRLF) line endings", interpreter)
	}
	return fmt.Sprintf("interpreter %s (line 1 of %s) is not in the image", interpreter, path)
}

// interpreterHint is contentHint for an interpreter; a script as interpreter is
// followed no further.
func (v *view) interpreterHint(path string) string {
	if head, ok := v.read(path, 0, binprmSize); ok && bytes.HasPrefix(head, []byte("\x7fELF")) {
		return v.elfHint(path, head)
	}
	return ""
}

// elfFile is what elf(5) calls Ehdr and Phdr, as far as it matters here. The
// sizes of all fields but the machine's depend on the class.
type elfFile struct {
	order            binary.ByteOrder
	wide             bool // ELFCLASS64
	kind, machine    uint16
	phoff            uint64
	phentsize, phnum uint16
}

const (
	elfRelocatable = 1
	elfCore        = 4
	ptInterp       = 3
)

// parseELF reads the header at the start of head.
func parseELF(head []byte) (e elfFile, ok bool) {
	if len(head) < 52 {
		return e, false
	}
	e.order = binary.LittleEndian
	if head[5] == 2 {
		e.order = binary.BigEndian
	}
	e.wide = head[4] == 2
	e.kind, e.machine = e.order.Uint16(head[16:]), e.order.Uint16(head[18:])
	if !e.wide {
		e.phoff = uint64(e.order.Uint32(head[28:]))
		e.phentsize, e.phnum = e.order.Uint16(head[42:]), e.order.Uint16(head[44:])
		return e, true
	}
	if len(head) < 64 {
		return e, false
	}
	e.phoff = e.order.Uint64(head[32:])
	e.phentsize, e.phnum = e.order.Uint16(head[54:]), e.order.Uint16(head[56:])
	return e, true
}

// interp finds the path of the loader in the program headers.
func (v *view) interp(path string, e *elfFile) string {
	const most = 64 // headers; a program has about ten
	size := 32
	if e.wide {
		size = 56
	}
	for i := range min(e.phnum, most) {
		h, ok := v.read(path, int64(e.phoff)+int64(i)*int64(e.phentsize), size)
		if !ok || len(h) < size {
			return ""
		}
		if e.order.Uint32(h) != ptInterp {
			continue
		}
		offset, length := uint64(e.order.Uint32(h[4:])), uint64(e.order.Uint32(h[16:]))
		if e.wide {
			offset, length = e.order.Uint64(h[8:]), e.order.Uint64(h[32:])
		}
		name, _ := v.read(path, int64(offset), int(min(length, unix.PathMax)))
		text, _, _ := strings.Cut(string(name), "\x00")
		return text
	}
	return ""
}

func (v *view) elfHint(path string, head []byte) string {
	e, ok := parseELF(head)
	switch {
	case !ok:
		return "its ELF header is cut off"
	case !runsHere(&e):
		return fmt.Sprintf("built for %s, this host is %s and has no binfmt_misc handler for it", machineName(&e), hostMachine())
	case e.kind == elfRelocatable || e.kind == elfCore:
		return "it is an object file or a core dump, not a program"
	}
	loader := v.interp(path, &e)
	if loader == "" {
		return ""
	}
	if s, err := v.stat(loader); err == nil {
		if !isProgram(s) {
			return fmt.Sprintf("its loader %s %s", printable(loader), v.whyNot(loader, s))
		}
		return ""
	}
	hint := fmt.Sprintf("needs the loader %s, which is not in the image", printable(loader))
	if musl := "/lib/ld-musl-" + hostMachine() + ".so.1"; strings.Contains(loader, "ld-linux") {
		if _, err := v.stat(musl); err == nil {
			hint += ": a program for glibc in an image with musl"
		}
	}
	return hint
}

// ELF machines, elf(5), by the name that uname -m has for them.
const (
	em386   = 3
	emARM   = 40
	emAMD64 = 62
	emARM64 = 183
)

// runsHere reports whether this kernel's own loader can take e: its machine's
// programs and those of the 32-bit machine it extends.
func runsHere(e *elfFile) bool {
	switch runtime.GOARCH {
	case "amd64":
		return e.machine == emAMD64 || e.machine == em386
	case "arm64":
		return e.machine == emARM64 || e.machine == emARM
	}
	return true
}

func hostMachine() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOARCH
	}
	return unix.ByteSliceToString(u.Machine[:])
}

func machineName(e *elfFile) string {
	little := e.order == binary.LittleEndian
	pick := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	switch e.machine {
	case em386:
		return "i386"
	case 8:
		return pick(e.wide, "mips64", "mips") + pick(little, "el", "")
	case 20:
		return "ppc"
	case 21:
		return "ppc64" + pick(little, "le", "")
	case 22:
		return pick(e.wide, "s390x", "s390")
	case emARM:
		return "arm"
	case 43:
		return "sparc64"
	case emAMD64:
		return pick(e.wide, "x86_64", "x32")
	case emARM64:
		return "aarch64"
	case 243:
		return pick(e.wide, "riscv64", "riscv32")
	case 258:
		return pick(e.wide, "loongarch64", "loongarch32")
	}
	return "ELF machine " + strconv.Itoa(int(e.machine))
}
