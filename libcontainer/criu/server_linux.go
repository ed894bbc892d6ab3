package criu

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// Server is a `criu swrk`, a child of ours that serves one request and ends.
//
//	us                                  criu
//	VERSION, keep open  ──────────────>
//	         <──────────────────────── version
//	FEATURE_CHECK, keep open  ────────>  where the request needs one
//	         <──────────────────────── features
//	DUMP, PRE_DUMP or RESTORE  ───────>
//	         <──────────────────────── NOTIFY "setup-namespaces" ...   (files)
//	NOTIFY, success or not  ──────────>
//	         <──────────────────────── the same type, success or not
//
// Each is one packet. When we hang up, criu's next notification fails, and it
// puts everything back as it was: so a dump is called off, by refusing one or by
// being killed, without harm to the processes.
type Server struct {
	Version Version
	Stage   *nsenter.Stage // the process; see Restored

	path   string
	socket int
	output int // what it says before it has a log
	files  []int
	ended  bool
}

// firstFile is the number that a Server's socket has in criu. The files to
// inherit follow, out of the way of stdio.
const firstFile = 20

// New finds criu. Close the Server.
func New() (*Server, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	output, err := unix.MemfdCreate("criu", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, &diag.Error{Op: "memfd_create", Err: err}
	}
	return &Server{path: path, output: output, socket: -1}, nil
}

// Keep makes fd, one of ours, an open file of criu's.
func (s *Server) Keep(fd int) { s.files = append(s.files, fd) }

// number is that of a kept file in criu.
func (s *Server) number(fd int) int {
	for i, kept := range s.files {
		if kept == fd {
			return firstFile + 1 + i
		}
	}
	panic("bug: a file that criu does not have")
}

// Start has the stage of p become criu, after what p holds already, and asks for
// its version. attend answers the reports of p, if it makes any. criu's standard
// input is ours, where it looks for the terminal of a shell job.
func (s *Server) Start(p *nsenter.Program, o nsenter.Options, attend func(*nsenter.Stage) error, timeout time.Duration) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return &diag.Error{Op: "socketpair", Err: err}
	}
	s.socket = pair[0]
	s.record(p, pair[1])
	o.Stdio = [3]int{0, s.output, s.output}
	s.Stage, err = p.Start(o)
	unix.Close(pair[1])
	if err != nil {
		return err
	}
	if attend != nil {
		err = attend(s.Stage)
	}
	if err == nil {
		err = s.arrive(timeout)
	}
	if err == nil {
		err = s.askVersion(timeout)
	}
	return err
}

// record has the stage of p become criu.
func (s *Server) record(p *nsenter.Program, socket int) {
	p.At("criu")
	for i, fd := range append([]int{socket}, s.files...) {
		p.Dup3(p.Inherit(fd, "criu"), nsenter.Number(firstFile+i), 0)
	}
	p.CloseOnExec(p.Status())
	args := []string{"criu", "swrk", fmt.Sprint(firstFile)}
	p.Execve(p.FindProgram([]string{s.path}, "", args, environment()))
}

// arrive waits until the stage has become criu.
func (s *Server) arrive(timeout time.Duration) error {
	switch _, err := s.Stage.Next(timeout); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("bug: unknown report of the stage")
	default:
		return err
	}
}

func (s *Server) askVersion(timeout time.Duration) error {
	answer, err := s.ask(&rpc.CriuReq{Type: rpc.CriuReqType_VERSION.Enum(), KeepOpen: ptr(true)}, timeout)
	if err != nil {
		return err
	}
	v := answer.GetVersion()
	s.Version = Version(v.GetMajorNumber()*10000 + v.GetMinorNumber()*100 + v.GetSublevel())
	if v.GetGitid() != "" { // a development version is on its way to the next
		s.Version = Version(v.GetMajorNumber()*10000 + (v.GetMinorNumber()+1)*100)
	}
	return s.Need(oldest, "the runtime")
}

// NeedFeatures is an error if CRIU or the kernel cannot do what o asks for. What
// criu cannot find out here, it will say why when it gets the request.
func (s *Server) NeedFeatures(o *Options, timeout time.Duration) error {
	track, lazy := o.PreDump || o.Parent != "", o.LazyPages
	if !track && !lazy {
		return nil
	}
	answer, err := s.ask(&rpc.CriuReq{Type: rpc.CriuReqType_FEATURE_CHECK.Enum(), KeepOpen: ptr(true),
		Features: &rpc.CriuFeatures{MemTrack: ptr(track), LazyPages: ptr(lazy)}}, timeout)
	if err != nil || !answer.GetSuccess() {
		return err
	}
	lack := func(field, what string) error {
		return &diag.Error{Field: field, Err: errors.New("this kernel, or CRIU " + s.Version.String() + ", cannot " + what), Code: "criu-unsupported"}
	}
	switch has := answer.GetFeatures(); {
	case track && !has.GetMemTrack():
		return lack("--pre-dump, --parent-path", "tell which memory has changed (no soft-dirty bits)")
	case lazy && !has.GetLazyPages():
		return lack("--lazy-pages", "deliver memory late (no userfaultfd events)")
	}
	return nil
}

// Handler serves a notification of criu; its error makes the request fail. pid
// is that of the root process where criu tells it, and 0 elsewhere; files are
// the handler's to close.
type Handler func(script string, pid int, files []int) error

// Do carries out a request to its end, and waits for that of criu. It takes as
// long as there is memory to copy; what criu itself waits for, it bounds. An
// error names the log, of which path is the name.
func (s *Server) Do(request *rpc.CriuReq, handle Handler, path string) (*rpc.CriuResp, error) {
	answer, cause, err := s.converse(request, handle)
	status := s.end()
	switch {
	case cause != nil:
		return nil, cause
	case err != nil:
		return nil, s.failure(request, nil, status, path)
	case !answer.GetSuccess():
		return nil, s.failure(request, answer, status, path)
	}
	return answer, nil
}

