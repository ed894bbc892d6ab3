// Package ps lists processes as ps(1) does, from /proc, so that the host needs
// no ps and its version does not matter.
package ps

import (
	"io"
	"slices"
	"strings"

	"ociruntime/internal/diag"
)

// Write writes a header and a line for each process. Args are those of ps(1),
// as far as Columns knows them. A process that has gone is left out.
func Write(w io.Writer, pids []int, args []string) error {
	columns, err := Columns(args)
	if err != nil {
		return err
	}
	host := readHost()
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = c.header
	}
	table := [][]string{header}
	for _, pid := range pids {
		p, err := read(pid)
		if err != nil {
			continue
		}
		line := make([]string, len(columns))
		for i, c := range columns {
			line[i] = c.value(p, host)
		}
		table = append(table, line)
	}
	_, err = io.WriteString(w, layOut(table, columns))
	return err
}

// layOut aligns the columns; the last one ends where it ends.
func layOut(table [][]string, columns []Column) string {
	var b strings.Builder
	for _, line := range table {
		for i, cell := range line {
			width := 0
			for _, other := range table {
				width = max(width, len(other[i]))
			}
			pad := strings.Repeat(" ", width-len(cell))
			switch {
			case columns[i].right:
				b.WriteString(pad + cell)
			case i == len(line)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + pad)
			}
			if i < len(line)-1 {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Column is one column of the list.
type Column struct {
	header string
	right  bool // aligned to the right, as numbers are
	value  func(*process, *host) string
}

// Columns reads the arguments of ps(1): -e, -f and -A in any combination, and
// -o with a list of columns, each perhaps with a header as in "pid=PROCESS".
// Without arguments it is -ef. Which processes to list is not for them to say.
func Columns(args []string) ([]Column, error) {
	format := "pid,tty,time,cmd"
	if len(args) == 0 {
		format = full
	}
	var list []string
	for len(args) > 0 {
		word := args[0]
		letters, isOption := strings.CutPrefix(word, "-")
		letters, value, hasList := strings.Cut(letters, "o")
		if !isOption || word == "-" || strings.Trim(letters, "eAf") != "" {
			return nil, &diag.Error{Op: "ps option", Path: word, Err: errOption, Hint: "known are -e, -A, -f and -o LIST", Code: "usage"}
		}
		if strings.Contains(letters, "f") {
			format = full
		}
		args = args[1:]
		if hasList && value == "" {
			if len(args) == 0 {
				return nil, &diag.Error{Op: "ps option", Path: word, Err: errList, Code: "usage"}
			}
			value, args = args[0], args[1:]
		}
		if hasList {
			list = append(list, value)
		}
	}
	if len(list) > 0 {
		format = strings.Join(list, ",")
	}
	return columnsOf(format)
}

// full are the columns of ps -f.
const full = "user=UID,pid,ppid,c,stime,tty,time,cmd"

func columnsOf(format string) ([]Column, error) {
	var columns []Column
	for _, item := range strings.FieldsFunc(format, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, header, renamed := strings.Cut(item, "=")
		i := slices.IndexFunc(known[:], func(k knownColumn) bool { return k.name == name })
		if i < 0 {
			return nil, &diag.Error{Op: "ps column", Path: name, Err: errColumn, Hint: "known are " + knownNames(), Code: "usage"}
		}
		c := known[i].Column
		if renamed {
			c.header = header
		}
		columns = append(columns, c)
	}
	return columns, nil
}
