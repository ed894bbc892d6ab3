package tracer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// planEnv tells a start of the test binary that it is to trace: an order in JSON.
const planEnv = "RUNTIME_TEST_TRACE"

// order is a Plan and what to start. Its descriptors 4 and up are the command's
// 3 and up; the answer goes to descriptor 3.
type order struct {
	Plan  Plan
	Argv  []string
	Env   []string
	Files int
}

// answer is what the tracing process reports.
type answer struct {
	Report Report
	Err    string
}

// Run starts cmd, which must not have been started, and sees it to its end.
// Processes that outlive it run on, untraced. Of cmd only Path, Args, Env, Dir,
// the files and nothing else are heeded.
func Run(cmd *exec.Cmd, plan Plan) (Report, error) {
	out, err := os.OpenFile(os.TempDir(), os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		return Report{}, err
	}
	defer out.Close()
	text, err := json.Marshal(order{Plan: plan, Argv: append([]string{cmd.Path}, cmd.Args[1:]...), Env: cmd.Env, Files: len(cmd.ExtraFiles)})
	if err != nil {
		return Report{}, err
	}
	c := exec.Command("/proc/self/exe")
	c.Dir, c.Stdin, c.Stdout, c.Stderr = cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr
	c.Env = append(os.Environ(), planEnv+"="+string(text))
	c.ExtraFiles = append([]*os.File{out}, cmd.ExtraFiles...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Run(); err != nil {
		return Report{}, fmt.Errorf("the tracing process: %w", err)
	}
	var a answer
	if err := json.NewDecoder(io.NewSectionReader(out, 0, 1<<20)).Decode(&a); err != nil {
		return a.Report, fmt.Errorf("the tracing process's answer: %w", err)
	}
	switch a.Err {
	case "":
		return a.Report, nil
	case ErrTimeout.Error():
		return a.Report, ErrTimeout
	}
	return a.Report, errors.New(a.Err)
}

// Main is to be called first by TestMain. In a process that Run has started it
// does not return.
func Main() {
	text := os.Getenv(planEnv)
	if text == "" {
		return
	}
	if err := serve(text); err != nil {
		fmt.Fprintln(os.Stderr, "tracer:", err)
		os.Exit(2)
	}
	os.Exit(0)
}

// serve does what an order says.
func serve(text string) error {
	out := os.NewFile(3, "answer")
	unix.CloseOnExec(3)
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	cmd := exec.Command(o.Argv[0], o.Argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Env, os.Stdin, os.Stdout, os.Stderr
	for i := range o.Files {
		unix.CloseOnExec(4 + i)
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(uintptr(4+i), "passed on"))
	}
	t := &tracer{plan: o.Plan, entered: map[int]bool{}}
	var a answer
	var err error
	if a.Report, err = t.run(cmd); err != nil {
		a.Err = err.Error()
	}
	return json.NewEncoder(out).Encode(a)
}
