package process

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

const (
	programField = "process.args[0]"
	cwdField     = "process.cwd"
)

// errNotFound has the words by which dockerd, podman and kubelet recognise a
// missing program.
var errNotFound = errors.New("executable file not found in $PATH")

// checkEnv takes process.env as it is, but for repeated names: the last value
// counts, as a shell or an engine that appends overrides means it, while libc's
// getenv would find the first.
func (x *Process) checkEnv() error {
	list := x.in.Process.Env
	last := make(map[string]int, len(list))
	for i, entry := range list {
		name, _, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			return problem(envField(i), unix.EINVAL, strconv.Quote(entry)+" is not NAME=VALUE")
		}
		if strings.IndexByte(entry, 0) >= 0 {
			return problem(envField(i), unix.EINVAL, strconv.Quote(name)+" contains a null byte")
		}
		last[name] = i
	}
	if x.in.ListenFDs > 0 {
		for _, name := range []string{listenFDs, listenNames, listenPid} {
			last[name] = -1 // those that are there are somebody else's
		}
	}
	x.env = make([]string, 0, len(list))
	for i, entry := range list {
		name, _, _ := strings.Cut(entry, "=")
		if last[name] == i {
			x.env = append(x.env, entry)
		}
	}
	x.env = append(x.env, x.listenEnv()...)
	return nil
}

func envField(i int) string { return "process.env[" + strconv.Itoa(i) + "]" }

// lookupEnv finds the value of name. A nil value means that env has none.
func lookupEnv(env []string, name string) (value string, ok bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if n, v, _ := strings.Cut(env[i], "="); n == name {
			return v, true
		}
	}
	return "", false
}

// checkProgram makes the list of paths that args[0] may mean.
func (x *Process) checkProgram() error {
	args := x.in.Process.Args
	if len(args) == 0 {
		return problem("process.args", errors.New("is empty"), "")
	}
	if !strings.HasPrefix(x.in.Process.Cwd, "/") {
		//lint:ignore ST1005 runc's words
		return problem(cwdField, errors.New("Cwd must be an absolute path"), strconv.Quote(x.in.Process.Cwd))
	}
	if x.in.Hook != "" {
		x.programs = []string{x.in.Hook}
		return nil
	}
	x.programs = Candidates(args[0], x.env)
	if len(x.programs) > 0 {
		return nil
	}
	e := &diag.Error{Field: programField, Op: "exec:", Path: args[0], Err: errNotFound, Hint: noPathHint(x.env), Code: "program-not-found"}
	if args[0] == "" {
		e.Op, e.Hint = `exec: ""`, ""
	}
	return e
}

func noPathHint(env []string) string {
	if _, ok := lookupEnv(env, "PATH"); ok {
		return "PATH in process.env is empty"
	}
	return "process.env has no PATH"
}

// Candidates lists the paths that execvp(3) would try for name: itself if it
// has a slash, else one in each directory of PATH, an empty one meaning the
// working directory. Without PATH there are none; execvp(3) has a default, but
// that is the host's idea of where an image keeps its programs.
func Candidates(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	path, _ := lookupEnv(env, "PATH")
	if path == "" || name == "" {
		return nil
	}
	var list []string
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			dir = "."
		}
		list = append(list, dir+"/"+name)
	}
	return list
}

// findProgram records the look-up, by the user and in the working directory
// that the program will have.
func (x *Process) findProgram(p *nsenter.Program) {
	p.At(programField)
	args := x.in.Process.Args
	x.exec = p.FindProgram(x.programs, errNotFound.Error(), args, x.env, x.lateEnv()...)
}

// enterCwd changes to process.cwd as root, and returns what records a second
// attempt as the user: a directory on NFS or FUSE may be open to the user alone.
// Wherever that led, it must lie below the container's root.
func (x *Process) enterCwd(p *nsenter.Program) (again func()) {
	cwd := x.in.Process.Cwd
	p.At(cwdField)
	refused := p.Word()
	one := p.Word()
	p.Put(one, 1)
	p.Chdir(cwd)
	p.IfErr(func() { p.Store(one, refused) }, unix.EACCES, unix.EPERM)
	return func() {
		p.At(cwdField)
		p.When(refused, 1, 1, func() { p.Chdir(cwd) }, nil)
		p.Getcwd()
	}
}
