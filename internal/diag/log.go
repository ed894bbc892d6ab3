package diag

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Level is the importance of a log line, by logrus's names.
type Level string

// The levels, as engines read them.
const (
	LevelDebug   Level = "debug"
	LevelWarning Level = "warning"
	LevelError   Level = "error"
)

// Logger writes the lines that engines parse: logrus's text or JSON format,
// each in one write(2). A nil Logger drops everything.
type Logger struct {
	FD       int           // a file opened O_APPEND, or stderr
	Patience time.Duration // for a pipe that nobody reads; then lines are lost
	JSON     bool          // one object a line, keys in alphabetical order
	Debug    bool          // pass debug lines
	// Sink gets the messages instead of FD, if it is set.
	Sink func(level Level, message string)
}

// Debugf logs a line that only --debug shows.
func (l *Logger) Debugf(format string, args ...any) {
	if l != nil && l.Debug {
		l.line(LevelDebug, fmt.Sprintf(format, args...), nil)
	}
}

// Warnf logs what was left undone, and why: "continued without X because Y".
func (l *Logger) Warnf(format string, args ...any) {
	if l != nil {
		l.line(LevelWarning, fmt.Sprintf(format, args...), nil)
	}
}

// Error logs the error that ends the command. It must be the last line:
// containerd shows the last error object of the file to its user.
func (l *Logger) Error(err error) {
	if l != nil {
		l.line(LevelError, err.Error(), err)
	}
}

func (l *Logger) line(level Level, message string, err error) {
	if l.Sink != nil {
		l.Sink(level, Line(message))
		return
	}
	now, message := time.Now().UTC(), Line(message)
	var b []byte
	if l.JSON {
		b = appendJSONLine(b, now, level, message, err)
	} else {
		b = appendTextLine(b, now, level, message, err)
	}
	Deliver(l.FD, b, l.Patience)
}

// appendTextLine appends logrus's text format, with the code of an error as one
// more field: a person finds out with it what `runtime explain` knows.
func appendTextLine(b []byte, now time.Time, level Level, message string, err error) []byte {
	b = append(b, `time="`...)
	b = now.AppendFormat(b, time.RFC3339)
	b = append(b, `" level=`+string(level)+" msg="...)
	if isPlain(message) {
		b = append(b, message...)
	} else {
		b = strconv.AppendQuote(b, message)
	}
	if err != nil {
		b = append(b, " code="+CodeOf(err)...)
	}
	return append(b, '\n')
}

// isPlain reports whether logrus writes s without quotes.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._/@^+", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// appendJSONLine appends logrus's JSON format, and what programs would
// otherwise have to find in the message: {"code","errno","field","hint",
// "level","msg","op","path","stage","time"}, each of the error's own only if it has one.
func appendJSONLine(b []byte, now time.Time, level Level, message string, err error) []byte {
	f := factsOf(err)
	b = append(b, '{')
	for _, member := range [...]struct{ name, value string }{
		{"code", f.code},
		{"errno", f.errno},
		{"field", f.field},
		{"hint", f.hint},
		{"level", string(level)},
		{"msg", message},
		{"op", f.op},
		{"path", f.path},
		{"stage", f.stage},
		{"time", now.Format(time.RFC3339)},
	} {
		if member.value == "" && member.name != "msg" {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(b, `"`+member.name+`":`...)
		b = AppendJSONString(b, member.value)
	}
	return append(b, "}\n"...)
}

// facts are the parts of an error and of those that it wraps.
type facts struct {
	code, errno, field, hint, op, path, stage string
	number                                    unix.Errno // of errno; 0 if there is none
}

// factsOf takes from each part of err the outermost that there is. Of several
// errors wrapped side by side it is the first that counts.
func factsOf(err error) facts {
	var f facts
	if err == nil {
		return f
	}
	if errors.As(err, &f.number) {
		f.errno = unix.ErrnoName(f.number)
	}
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		for _, part := range [...]struct {
			to   *string
			from string
		}{{&f.code, string(e.Code)}, {&f.field, e.Field}, {&f.hint, e.Hint}, {&f.op, e.Op}, {&f.path, e.Path}, {&f.stage, string(e.Stage)}} {
			if *part.to == "" {
				*part.to = part.from
			}
		}
	}
	if f.code == "" {
		f.code = string(classify(f))
	}
	if f.stage == "" {
		f.stage = string(stageOf(f))
	}
	return f
}

// AppendJSONString appends s, in quotes, as a JSON string, with invalid UTF-8 replaced.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r < 0x20 || 0x80 <= r && r < 0xa0: // the second command some terminals, too
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
