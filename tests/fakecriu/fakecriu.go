// Package fakecriu is a criu that fails, waits or tells what it was asked, at the
// wish of a test, on any kernel. The test binary becomes it when it is called by
// the name criu. What CRIU really does, the tests that need it show.
package fakecriu

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// Environment of the fake: what it does, and the directory of its files.
const (
	modeEnv = "FAKE_CRIU_MODE"
	dirEnv  = "FAKE_CRIU_DIR"
)

// Mode is what the fake does.
type Mode string

// The modes.
const (
	Old       Mode = "old"       // is of version 2.12
	Silent    Mode = "silent"    // answers nothing
	Untracked Mode = "untracked" // cannot track memory, nor deliver it late
	Obeys     Mode = "obeys"     // succeeds without doing anything
	Killed    Mode = "killed"    // is killed after it has frozen the cgroup
	Waits     Mode = "waits"     // makes the file "asked", and waits for "go" before it would kill
)

// Files that the fake leaves in its directory.
const (
	Request = "request" // the last request, as text
	Asked   = "asked"   // Waits: a request has come
	Go      = "go"      // Waits: made by the test
	Refused = "refused" // a notification was not accepted
)

// Environment has the fake found as criu by whoever is started with it.
func Environment(t testing.TB, dir string, mode Mode) []string {
	t.Helper()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "criu"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), modeEnv+"="+string(mode), dirEnv+"="+dir)
}

// Main is the fake, and returns when the program was not called as criu.
func Main() {
	if filepath.Base(os.Args[0]) != "criu" || os.Getenv(modeEnv) == "" {
		return
	}
	if len(os.Args) != 3 || os.Args[1] != "swrk" {
		fail(fmt.Errorf("arguments %q", os.Args))
	}
	socket, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fail(err)
	}
	f := fake{socket, Mode(os.Getenv(modeEnv)), os.Getenv(dirEnv)}
	for f.serve(f.receive()) {
	}
	os.Exit(0)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "fake criu:", err)
	os.Exit(1)
}

type fake struct {
	socket int
	mode   Mode
	dir    string
}

func (f fake) path(name string) string { return filepath.Join(f.dir, name) }

func (f fake) write(name, text string) {
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		fail(err)
	}
}

func (f fake) receive() *rpc.CriuReq {
	buf := make([]byte, 64<<10)
	n, err := unix.Read(f.socket, buf)
	if err == nil && n == 0 {
		os.Exit(1) // hung up on
	}
	request := &rpc.CriuReq{}
	if err == nil {
		err = request.UnmarshalVT(buf[:n])
	}
	if err != nil {
		fail(err)
	}
	return request
}

func (f fake) send(answer *rpc.CriuResp) {
	data, err := answer.MarshalVT()
	if err == nil {
		_, err = unix.Write(f.socket, data)
	}
	if err != nil {
		fail(err)
	}
}

// notify sends a notification, and reports whether it was accepted.
func (f fake) notify(script string) bool {
	f.send(&rpc.CriuResp{Type: rpc.CriuReqType_NOTIFY.Enum(), Success: ptr(true), Notify: &rpc.CriuNotify{Script: ptr(script)}})
	return f.receive().GetNotifySuccess()
}

// serve answers a request, and reports whether there may be another.
func (f fake) serve(request *rpc.CriuReq) bool {
	switch {
	case f.mode == Silent:
		time.Sleep(time.Hour)
	case request.GetType() == rpc.CriuReqType_VERSION:
		v := &rpc.CriuVersion{MajorNumber: ptr[int32](4), MinorNumber: ptr[int32](1)}
		if f.mode == Old {
			v = &rpc.CriuVersion{MajorNumber: ptr[int32](2), MinorNumber: ptr[int32](12)}
		}
		f.send(&rpc.CriuResp{Type: request.Type, Success: ptr(true), Version: v})
	case request.GetType() == rpc.CriuReqType_FEATURE_CHECK:
		has := f.mode != Untracked
		f.send(&rpc.CriuResp{Type: request.Type, Success: ptr(true), Features: &rpc.CriuFeatures{MemTrack: ptr(has), LazyPages: ptr(has)}})
	default:
		f.write(Request, request.String())
		f.dump(request)
		return false
	}
	return true
}

func (f fake) dump(request *rpc.CriuReq) {
	switch f.mode {
	case Killed:
		f.freeze(request.GetOpts().GetFreezeCgroup())
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	case Waits:
		f.write(Asked, "")
		for {
			if _, err := os.Stat(f.path(Go)); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	accepted := f.notify("post-dump")
	if !accepted {
		f.write(Refused, "")
	}
	f.send(&rpc.CriuResp{Type: request.Type, Success: ptr(accepted)})
}

// freeze does it as criu does, and waits until it is done.
func (f fake) freeze(dir string) {
	file, value, state, done := dir+"/freezer.state", "FROZEN", dir+"/freezer.state", "FROZEN"
	if _, err := os.Stat(file); err != nil {
		file, value, state, done = dir+"/cgroup.freeze", "1", dir+"/cgroup.events", "frozen 1"
	}
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		fail(err)
	}
	for {
		if text, err := os.ReadFile(state); err != nil || strings.Contains(string(text), done) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func ptr[T any](v T) *T { return &v }
