//go:build seccomp_helper

package seccomp

import (
	_ "embed" // of the program and its version
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
)

// helperProgram is ./helper, linked statically with libseccomp. Nothing of it
// is read into memory before it is needed. Both files are made before this
// package is built, from the root of the repository:
//
//	cd libcontainer/seccomp
//	CGO_ENABLED=1 go build -trimpath -tags netgo,osusergo \
//		-ldflags '-s -w -linkmode external -extldflags -static' -o embed/helper ./helper
//	{ pkg-config --modversion libseccomp; sha256sum < embed/helper; } > embed/helper.version
//
//go:embed embed/helper
var helperProgram string

// helperVersion is libseccomp's version and a hash of helperProgram, separated
// by white space. Hashing two megabytes at run time would take longer than the
// rest of a cache hit.
//
//go:embed embed/helper.version
var helperVersion string

// helperDeadline is for one compilation, which takes 20 ms on an idle machine.
const helperDeadline = 30 * time.Second

// Enabled reports whether this build can compile profiles.
func Enabled() bool { return true }

// Version is libseccomp's, "2.5.4", or "" without it.
func Version() string {
	version, _, _ := strings.Cut(helperVersion, "\n")
	return version
}

// engine names what compiles, for the cache key.
func engine() string { return helperVersion }

// compile has the helper translate a checked profile.
func compile(p *specs.LinuxSeccomp) (*Filter, []Warning, error) {
	reply, err := runHelper(appendProfile(nil, p))
	if err != nil {
		return nil, nil, &diag.Error{Field: field, Op: "seccomp helper", Err: err}
	}
	return decodeReply(reply)
}

// decodeReply is the other end of appendReply.
func decodeReply(reply []byte) (*Filter, []Warning, error) {
	d := decoder{b: reply}
	version, ok := d.string(), d.bool()
	if !d.bad && version != Version() {
		return nil, nil, &diag.Error{Field: field, Op: "seccomp helper", Path: version,
			Err: errors.New("is not the libseccomp this binary was built with"), Hint: Version() + "; rebuild embed/helper.version"}
	}
	if ok {
		return decodeFilter(d.b)
	}
	e := &diag.Error{Field: d.string(), Op: d.string(), Path: d.string(), Err: errors.New(d.string()), Hint: d.string()}
	if d.bad {
		return nil, nil, &diag.Error{Field: field, Op: "seccomp helper", Err: errEncoding}
	}
	return nil, nil, e
}

// runHelper runs the program with request on its standard input, and returns
// what it wrote. All three of its files are memory: neither side can block the
// other, and no goroutine is needed to copy.
func runHelper(request []byte) ([]byte, error) {
	var files [3]*os.File
	for i := range files {
		file, err := memory()
		if err != nil {
			return nil, err
		}
		defer file.Close()
		files[i] = file
	}
	if _, err := files[0].WriteAt(request, 0); err != nil {
		return nil, err
	}
	program, err := sys.NewExecutable("runtime:seccomp", helperProgram)
	if err != nil {
		return nil, &diag.Error{Op: "make the helper's file", Err: err}
	}
	defer program.Close()
	if err := execute(program.Path, files); err != nil {
		text, _ := io.ReadAll(io.NewSectionReader(files[2], 0, 4096)) // of a program that has failed already
		return nil, &diag.Error{Err: err, Hint: string(text)}
	}
	return io.ReadAll(io.NewSectionReader(files[1], 0, maxEntrySize))
}

// memory makes a file that exists only as this fd.
func memory() (*os.File, error) {
	const name = "seccomp-profile"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, &diag.Error{Op: "memfd_create", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// execute runs program to its end.
func execute(program string, files [3]*os.File) error {
	pidfd := -1
	pid, err := sys.ForkExec(program, []string{"runtime:seccomp"}, &syscall.ProcAttr{
		// One processor: it has one thing to do, and fewer threads start sooner.
		Env:   []string{"GOMAXPROCS=1", "GOGC=off"},
		Files: []uintptr{files[0].Fd(), files[1].Fd(), files[2].Fd()},
		Sys:   &syscall.SysProcAttr{PidFD: &pidfd},
	})
	if err != nil {
		return &diag.Error{Op: "execve", Path: program, Err: err}
	}
	var late error
	if pidfd >= 0 {
		defer unix.Close(pidfd)
		late = waitReadable(pidfd, helperDeadline)
	}
	if late != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // a child not waited for: the pid is still its own
	}
	var status unix.WaitStatus
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(pid, &status, 0, nil)
	}
	switch {
	case late != nil:
		return late
	case err != nil:
		return &diag.Error{Op: "wait4", Err: err}
	case status.Signaled():
		return errors.New("was killed by " + unix.SignalName(status.Signal()))
	case status.ExitStatus() != 0:
		return errors.New("exited with " + strconv.Itoa(status.ExitStatus()))
	}
	return nil
}

// waitReadable waits for a pidfd to say that its process has ended.
func waitReadable(pidfd int, limit time.Duration) error {
	end := time.Now().Add(limit)
	for {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(max(0, time.Until(end)).Milliseconds()))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return &diag.Error{Op: "poll", Path: "pidfd", Err: err}
		case n == 0:
			return errors.New("gave no answer within " + limit.String())
		default:
			return nil
		}
	}
}
