package nsenter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The replay loop is checked against an interpreter that is written from the
// layout in program.go alone: it reads the bytes of the image, as the stage
// does, and shares no code with what wrote them. Both run random programs.
//
// The only calls in these are umask(2), whose results differ, and probe: a
// number that no system call has, which a seccomp filter in the stage answers
// with an errno made of all six arguments.

const probe = 1000

// probeResult is what the filter of probeFilter answers, as in a register.
func probeResult(args [6]uint64) uint64 {
	errno := uint32(0)
	for i, a := range args {
		errno += uint32(a) * uint32(2*i+1)
	}
	return -uint64(errno & 0xfff)
}

// probeFilter returns the filter, as an array of struct sock_filter.
func probeFilter() []byte {
	const (
		load     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		multiply = unix.BPF_ALU | unix.BPF_MUL | unix.BPF_K
		store    = unix.BPF_ST
		toX      = unix.BPF_LDX | unix.BPF_MEM
		addX     = unix.BPF_ALU | unix.BPF_ADD | unix.BPF_X
		and      = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		or       = unix.BPF_ALU | unix.BPF_OR | unix.BPF_K
		equal    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		give     = unix.BPF_RET | unix.BPF_K
		giveA    = unix.BPF_RET | unix.BPF_A
		immA     = unix.BPF_LD | unix.BPF_IMM
		argsAt   = 16 // in struct seccomp_data
	)
	list := []unix.SockFilter{
		{Code: load}, {Code: equal, K: probe, Jt: 1}, {Code: give, K: unix.SECCOMP_RET_ALLOW},
		{Code: immA}, {Code: store},
	}
	for i := range uint32(6) {
		list = append(list, unix.SockFilter{Code: load, K: argsAt + 8*i}, unix.SockFilter{Code: multiply, K: 2*i + 1},
			unix.SockFilter{Code: toX}, unix.SockFilter{Code: addX}, unix.SockFilter{Code: store})
	}
	list = append(list, unix.SockFilter{Code: and, K: 0xfff}, unix.SockFilter{Code: or, K: unix.SECCOMP_RET_ERRNO}, unix.SockFilter{Code: giveA})
	var b bytes.Buffer
	_ = binary.Write(&b, binary.NativeEndian, list)
	return b.Bytes()
}

// interpreter is the reference.
type interpreter struct {
	ops, arena []byte
	umask      uint64
	printed    []byte
}

// newInterpreter loads an image.
func newInterpreter(image []byte) *interpreter {
	number := func(at int) int { return int(binary.LittleEndian.Uint64(image[at:])) }
	const second, third, offset, size = 64 + 56, 64 + 2*56, 8, 32
	segment := func(header int) []byte {
		from := number(header + offset)
		return bytes.Clone(image[from : from+number(header+size)])
	}
	return &interpreter{ops: segment(second), arena: segment(third)}
}

func (m *interpreter) word(address uint64) []byte { return m.arena[address-0x12000000:] }
func (m *interpreter) load(address uint64) uint64 {
	return binary.LittleEndian.Uint64(m.word(address))
}
func (m *interpreter) store(address, value uint64) {
	binary.LittleEndian.PutUint64(m.word(address), value)
}

// run interprets all of it. It returns the exit code, or where it has stopped.
func (m *interpreter) run(t *testing.T) (exit int, fault *Fault) {
	for at := uint64(0); ; {
		op := m.ops[at : at+72]
		field := func(i int) uint64 { return binary.LittleEndian.Uint64(op[16+8*i:]) }
		skip := uint64(binary.LittleEndian.Uint32(op[12:]))
		failed, errno := false, uint64(0)
		switch op[0] {
		case 0:
			var args [6]uint64
			for i := range args {
				if args[i] = field(i); op[1]>>i&1 == 1 {
					args[i] = m.load(args[i])
				}
			}
			nr := binary.LittleEndian.Uint32(op[8:])
			if nr == unix.SYS_EXIT_GROUP {
				return int(args[0]), nil
			}
			result := m.call(t, nr, args)
			m.store(field(6), result)
			if -result-1 < 4095 { // -4095 to -1 are errnos
				errno = -result
				listed := errno < 256 && bytes.IndexByte(op[2:8], byte(errno)) >= 0
				if failed = true; !listed {
					return 0, &Fault{opsBase + at, unix.Errno(errno)}
				}
			}
		case 1:
			failed = m.load(field(0))&field(1) != field(2)
			if failed && skip == 0 {
				return 0, &Fault{opsBase + at, 0}
			}
		case 2:
			m.store(field(1), m.load(field(0)))
		}
		if failed {
			at += skip
		} else {
			at += 72
		}
	}
}

// call is the model of the few system calls there are.
func (m *interpreter) call(t *testing.T, nr uint32, args [6]uint64) uint64 {
	switch nr {
	case probe:
		return probeResult(args)
	case unix.SYS_UMASK:
		old := m.umask
		m.umask = args[0] & 0o777
		return old
	case unix.SYS_WRITE:
		m.printed = append(m.printed, m.word(args[1])[:args[2]]...)
		return args[2]
	case unix.SYS_PRCTL, unix.SYS_SECCOMP:
		return 0
	}
	t.Fatalf("no model of system call %d", nr)
	return 0
}

// generator makes a program of bytes.
type generator struct {
	p     *Program
	data  []byte
	words []Word
	left  int // ops that may still be made
}

func (g *generator) byte() int {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return int(b)
}

func (g *generator) pick() Word { return g.words[g.byte()%len(g.words)] }

