package cli

import (
	_ "embed"
	"strings"
)

// helpText is the help of the program and then of each command, as urfave/cli
// renders it from the tables:
//
//	go test ./internal/cli -run TestHelpText -update
//
//go:embed help.txt
var helpText string

// helpTitle is the first line of each part of helpText.
const helpTitle = "NAME:\n"

// examples are those of the program's own help.
var examples = []example{
	{"mkdir -p box/rootfs && tar -x -C box/rootfs -f image.tar\nruntime spec --bundle box\nruntime run --bundle box mybox",
		"make a bundle from the files of an image, and run it"},
	{"runtime list\nruntime kill mybox KILL\nruntime delete mybox", "see what runs, and be rid of it"},
	{"runtime check --bundle box\nruntime explain CODE", "find out what is wrong"},
}

// help returns the help text of a command, or for "" and "help" that of the program.
func help(command string) string {
	title := helpTitle + "   runtime - "
	if command != "" && command != helpVerb.name && command != hVerb.name {
		title = helpTitle + "   runtime " + command + " - "
	}
	begin := strings.Index(helpText, title)
	if begin < 0 {
		panic("bug: no help for " + command)
	}
	part := helpText[begin:]
	if end := strings.Index(part[len(title):], helpTitle); end >= 0 {
		part = part[:len(title)+end]
	}
	return part
}

// The verb, and its short form. They have no run, which would have to know the
// table of verbs that they are in.
var (
	helpVerb = command{name: "help", max: 1}
	hVerb    = command{name: "h", max: 1}
)

// help is what they do.
func (c *call) help() error {
	if len(c.args) == 0 {
		return write(help(""))
	}
	topic := find(verbs, c.args[0])
	if topic == nil {
		return unknownCommand(verbs, c.args[0])
	}
	return write(help(topic.name))
}
