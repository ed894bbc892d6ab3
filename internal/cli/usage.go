package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"

	ucli "github.com/urfave/cli/v2"
)

// usage answers a command line that parse has refused: with help if that is
// what was asked for, else with what is wrong. It returns the exit code.
func usage(argv []string) int {
	app := newApp()
	err := app.Run(reorder(argv))
	var coder ucli.ExitCoder
	if errors.As(err, &coder) {
		fmt.Fprintln(os.Stderr, err)
		return coder.ExitCode()
	}
	if err != nil {
		log, logErr := openLog(&values{table: globals()})
		if logErr == nil {
			log.Error(err)
		}
		return 1
	}
	return 0
}

// newApp describes the command line to urfave/cli.
func newApp() *ucli.App {
	app := ucli.NewApp()
	app.Name = "runtime"
	app.Usage = "Open Container Initiative runtime"
	app.Version = version()
	app.HideHelpCommand = false
	app.Flags = ucliFlags(globals())
	app.ExitErrHandler = func(*ucli.Context, error) {} // usage decides
	app.CommandNotFound = func(*ucli.Context, string) {}
	for _, name := range names() {
		app.Commands = append(app.Commands, ucliCommand(find(name)))
	}
	app.Action = func(c *ucli.Context) error {
		if c.NArg() > 0 {
			return ucli.Exit(fmt.Sprintf("No help topic for '%s'", c.Args().First()), 3)
		}
		return ucli.ShowAppHelp(c)
	}
	return app
}

func ucliCommand(c *command) *ucli.Command {
	return &ucli.Command{
		Name:        c.name,
		Usage:       c.usage,
		ArgsUsage:   c.args,
		Description: c.description,
		Hidden:      c.hidden,
		Flags:       ucliFlags(c.flags),
		Action: func(ctx *ucli.Context) error {
			fmt.Fprint(ctx.App.Writer, "Incorrect Usage.\n\n")
			// The command's own context knows only its subcommands.
			_ = ucli.ShowCommandHelp(ctx.Lineage()[1], c.name) // the mistake is what counts
			return countError(c, ctx.NArg())
		},
	}
}

// countError says how many arguments the command takes.
func countError(c *command, n int) error {
	what, number := "exactly", c.min
	switch {
	case c.max < 0 || n < c.min && c.max > c.min:
		what = "a minimum of"
	case c.max > c.min:
		what, number = "a maximum of", c.max
	}
	return fmt.Errorf("%s: %q requires %s %d argument(s)", os.Args[0], c.name, what, number)
}

func ucliFlags(table []flag) []ucli.Flag {
	var all []ucli.Flag
	for _, f := range table {
		var alias []string
		if f.alias != "" {
			alias = []string{f.alias}
		}
		usage := f.usage
		if f.example != "" {
			usage = "`" + f.example + "`: " + usage
		}
		switch f.kind {
		case boolean:
			all = append(all, &ucli.BoolFlag{Name: f.name, Aliases: alias, Usage: usage, Hidden: f.hidden})
		case list:
			all = append(all, &ucli.StringSliceFlag{Name: f.name, Aliases: alias, Usage: usage, Hidden: f.hidden})
		default:
			all = append(all, &ucli.StringFlag{Name: f.name, Aliases: alias, Usage: usage, Value: f.value, Hidden: f.hidden})
		}
	}
	return all
}

// reorder moves the flags of a command line in front of its arguments, as
// urfave/cli wants them. A flag that does not exist counts as one without value.
func reorder(argv []string) []string {
	all := values{table: globals()}
	i := 1
	for i < len(argv) && isFlag(argv[i]) {
		i += max(1, all.words(argv[i:]))
	}
	if i >= len(argv) {
		return argv
	}
	c := find(argv[i])
	if c == nil || c.passthrough {
		return argv
	}
	head, rest := argv[:i+1], argv[i+1:]
	flags, args := []string{}, []string{}
	own := values{table: c.flags}
	for len(rest) > 0 && rest[0] != "--" {
		n := 1
		if isFlag(rest[0]) {
			n = max(1, own.words(rest))
			flags = append(flags, rest[:n]...)
		} else {
			args = append(args, rest[0])
		}
		rest = rest[n:]
	}
	return slices.Concat(head, flags, args, rest)
}

// words is how many words the flag at the front of argv takes, 0 for one that
// does not exist or lacks its value.
func (v *values) words(argv []string) int {
	n, err := v.flag(argv)
	if err != nil {
		return 0
	}
	return n
}