// value is small, so that comparisons and listed errnos often meet it.
func (g *generator) value() uint64 { return uint64(g.byte()%8) + uint64(g.byte()%4)<<8 }

func (g *generator) block(depth int) func() {
	if depth == 0 || g.byte()%3 == 0 {
		return nil
	}
	n := g.byte() % 4
	return func() { g.ops(n, depth-1) }
}

func (g *generator) ops(n, depth int) {
	for ; n > 0 && g.left > 0 && len(g.data) > 0; n-- {
		g.left--
		g.op(depth)
	}
}

func (g *generator) op(depth int) {
	p := g.p
	switch g.byte() % 8 {
	case 0:
		p.Store(g.pick(), g.pick())
	case 1:
		p.When(g.pick(), g.value(), g.value(), g.block(depth), g.block(depth))
	case 2:
		p.Require(g.pick(), g.value(), g.value()&1, "required")
	case 3:
		p.Put(g.pick(), g.value())
	case 4:
		g.words = append(g.words, p.Umask(uint32(g.byte())))
	case 5:
		p.Into(fromWord(g.pick()))
		p.Umask(uint32(g.byte()))
	default:
		g.probe(depth)
	}
}

func (g *generator) probe(depth int) {
	var args []FD
	for range g.byte() % 7 {
		if g.byte()%2 == 0 {
			args = append(args, Value(g.value()))
		} else {
			args = append(args, fromWord(g.pick()))
		}
	}
	result := g.p.Call(probe, args...)
	g.words = append(g.words, Word(result.value))
	var errnos []unix.Errno
	for range g.byte() % 7 {
		errnos = append(errnos, unix.Errno(1+g.byte()%255))
	}
	if len(errnos) > 0 {
		g.p.Branch(g.block(depth), g.block(depth), errnos...)
	}
}

// generate records the program that data stands for.
func generate(data []byte) *Program {
	p := New(0)
	g := &generator{p: p, data: data, left: 200}
	p.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1)
	p.Seccomp(probeFilter(), 0)
	p.Umask(0)
	for range 8 {
		g.words = append(g.words, p.Word())
	}
	g.ops(200, 4)
	p.do(unix.SYS_WRITE, Number(1), imm(g.words[0]), imm(8*len(g.words)))
	p.Exit(7)
	return p
}

// FuzzProgram compares what the stage has done in the end with the reference.
func FuzzProgram(f *testing.F) {
	f.Add([]byte{6, 1, 0, 1, 1, 0, 4, 2, 1, 1, 0, 1, 2, 2, 0, 1})
	// An errno of more than eight bits once looked like one that is not listed.
	f.Add([]byte{6, 1, 0, 0, 2, 0})
	f.Add([]byte{6, 1, 0, 4, 1, 1, 4, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		p := generate(data)
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		image := imageOf(t, p)
		m := newInterpreter(image)
		exit, fault := m.run(t)

		s, out := run(t, p, 0)
		_, err := s.Next(10 * time.Second)
		switch {
		case errors.Is(err, ErrTimeout):
			_ = unix.PidfdSendSignal(s.PidFD, unix.SIGKILL, nil, 0)
			t.Errorf("the stage goes on for ever; the reference ends with %d, %v", exit, fault)
		case fault != nil:
			if s.fault == nil || *s.fault != *fault {
				t.Errorf("fault %+v, the reference has %+v", s.fault, fault)
			}
		case err != io.EOF:
			t.Errorf("the stage reports %v, the reference ends with %d", err, exit)
		}
		s.Close() // a stage that has stopped waits for that
		s.status, s.PidFD = -1, -1
		printed, _ := io.ReadAll(out)
		if status := wait(t, s); fault == nil && status.ExitStatus() != exit {
			t.Errorf("exit status %d, the reference has %d", status.ExitStatus(), exit)
		}
		if !bytes.Equal(printed, m.printed) {
			t.Errorf("words %x, the reference has %x", printed, m.printed)
		}
	})
}

// imageOf is the image of p, as Start would write it.
func imageOf(t *testing.T, p *Program) []byte {
	t.Helper()
	p.Exit(127) // as Start does
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := p.write(fd); err != nil {
		t.Fatal(err)
	}
	image := make([]byte, 1<<20)
	n, err := unix.Pread(fd, image, 0)
	if err != nil {
		t.Fatal(err)
	}
	return image[:n]
}

// FuzzReadImage: the image is read from /proc/PID/exe, which may be a program of
// the container's by then.
func FuzzReadImage(f *testing.F) {
	f.Add(uint64(opSize), uint64(wordArea), []byte("\x01mounts[3]\x00is not there\x00\x00"), 0, byte(0))
	// Sums that overflow once led out of the file.
	f.Add(^uint64(0)-63, uint64(wordArea), []byte{}, 0, byte(0))
	f.Add(uint64(opSize), ^uint64(0)-8191, []byte{}, 0, byte(0))
	f.Add(uint64(opSize), uint64(0), []byte{}, 0, byte(0))
	f.Fuzz(func(t *testing.T, ops, arena uint64, tail []byte, at int, b byte) {
		image := append(imageOf(t, branching()), tail...)
		if at >= 0 && at < len(image) {
			image[at] ^= b
		}
		binary.LittleEndian.PutUint64(image[headerSize+phdrSize+32:], ops)
		binary.LittleEndian.PutUint64(image[headerSize+2*phdrSize+32:], arena)
		p, err := decodeImage(image)
		if err != nil {
			return
		}
		for i := range p.ops {
			_ = p.Explain(&Fault{opsBase + uint64(i)*opSize, unix.ENOENT})
		}
	})
}
