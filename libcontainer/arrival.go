package libcontainer

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
	"ociruntime/libcontainer/process"
	"ociruntime/nsenter"
)

// syncReady is reported by a stage that has only execve, or the gate, before
// it. It carries the pty master and /etc/passwd, as far as they are asked for.
const syncReady nsenter.Sync = 17

// arrival is the last exchange with a stage: it hands over what only exists in
// the container, and learns what only the parent can work out.
type arrival struct {
	terminal *terminal // relays the pty, in the foreground
	late     []byte    // the answer: what the environment is still to have, or a single byte
}

// compose records the exchange.
func (a *arrival) composeReady(p *nsenter.Program, x *process.Process, master nsenter.FD, hasTerminal bool) {
	p.At("process")
	var files []nsenter.FD
	if hasTerminal {
		files = append(files, master)
	}
	if passwd, wanted := x.Passwd(); wanted {
		files = append(files, passwd)
	}
	p.Send(syncReady, 0, files...)
	if x.IsLate() {
		x.ReceiveLate(p)
	} else {
		p.Wait()
	}
}

// welcome receives the files of syncReady from process pid and works out the
// answer.
func (a *arrival) welcome(x *process.Process, pid int, files []int, hasTerminal bool, consoleSocket string, timeout time.Duration) (err error) {
	a.late = []byte{1}
	if hasTerminal && len(files) > 0 {
		if err := a.takeMaster(files[0], consoleSocket, timeout); err != nil {
			return err
		}
		files = files[1:]
	}
	if !x.IsLate() {
		return nil
	}
	passwd := -1
	if len(files) > 0 {
		passwd = files[0]
	}
	if x.WantsPid() {
		if pid, err = sys.InnerPid(pid); err != nil {
			return &diag.Error{Op: "read the process's own pid", Path: strconv.Itoa(pid), Err: err}
		}
	}
	a.late = x.Late(passwd, pid)
	return nil
}

// takeMaster passes the pty master to the engine, or relays it to the
// caller's terminal.
func (a *arrival) takeMaster(master int, consoleSocket string, timeout time.Duration) (err error) {
	if consoleSocket == "" {
		a.terminal, err = newTerminal(master)
		return err
	}
	defer unix.Close(master)
	return sendFile(consoleSocket, "/dev/ptmx", master, timeout)
}

// checkConsole refuses a terminal that nobody could ever read from.
func checkConsole(terminal, detach bool, consoleSocket string) error {
	switch {
	case terminal && detach && consoleSocket == "":
		return &diag.Error{Field: "process.terminal", Code: "usage",
			Hint: "run in the foreground, give --console-socket, or set it to false",
			Err:  errors.New("cannot allocate tty if runc will detach without setting console socket")}
	case consoleSocket != "" && !(terminal && detach):
		return &diag.Error{Field: "--console-socket", Code: "usage",
			Err: errors.New("cannot use console socket if runc will not detach or allocate tty")}
	}
	return nil
}
