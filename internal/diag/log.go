package diag

import (
	"fmt"
	"os"
	"strconv"
	"time"
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
	File  *os.File // opened O_APPEND
	JSON  bool     // one object a line, keys in alphabetical order
	Debug bool     // pass debug lines
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

func (l *Logger) line(level Level, message string, _ error) {
	now, message := time.Now().UTC().Format(time.RFC3339), Line(message)
	var b []byte
	if l.JSON {
		b = append(b, `{"level":"`+string(level)+`","msg":`...)
		b = AppendJSONString(b, message)
		b = append(b, `,"time":"`+now+"\"}\n"...)
	} else {
		b = append(b, `time="`+now+`" level=`+string(level)+` msg=`...)
		b = strconv.AppendQuote(b, message)
		b = append(b, '\n')
	}
	_, _ = l.File.Write(b) // nowhere left to report it
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
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
