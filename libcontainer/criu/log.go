package criu

import (
	"os"
	"strings"
	"unicode"
)

// maxErrors is how many lines of a log are shown: the first, which is most often
// the cause, and the last, which tell what came of it.
const maxErrors = 3

// maxLog bounds how much of a log is read; what failed is near its end.
const maxLog = 1 << 20

// errorMark begins what criu logs as an error, after a time and a pid:
//
//	(00.012345)     42: Error (criu/mount.c:1234): mnt: Can't ...
const errorMark = "Error ("

// Errors picks the errors out of a log, at most maxErrors of them.
func Errors(log string) []string {
	var found []string
	for line := range strings.Lines(log) {
		if i := strings.Index(line, errorMark); i >= 0 {
			line = strings.TrimFunc(line[i:], func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
			found = append(found, line)
		}
	}
	if n := len(found); n > maxErrors {
		found = append(found[:1], found[n-maxErrors+1:]...)
	}
	return found
}

// readLog returns the end of the log at path, as far as there is one.
func readLog(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	text := make([]byte, min(info.Size(), maxLog))
	n, _ := file.ReadAt(text, info.Size()-int64(len(text))) // what could be read is what there is to show
	return string(text[:n])
}
