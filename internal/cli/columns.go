package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
	"ociruntime/libcontainer"
)

// defaultColumns are runc's; programs cut them out of the table.
const defaultColumns = "id,pid,status,bundle,created,owner"

// column is one of the table that list prints. Only those asked for are looked
// up: memory and cause read files of each container's cgroup.
type column struct {
	name string // in --columns; the header in capitals
	cell func(r *libcontainer.Runtime, s *libcontainer.State) string
}

var columns = [...]column{
	{"id", func(_ *libcontainer.Runtime, s *libcontainer.State) string { return s.ID }},
	{"pid", func(_ *libcontainer.Runtime, s *libcontainer.State) string { return strconv.Itoa(s.Pid) }},
	{"status", func(_ *libcontainer.Runtime, s *libcontainer.State) string { return string(s.Status) }},
	{"bundle", func(_ *libcontainer.Runtime, s *libcontainer.State) string { return s.Bundle }},
	{"created", func(_ *libcontainer.Runtime, s *libcontainer.State) string { return s.Created.Format(time.RFC3339Nano) }},
	{"owner", func(_ *libcontainer.Runtime, s *libcontainer.State) string { return s.Owner }},
	{"age", func(_ *libcontainer.Runtime, s *libcontainer.State) string { return age(s.Created, time.Now()) }},
	{"memory", memoryCell},
	{"cause", causeCell},
}

// columnNames are all there are, for help and completion.
const columnNames = "id,pid,status,bundle,created,owner,age,memory,cause"

// chooseColumns takes a list of names apart.
func chooseColumns(names string) ([]column, error) {
	var chosen []column
	for name := range strings.SplitSeq(names, ",") {
		c := findColumn(strings.TrimSpace(name))
		if c == nil {
			known := strings.ReplaceAll(columnNames, ",", " ")
			return nil, &diag.Error{Field: "--columns", Path: name, Err: errors.New("there is no such column"),
				Hint: meant(json.Nearest(name, known), "there are "+known)}
		}
		chosen = append(chosen, *c)
	}
	return chosen, nil
}

func findColumn(name string) *column {
	for i := range columns {
		if columns[i].name == name {
			return &columns[i]
		}
	}
	return nil
}

func printTable(r *libcontainer.Runtime, all []libcontainer.State, chosen []column) error {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 12, 1, 3, ' ', 0)
	for i, c := range chosen {
		fmt.Fprint(w, tab(i)+strings.ToUpper(c.name))
	}
	fmt.Fprintln(w)
	for i := range all {
		for j, c := range chosen {
			fmt.Fprint(w, tab(j)+c.cell(r, &all[i]))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return write(table.Bytes())
}

func tab(i int) string {
	if i == 0 {
		return ""
	}
	return "\t"
}

// age is how long ago a container was created, in its largest unit.
func age(created, now time.Time) string {
	if created.IsZero() { // a damaged record
		return "-"
	}
	d := max(now.Sub(created), 0)
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + "d"
}

// memoryCell is what the cgroup is charged with, caches included.
func memoryCell(r *libcontainer.Runtime, s *libcontainer.State) string {
	bytes, ok := r.MemoryUsage(s.ID)
	if !ok {
		return "-"
	}
	return strconv.FormatFloat(float64(bytes)/(1<<20), 'f', 1, 64) + " MiB"
}

// causeCell is the part that limits had in the end of a stopped container.
func causeCell(r *libcontainer.Runtime, s *libcontainer.State) string {
	cause, err := r.ExitCause(s.ID)
	if err != nil || cause == nil {
		return "-"
	}
	return diag.Line(cause.Message)
}
