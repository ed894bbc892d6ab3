package seccomp

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// childMark makes this test binary the process that tries a filter out.
const childMark = "SECCOMP_TEST_CHILD"

func TestMain(m *testing.M) {
	if words := os.Getenv(childMark); words != "" {
		os.Exit(child(strings.Fields(words)))
	}
	os.Exit(m.Run())
}

// child reads a filter, loads it into one thread, makes the system call there
// and prints what came of it. words are the number and the arguments.
func child(words []string) int {
	b, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	filter, _, err := decodeFilter(b)
	if err != nil {
		panic(err)
	}
	var nr uintptr
	var args [6]uintptr
	for i, w := range words {
		v, err := strconv.ParseUint(w, 0, 64)
		if err != nil {
			panic(err)
		}
		if i == 0 {
			nr = uintptr(v)
			continue
		}
		args[i-1] = uintptr(v)
	}
	thread, listener, result := make(chan int), make(chan int, 1), make(chan string, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with it
		thread <- unix.Gettid()
		listener <- install(filter)
		r, _, errno := unix.RawSyscall6(nr, args[0], args[1], args[2], args[3], args[4], args[5])
		result <- fmt.Sprintf("%d %d", int(r), int(errno))
	}()
	tid := <-thread
	fd := <-listener
	if filter.Notify {
		answerNotification(fd, 4711)
	}
	fmt.Println(ending(tid, result))
	return 0
}

// ending waits for the call's result or for the thread's death.
func ending(tid int, result chan string) string {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		select {
		case r := <-result:
			return r
		case <-time.After(5 * time.Millisecond): // a dying thread says nothing
		}
		if dead(tid) {
			return "thread killed"
		}
	}
	return "no result"
}

// dead reports whether a thread of this process has ended. The first one stays
// as a zombie until the others end too.
func dead(tid int) bool {
	b, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(tid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

func install(f *Filter) int {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	fprog := unix.SockFprog{Len: uint16(f.Instructions()), Filter: (*unix.SockFilter)(unsafe.Pointer(&f.Program[0]))}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(f.Flags), uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		panic("seccomp: " + errno.Error())
	}
	return int(fd)
}

// notification is struct seccomp_notif, response struct seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	data       [64]byte
}

type response struct {
	id, value uint64
	errno     int32
	flags     uint32
}

// answerNotification lets the first call that asks return value.
func answerNotification(listener int, value uint64) {
	const receive, send = 0xc0502100, 0xc0182101 // SECCOMP_IOCTL_NOTIF_RECV, _SEND
	var n notification
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), receive, uintptr(unsafe.Pointer(&n))); errno != 0 {
		panic("receive: " + errno.Error())
	}
	r := response{id: n.id, value: value}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), send, uintptr(unsafe.Pointer(&r))); errno != 0 {
		panic("send: " + errno.Error())
	}
}

