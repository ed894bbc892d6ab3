package process

import (
	"strconv"

	"ociruntime/nsenter"
)

// Two variables are not known before the process is there, and then only to the
// parent, who sends both in one message:
//
//	 0  LISTEN_PID=N  its pid as it sees it, sd_listen_fds(3)
//	24  HOME=/x       see home.go
const (
	listenSize = 24 // LISTEN_PID=, ten digits and NUL, to a multiple of 8

	listenPid   = "LISTEN_PID"
	listenFDs   = "LISTEN_FDS"
	listenNames = "LISTEN_FDNAMES"
)

// listenEnv is what the environment says of sockets, as far as it is known.
func (x *Process) listenEnv() []string {
	if x.in.ListenFDs == 0 {
		return nil
	}
	env := []string{listenFDs + "=" + strconv.Itoa(x.in.ListenFDs)}
	if x.in.ListenNames != "" {
		env = append(env, listenNames+"="+x.in.ListenNames)
	}
	if x.in.FirstPid {
		env = append(env, listenPid+"=1")
	}
	return env
}

// WantsPid reports whether Late is to tell the process its pid.
func (x *Process) WantsPid() bool {
	return x.in.Process != nil && x.in.ListenFDs > 0 && !x.in.FirstPid
}

// IsLate reports whether the parent has to answer with Late, for ReceiveLate.
func (x *Process) IsLate() bool { return x.wantsHome() || x.WantsPid() }

// lateEnv are the places of the variables that are received.
func (x *Process) lateEnv() (list []nsenter.Buffer) {
	if x.WantsPid() {
		list = append(list, x.late)
	}
	if x.wantsHome() {
		list = append(list, x.late.After(listenSize))
	}
	return list
}

// ReceiveLate records the wait for the answer; nothing if none is needed.
func (x *Process) ReceiveLate(p *nsenter.Program) {
	if !x.IsLate() {
		return
	}
	p.At("")
	if x.wantsHome() {
		p.Close(x.passwd)
	}
	p.Receive(x.late)
}

// Late is the answer of the parent to Passwd, which it closes, and with the pid
// that the process has in its namespace. Each is looked at if it is asked for.
func (x *Process) Late(passwd, pid int) []byte {
	answer := make([]byte, listenSize, listenSize+homeSize)
	copy(answer, listenPid+"="+strconv.Itoa(pid))
	if x.wantsHome() {
		answer = append(append(answer, "HOME="+x.findHome(passwd)...), 0)
	}
	return answer
}
