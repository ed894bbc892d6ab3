package nsenter

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// processArg words the arguments of calls that change the process.
func (l *lister) processArg(o *op, v uint64, kind rune) string {
	switch {
	case kind == 'P':
		return prctlName(v)
	case kind == 'C':
		return l.capabilities(v)
	case kind == 'G':
		return l.ids(v, int(o.args[0]))
	case kind == 'S':
		return l.schedAttr(v)
	case kind == 'W' && v != 0:
		return l.mask(v, o)
	case v >= arenaBase && v < arenaBase+uint64(len(l.arena)):
		return "&data" // the address depends on all that was recorded before
	}
	return fmt.Sprintf("%#x", v)
}

func prctlName(option uint64) string {
	switch option {
	case unix.PR_SET_NAME:
		return "PR_SET_NAME"
	case unix.PR_SET_DUMPABLE:
		return "PR_SET_DUMPABLE"
	case unix.PR_SET_KEEPCAPS:
		return "PR_SET_KEEPCAPS"
	case unix.PR_SET_NO_NEW_PRIVS:
		return "PR_SET_NO_NEW_PRIVS"
	case unix.PR_SET_PDEATHSIG:
		return "PR_SET_PDEATHSIG"
	case unix.PR_CAPBSET_DROP:
		return "PR_CAPBSET_DROP"
	case unix.PR_CAP_AMBIENT:
		return "PR_CAP_AMBIENT"
	}
	return fmt.Sprint(option)
}

// half reads 32 bits.
func (l *lister) half(address uint64) uint32 {
	return uint32(quad(append(l.arena[address-arenaBase:][:4:4], 0, 0, 0, 0)))
}

// capabilities reads two struct __user_cap_data_struct.
func (l *lister) capabilities(at uint64) string {
	set := func(offset uint64) uint64 {
		return uint64(l.half(at+offset)) | uint64(l.half(at+offset+12))<<32
	}
	return fmt.Sprintf("{effective=%#x permitted=%#x inheritable=%#x}", set(0), set(4), set(8))
}

func (l *lister) ids(at uint64, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(l.half(at + 4*uint64(i)))
	}
	return "[" + strings.Join(list, " ") + "]"
}

// schedAttr reads a struct sched_attr.
func (l *lister) schedAttr(at uint64) string {
	return fmt.Sprintf("{policy=%d flags=%#x nice=%d priority=%d runtime=%d deadline=%d period=%d}",
		l.half(at+4), l.quad(at+8), int32(l.half(at+16)), l.half(at+20), l.quad(at+24), l.quad(at+32), l.quad(at+40))
}

// mask reads the words of a bit mask, the lowest first. Its length is the second
// argument in bytes, or the third in bits and one.
func (l *lister) mask(at uint64, o *op) string {
	words := int(o.args[1] / 8)
	if o.nr == unix.SYS_SET_MEMPOLICY {
		words = int(o.args[2] / 64)
	}
	list := make([]string, words)
	for i := range list {
		list[i] = fmt.Sprintf("%#x", l.quad(at+8*uint64(i)))
	}
	return "[" + strings.Join(list, " ") + "]"
}
