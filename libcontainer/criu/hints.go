package criu

import "strings"

// hints say what helps against failures that CRIU words for those who know it.
// The first part that a message contains decides.
var hints = [...]struct{ part, hint string }{
	{"vdso:", "this CRIU does not know this kernel's vDSO: a newer CRIU is needed"},
	{"Connected TCP socket", "--tcp-established dumps connections"},
	{"In-flight connection", "--tcp-skip-in-flight leaves out connections that were not accepted"},
	{"External socket is used", "--ext-unix-sk allows sockets that others are connected to"},
	{"Found a tty", "--shell-job allows a terminal that is the caller's"},
	{"dangling slave", "--shell-job allows a terminal that is the caller's"},
	{"Some file locks are hold", "--file-locks dumps locks"},
	{"Can't create link remap", "--link-remap gives deleted files a name"},
	{"has bad size", "a file outside the container that is not opened for appending has to be as long as it was"},
	{"iptables-restore", "CRIU blocks the network by iptables-restore and ip6tables-restore"},
	{"Locking network failed", "CRIU blocks the network by iptables-restore and ip6tables-restore"},
}

func hint(message string) string {
	for _, h := range hints {
		if strings.Contains(message, h.part) {
			return h.hint
		}
	}
	return ""
}
