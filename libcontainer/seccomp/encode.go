package seccomp

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// formatVersion is part of every cache key. Raise it whenever the same profile
// would be compiled, or written, in another way.
const formatVersion = 1

// The encoding of a profile, a filter and a warning. Every string and list has
// its length in front, so that no two different values look alike:
//
//	number   8 bytes, little endian
//	string   number of bytes, bytes
//	list     number of elements, elements
//	pointer  0, or 1 and the value

// cacheKey hashes all that decides what comes out of compile. The kernel is not
// in it: libseccomp is told not to look at the one it runs on. Neither are
// listenerPath and listenerMetadata, which no filter depends on and which are
// often different for each container.
func cacheKey(engine string, p *specs.LinuxSeccomp) [sha256.Size]byte {
	b := make([]byte, 0, 16<<10) // Docker's profile has 6 KiB
	b = appendNumber(b, formatVersion)
	b = appendString(b, runtime.GOARCH)
	b = appendString(b, engine)
	b = appendProfile(b, p)
	return sha256.Sum256(b)
}

func appendNumber(b []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(b, n) }

func appendString[S ~string](b []byte, s S) []byte {
	return append(appendNumber(b, uint64(len(s))), s...)
}

func appendStrings[S ~string](b []byte, list []S) []byte {
	b = appendNumber(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func appendErrno(b []byte, errno *uint) []byte {
	if errno == nil {
		return append(b, 0)
	}
	return appendNumber(append(b, 1), uint64(*errno))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendProfile(b []byte, p *specs.LinuxSeccomp) []byte {
	b = appendString(b, p.DefaultAction)
	b = appendErrno(b, p.DefaultErrnoRet)
	b = appendStrings(b, p.Architectures)
	b = appendBool(b, p.Flags != nil) // absent flags have a default, an empty list is none
	b = appendStrings(b, p.Flags)
	b = appendNumber(b, uint64(len(p.Syscalls)))
	for i := range p.Syscalls {
		b = appendSyscall(b, &p.Syscalls[i])
	}
	return b
}

func appendSyscall(b []byte, s *specs.LinuxSyscall) []byte {
	b = appendStrings(b, s.Names)
	b = appendString(b, s.Action)
	b = appendErrno(b, s.ErrnoRet)
	b = appendNumber(b, uint64(len(s.Args)))
	for _, a := range s.Args {
		b = appendNumber(b, uint64(a.Index))
		b = appendNumber(b, a.Value)
		b = appendNumber(b, a.ValueTwo)
		b = appendString(b, a.Op)
	}
	return b
}

func appendFilter(b []byte, f *Filter, warnings []Warning) []byte {
	b = appendNumber(b, f.Flags)
	b = appendBool(b, f.Notify)
	b = appendNumber(b, uint64(len(warnings)))
	for _, w := range warnings {
		b = appendString(b, w.Field)
		b = appendString(b, w.Text)
		b = appendBool(b, w.Debug)
	}
	return appendString(b, string(f.Program))
}

var errEncoding = errors.New("is cut short or malformed")

// decoder reads what the append functions wrote. After the first thing that
// does not fit, bad is set and every read gives the zero value.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) number() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) string() string { return string(d.take(d.number())) }

func (d *decoder) bool() bool {
	b := d.take(1)
	if b == nil {
		return false
	}
	d.bad = d.bad || b[0] > 1
	return b[0] == 1
}

// count reads the length of a list whose elements have at least size bytes, so
// that a made-up length cannot ask for more memory than its data would.
func (d *decoder) count(size uint64) int {
	n := d.number()
	if d.bad || n > uint64(len(d.b))/size {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) errno() *uint {
	if !d.bool() {
		return nil
	}
	n := uint(d.number())
	return &n
}

func decodeStrings[S ~string](d *decoder) []S {
	n := d.count(8)
	if n == 0 {
		return nil
	}
	list := make([]S, n)
	for i := range list {
		list[i] = S(d.string())
	}
	return list
}

// decodeProfile is the other end of appendProfile.
func decodeProfile(b []byte) (*specs.LinuxSeccomp, error) {
	d := decoder{b: b}
	p := &specs.LinuxSeccomp{
		DefaultAction:   specs.LinuxSeccompAction(d.string()),
		DefaultErrnoRet: d.errno(),
		Architectures:   decodeStrings[specs.Arch](&d),
	}
	present := d.bool()
	p.Flags = decodeStrings[specs.LinuxSeccompFlag](&d)
	if present && p.Flags == nil {
		p.Flags = []specs.LinuxSeccompFlag{}
	}
	for n := d.count(8 + 8 + 1 + 8); n > 0 && !d.bad; n-- {
		p.Syscalls = append(p.Syscalls, d.syscall())
	}
	if d.bad || len(d.b) != 0 {
		return nil, errEncoding
	}
	return p, nil
}

func (d *decoder) syscall() specs.LinuxSyscall {
	s := specs.LinuxSyscall{
		Names:    decodeStrings[string](d),
		Action:   specs.LinuxSeccompAction(d.string()),
		ErrnoRet: d.errno(),
	}
	for n := d.count(4 * 8); n > 0 && !d.bad; n-- {
		s.Args = append(s.Args, specs.LinuxSeccompArg{
			Index: uint(d.number()), Value: d.number(), ValueTwo: d.number(),
			Op: specs.LinuxSeccompOperator(d.string()),
		})
	}
	return s
}

// decodeFilter is the other end of appendFilter.
func decodeFilter(b []byte) (*Filter, []Warning, error) {
	d := decoder{b: b}
	f := &Filter{Flags: d.number(), Notify: d.bool()}
	var warnings []Warning
	for n := d.count(8 + 8 + 1); n > 0 && !d.bad; n-- {
		warnings = append(warnings, Warning{Field: d.string(), Text: d.string(), Debug: d.bool()})
	}
	f.Program = d.take(d.number())
	if d.bad || len(d.b) != 0 || len(f.Program) == 0 || len(f.Program)%instructionSize != 0 {
		return nil, nil, errEncoding
	}
	return f, warnings, nil
}
