package nsenter

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Where says which op a stage that does not go on is in, for words of
// explanation only: "mounts[3]: fsconfig". Empty if the kernel does not tell.
func (s *Stage) Where() string { return s.program.Where(s.Pid) }

// Where is Stage.Where for a stage of another process. It compares the call that
// process pid is in (/proc/PID/syscall: number and arguments) with the recorded
// ones; those that look alike are named by what they have in common.
func (p *Program) Where(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/syscall")
	if err != nil {
		return ""
	}
	var nr uint32
	var args [6]uint64
	n, _ := fmt.Sscanf(string(text), "%d 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x", &nr, &args[0], &args[1], &args[2], &args[3], &args[4], &args[5])
	if n != 7 {
		return "" // "running", or in no call
	}
	return p.where(nr, args)
}

func (p *Program) where(nr uint32, args [6]uint64) string {
	fields, found := []string(nil), false
	for i := range p.ops {
		if !p.ops[i].matches(nr, args) {
			continue
		}
		found = true
		if f := p.notes[i].field; len(fields) == 0 || fields[len(fields)-1] != f {
			fields = append(fields, f)
		}
	}
	name := signatureOf(nr).name
	if !found || len(fields) > 3 {
		return name
	}
	if s := strings.Join(fields, " or "); s != "" {
		return s + ": " + name
	}
	return name
}

// matches reports whether the op may be the call with these arguments: those
// that are held in words are not known.
func (o *op) matches(nr uint32, args [6]uint64) bool {
	if o.kind != kindCall || o.nr != nr {
		return false
	}
	for i, kind := range signatureOf(nr).args {
		if o.words&(1<<i) == 0 && o.args[i] != args[i] && !(kind == 'f' && int32(o.args[i]) == int32(args[i])) {
			return false
		}
	}
	return true
}