// converse returns criu's last answer; cause is what made us refuse a
// notification.
func (s *Server) converse(request *rpc.CriuReq, handle Handler) (answer *rpc.CriuResp, cause, err error) {
	if err := s.send(request); err != nil {
		return nil, nil, err
	}
	for {
		answer, files, err := s.receive(-1)
		if err != nil || answer.GetType() != rpc.CriuReqType_NOTIFY {
			closeAll(files)
			return answer, cause, err
		}
		note := answer.GetNotify()
		failed := handle(note.GetScript(), int(note.GetPid()), files)
		if cause == nil {
			cause = failed
		}
		reply := &rpc.CriuReq{Type: rpc.CriuReqType_NOTIFY.Enum(), NotifySuccess: ptr(failed == nil)}
		if err := s.send(reply); err != nil {
			return nil, cause, err
		}
	}
}

// ask sends a request that has one answer.
func (s *Server) ask(request *rpc.CriuReq, timeout time.Duration) (*rpc.CriuResp, error) {
	err := s.send(request)
	var answer *rpc.CriuResp
	if err == nil {
		var files []int
		answer, files, err = s.receive(int(timeout.Milliseconds()))
		closeAll(files)
	}
	if err != nil {
		return nil, &diag.Error{Op: "ask", Path: s.path, Err: err, Hint: s.said(), Code: "criu-silent"}
	}
	return answer, nil
}

func (s *Server) send(request *rpc.CriuReq) error {
	data, err := request.MarshalVT()
	if err != nil {
		return err
	}
	_, err = unix.SendmsgN(s.socket, data, nil, nil, unix.MSG_NOSIGNAL)
	return err
}

// receive waits for a message. The end of criu hangs up the socket.
func (s *Server) receive(timeoutMS int) (*rpc.CriuResp, []int, error) {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(s.socket), Events: unix.POLLIN}}, timeoutMS)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if n == 0 {
			return nil, nil, errors.New("no answer")
		}
		break
	}
	data, control := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4*4))
	n, c, _, _, err := unix.Recvmsg(s.socket, data, control, unix.MSG_CMSG_CLOEXEC)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return nil, nil, err
	}
	var files []int
	if messages, err := unix.ParseSocketControlMessage(control[:c]); err == nil && len(messages) > 0 {
		files, _ = unix.ParseUnixRights(&messages[0]) // of another kind: no files
	}
	answer := &rpc.CriuResp{}
	return answer, files, answer.UnmarshalVT(data[:n])
}

func closeAll(files []int) {
	for _, fd := range files {
		unix.Close(fd)
	}
}

// end hangs up and waits for criu to end.
func (s *Server) end() unix.WaitStatus {
	if s.socket >= 0 {
		unix.Close(s.socket)
		s.socket = -1
	}
	var status unix.WaitStatus
	if s.Stage == nil || s.ended {
		return status
	}
	s.ended = true
	for {
		if _, err := unix.Wait4(s.Stage.Pid, &status, 0, nil); err != unix.EINTR {
			return status
		}
	}
}

// Restored makes Stage stand for the root process, which has pid, is our child
// as criu was, and now ours to wait for. It is called once Do is done.
func (s *Server) Restored(pid int) error { return s.Stage.Adopt(pid) }

// Close kills a criu that has not been asked for anything yet, as Do waits for
// its end, and releases what the Server holds.
func (s *Server) Close() {
	if s.Stage != nil && !s.ended {
		_ = unix.PidfdSendSignal(s.Stage.PidFD, unix.SIGKILL, nil, 0) // it may have ended just now
	}
	s.end()
	if s.Stage != nil {
		s.Stage.Close()
	}
	unix.Close(s.output)
}

// failure words why a request has failed, from the log or what else there is.
func (s *Server) failure(request *rpc.CriuReq, answer *rpc.CriuResp, status unix.WaitStatus, path string) error {
	e := &diag.Error{Op: "criu " + verb(request), Code: "criu-failed", Hint: "CRIU " + s.Version.String() + ", log: " + path}
	lines := Errors(readLog(path))
	if len(lines) == 0 {
		lines = Errors(s.said())
	}
	switch {
	case status.Signaled():
		e.Err = errors.New("was killed by " + unix.SignalName(status.Signal()))
	case len(lines) > 0:
		e.Err = errors.New(strings.Join(lines, "; "))
	case answer.GetCrErrmsg() != "":
		e.Err = errors.New(strings.TrimSpace(answer.GetCrErrmsg()))
	case answer.GetCrErrno() != 0:
		e.Err = unix.Errno(answer.GetCrErrno())
	default:
		e.Err = fmt.Errorf("exited with status %d", status.ExitStatus())
	}
	if cause := hint(e.Err.Error()); cause != "" {
		e.Hint = cause + "; " + e.Hint
	}
	return e
}

func verb(request *rpc.CriuReq) string {
	switch request.GetType() {
	case rpc.CriuReqType_RESTORE:
		return "restore"
	case rpc.CriuReqType_PRE_DUMP:
		return "pre-dump"
	}
	return "dump"
}

// said is what criu has printed, on one line.
func (s *Server) said() string {
	text := make([]byte, 4096)
	n, _ := unix.Pread(s.output, text, 0) // nothing, then
	return strings.Join(strings.FieldsFunc(string(text[:max(n, 0)]), func(r rune) bool { return r == '\n' || r == 0 }), "; ")
}
