package libcontainer

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// Startup is what state tells of a container whose start was timed, with
// --timeline or by annotation.
type Startup struct {
	Timeline string `json:"timeline"`                    // the file with the details
	Create   uint64 `json:"createMicroseconds"`          // until the process waited for start
	Start    uint64 `json:"startMicroseconds,omitempty"` // from there until it ran its program
}

// timing is a timeline in the making. That of a command which is not to be
// timed is its zero value, all of whose methods do nothing.
type timing struct {
	*diag.Timeline
	path  string
	notes int // the file that the stage writes the times of its calls to
}

// newTiming begins a timeline of the command if there is a path to write it to.
func newTiming(command, path string) timing {
	if path == "" {
		return timing{}
	}
	return timing{Timeline: diag.NewTimeline("runtime " + command), path: path, notes: -1}
}

// on reports whether the command is timed.
func (t *timing) on() bool { return t.Timeline != nil }

// begin has the stage that will run p note the time of its calls.
func (t *timing) begin(p *nsenter.Program) (file nsenter.FD, err error) {
	if !t.on() {
		return nsenter.FD{}, nil
	}
	if t.notes, err = unix.MemfdCreate("timeline", unix.MFD_CLOEXEC); err != nil {
		return nsenter.FD{}, &diag.Error{Op: "memfd_create", Err: err}
	}
	file = p.Inherit(t.notes, "timeline")
	p.Time()
	return file, nil
}

// collect adds the calls that the stage has noted.
func (t *timing) collect(s *nsenter.Stage, p *nsenter.Program) error {
	if !t.on() {
		return nil
	}
	calls, err := p.Calls(t.notes)
	for _, call := range calls {
		t.Add(diag.Span{Name: call.Call, Field: call.Field, Process: s.Pid, Start: call.Start, End: call.End})
	}
	return err
}

// took is the time since the beginning of the command.
func (t *timing) took() uint64 { return uint64(t.Total() / time.Microsecond) }

// write writes the timeline. A container that has started is not stopped for
// want of it.
func (t *timing) write(log *diag.Logger, add bool) {
	if err := t.WriteFile(t.path, add, traceparent()); err != nil {
		log.Warnf("continued without a timeline: %v", err)
	}
	t.close()
}

func (t *timing) close() {
	if t.on() && t.notes >= 0 {
		unix.Close(t.notes)
		t.notes = -1
	}
}

// timeStart begins the timeline of a start, if the create had one.
func (c *container) timeStart() timing {
	if c.Startup == nil {
		return timing{}
	}
	t := newTiming("start", c.Startup.Timeline)
	t.Phase("start the program")
	return t
}

// started notes how long the start took, and writes the timeline, or adds to that
// of the create.
func (c *container) started(t *timing, add bool) error {
	if !t.on() {
		return nil
	}
	c.Startup.Start = t.took()
	if !add { // one command did both
		c.Startup.Start -= c.Startup.Create
	}
	t.write(c.runtime.Log, add)
	return c.save()
}

// traceparent is the W3C trace context that the engine has given us in the
// environment, https://www.w3.org/TR/trace-context/#traceparent-header; "" if
// there is none, or something else is there.
func traceparent() string {
	value := os.Getenv("TRACEPARENT")
	parts := strings.Split(value, "-")
	if len(parts) < 4 || len(value) > 256 {
		return ""
	}
	for i, size := range [4]int{2, 32, 16, 2} {
		if len(parts[i]) != size || strings.Trim(parts[i], "0123456789abcdef") != "" {
			return ""
		}
	}
	return value
}