// try makes a call under the filter in a process of its own and describes the
// result: "value errno", "thread killed" or how the process ended.
func try(t *testing.T, f *Filter, nr uint64, args ...uint64) string {
	t.Helper()
	words := []string{strconv.FormatUint(nr, 10)}
	for _, a := range args {
		words = append(words, strconv.FormatUint(a, 10))
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = []string{childMark + "=" + strings.Join(words, " ")}
	cmd.Stdin = strings.NewReader(string(appendFilter(nil, f, nil)))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case err == nil:
		return strings.TrimSpace(string(out))
	case strings.HasPrefix(stderr.String(), "SIGSYS"): // what Go says to the signal
		return "trapped"
	case cmd.ProcessState == nil || stderr.Len() > 0:
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return err.Error()
}

// getpriority(PRIO_PROCESS, 0) needs nothing and has a result that is not 0: 20,
// less the nice value of whoever runs the tests.
const harmless = unix.SYS_GETPRIORITY

// unharmed is what it answers when no filter does.
func unharmed() string {
	priority, _, _ := unix.RawSyscall(unix.SYS_GETPRIORITY, 0, 0, 0)
	return strconv.Itoa(int(priority)) + " 0"
}

func TestKernelActions(t *testing.T) {
	cases := []struct {
		action specs.LinuxSeccompAction
		errno  *uint
		want   string
	}{
		{specs.ActAllow, nil, unharmed()},
		{specs.ActLog, nil, unharmed()},
		{specs.ActErrno, nil, "-1 1"},
		{specs.ActErrno, number(0), "0 0"},
		{specs.ActErrno, number(maxErrno), "-1 4094"},
		{specs.ActTrace, nil, fmt.Sprintf("-1 %d", unix.ENOSYS)}, // nobody traces
		{specs.ActTrap, nil, "trapped"},
		{specs.ActNotify, nil, "4711 0"},
		{specs.ActKill, nil, "thread killed"},
		{specs.ActKillThread, nil, "thread killed"},
		{specs.ActKillProcess, nil, "signal: bad system call"},
	}
	for _, c := range cases {
		t.Run(string(c.action), func(t *testing.T) {
			p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: "/run/agent.sock",
				Syscalls: []specs.LinuxSyscall{{Names: []string{"getpriority"}, Action: c.action, ErrnoRet: c.errno}}}
			f, _ := mustCompile(t, p)
			if got := try(t, f, harmless); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestKernelOperators(t *testing.T) {
	cases := []struct {
		op              specs.LinuxSeccompOperator
		value, valueTwo uint64
		matching, other uint64
	}{
		{specs.OpEqualTo, 1<<32 | 5, 0, 1<<32 | 5, 5},
		{specs.OpNotEqual, 1<<32 | 5, 0, 5, 1<<32 | 5},
		{specs.OpLessThan, 1<<32 | 5, 0, 1<<32 | 4, 1<<32 | 5},
		{specs.OpLessEqual, 1<<32 | 5, 0, 1<<32 | 5, 1<<32 | 6},
		{specs.OpGreaterThan, 1<<32 | 5, 0, 1<<32 | 6, 1<<32 | 5},
		{specs.OpGreaterEqual, 1<<32 | 5, 0, 1<<32 | 5, 1<<32 | 4},
		{specs.OpMaskedEqual, 0xf0, 0x50, 0xf5f, 0x4f},
	}
	for _, c := range cases {
		t.Run(string(c.op), func(t *testing.T) {
			p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
				Names: []string{"getpriority"}, Action: specs.ActErrno, ErrnoRet: number(77),
				Args: []specs.LinuxSeccompArg{{Index: 4, Op: c.op, Value: c.value, ValueTwo: c.valueTwo}}}}} // the call has two arguments: the fifth is free
			f, _ := mustCompile(t, p)
			if got := try(t, f, harmless, 0, 0, 0, 0, c.matching); got != "-1 77" {
				t.Errorf("matching %#x: %q", c.matching, got)
			}
			if got := try(t, f, harmless, 0, 0, 0, 0, c.other); got != unharmed() {
				t.Errorf("other %#x: %q", c.other, got)
			}
		})
	}
}

func TestKernelFlags(t *testing.T) {
	notify := []specs.LinuxSyscall{{Names: []string{"getpriority"}, Action: specs.ActNotify}}
	for _, name := range SupportedFlags() {
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(name)},
			ListenerPath: "/run/agent.sock", Syscalls: notify}
		f, _ := mustCompile(t, p)
		if got := try(t, f, harmless); got != "4711 0" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A filter with TSYNC covers threads that were there before.
func TestKernelTsync(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{flagTsync},
		Syscalls: []specs.LinuxSyscall{{Names: []string{"getpriority"}, Action: specs.ActErrno, ErrnoRet: number(77)}}}
	f, _ := mustCompile(t, p)
	if got := try(t, f, harmless); got != "-1 77" {
		t.Errorf("%q", got)
	}
}

func TestKernelTakesDockersProfile(t *testing.T) {
	f, _ := mustCompile(t, dockerProfile(t))
	cases := []struct {
		name string
		nr   uint64
		args []uint64
		want string
	}{
		{"allowed", harmless, nil, unharmed()},
		{"denied", unix.SYS_UNSHARE, []uint64{0}, "-1 1"},
		{"denied by its argument", unix.SYS_PERSONALITY, []uint64{0x0040000}, "-1 1"},
		{"allowed by its argument", unix.SYS_PERSONALITY, []uint64{0xffffffff}, "0 0"},
		{"clone3", unix.SYS_CLONE3, nil, "-1 38"},
		{"unknown call", 9999, nil, "-1 38"},
		{"no call", 0xffffffff, nil, "-1 38"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := try(t, f, c.nr, c.args...); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSupportedFlagsAreKnown(t *testing.T) {
	known := " " + strings.Join(KnownFlags(), " ") + " "
	supported := SupportedFlags()
	for _, name := range supported {
		if !strings.Contains(known, " "+name+" ") {
			t.Errorf("%s is not known", name)
		}
	}
	if len(supported) < 3 { // all but WAIT_KILLABLE_RECV are in every kernel since 4.17
		t.Errorf("only %v", supported)
	}
}
