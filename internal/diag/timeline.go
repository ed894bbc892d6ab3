package diag

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Timeline collects where the time of a start went, for --timeline. The methods
// of a nil Timeline do nothing, so that code need not ask whether there is one.
type Timeline struct {
	command string
	began   time.Time
	phase   *Span // begun last, and still open
	spans   []Span
}

// Span is a stretch of time that has a name.
type Span struct {
	Name    string
	Field   string // of config.json, what it was done for; "" if nothing in particular
	Process int    // whose time it was
	Start   time.Time
	End     time.Time
}

// NewTimeline begins a timeline of a command: of what follows.
func NewTimeline(command string) *Timeline {
	return &Timeline{command: command, began: time.Now()}
}

// Phase ends the phase before, and begins the next one.
func (t *Timeline) Phase(name string) {
	if t == nil {
		return
	}
	t.EndPhase()
	t.phase = &Span{Name: name, Process: os.Getpid(), Start: time.Now()}
}

// EndPhase ends the phase that was begun last.
func (t *Timeline) EndPhase() {
	if t == nil || t.phase == nil {
		return
	}
	t.phase.End = time.Now()
	t.spans = append(t.spans, *t.phase)
	t.phase = nil
}

// Add adds spans, which may lie in a phase or be another process's.
func (t *Timeline) Add(spans ...Span) {
	if t != nil {
		t.spans = append(t.spans, spans...)
	}
}

// Total is the time since NewTimeline; 0 of a nil Timeline.
func (t *Timeline) Total() time.Duration {
	if t == nil {
		return 0
	}
	return time.Since(t.began)
}

// The file is a JSON object in Chrome's trace event format, one event a line,
// which chrome://tracing and Perfetto show. Its end is fixed, so that the next
// command of the container can add to it.
const timelineEnd = "\n]}\n"

var errNoTimeline = errors.New("is not a timeline")

// WriteFile ends the phase and writes the timeline to path, for the owner alone
// to read: it names files of the host. A file that exists must be a timeline, or
// empty; it is added to if add, else replaced. traceparent is the W3C trace
// context that the command ran in, or "".
func (t *Timeline) WriteFile(path string, add bool, traceparent string) error {
	t.EndPhase()
	// O_NONBLOCK: a fifo must not hold us up.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	if err = t.write(file, add, traceparent); err != nil {
		_ = file.Close() // the first error is the one to report
		return &Error{Op: "write", Path: path, Err: err}
	}
	return file.Close()
}

func (t *Timeline) write(file *os.File, add bool, traceparent string) error {
	text := []byte(`{"displayTimeUnit":"ms","traceEvents":[`)
	info, err := file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size > 0 || !info.Mode().IsRegular() {
		end := make([]byte, len(timelineEnd))
		if _, err := file.ReadAt(end, max(size-int64(len(end)), 0)); err != nil || string(end) != timelineEnd {
			return errNoTimeline
		}
	}
	switch {
	case size == 0:
	case add:
		text = []byte{','}
		size -= int64(len(timelineEnd))
	default:
		if err := file.Truncate(0); err != nil {
			return err
		}
		size = 0
	}
	text = append(t.append(text, traceparent), timelineEnd...)
	_, err = file.WriteAt(text, size)
	return err
}

// append appends the events: the command's name, then the spans.
func (t *Timeline) append(dst []byte, traceparent string) []byte {
	dst = append(dst, "\n"+`{"ph":"M","name":"process_name","pid":`...)
	dst = strconv.AppendInt(dst, int64(os.Getpid()), 10)
	dst = append(dst, `,"args":{"name":`...)
	dst = AppendJSONString(dst, t.command)
	if traceparent != "" {
		dst = append(dst, `,"traceparent":`...)
		dst = AppendJSONString(dst, traceparent)
	}
	dst = append(dst, "}}"...)
	for i := range t.spans {
		dst = t.spans[i].append(append(dst, ",\n"...))
	}
	return dst
}

func (s *Span) append(dst []byte) []byte {
	dst = append(dst, `{"ph":"X","name":`...)
	dst = AppendJSONString(dst, s.Name)
	dst = append(dst, `,"pid":`...)
	dst = strconv.AppendInt(dst, int64(s.Process), 10)
	dst = append(dst, `,"tid":`...)
	dst = strconv.AppendInt(dst, int64(s.Process), 10)
	dst = append(dst, `,"ts":`...)
	dst = appendMicroseconds(dst, s.Start.UnixNano())
	dst = append(dst, `,"dur":`...)
	dst = appendMicroseconds(dst, s.End.Sub(s.Start).Nanoseconds())
	if s.Field != "" {
		dst = append(dst, `,"args":{"field":`...)
		dst = AppendJSONString(dst, s.Field)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendMicroseconds keeps the nanoseconds, which a float64 would round since
// 1970.
func appendMicroseconds(dst []byte, ns int64) []byte {
	if ns < 0 { // the clock was set back meanwhile
		ns = 0
	}
	dst = strconv.AppendInt(dst, ns/1000, 10)
	rest := strconv.Itoa(int(1000 + ns%1000))
	return append(append(dst, '.'), rest[1:]...)
}
