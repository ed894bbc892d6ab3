package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCompletions: what the shells complete is what the tables say.
//
//	go test ./internal/cli -run TestCompletions -update
func TestCompletions(t *testing.T) {
	wantFiles(t, "../../completions", map[string]string{
		"runtime.bash": bashCompletion(), "_runtime": zshCompletion(), "runtime.fish": fishCompletion(),
	})
}

// completes says what a flag's value may be: words, @dir, @file, or "" for anything.
func completes(f flag) string {
	name, _ := placeholder(f)
	switch {
	case f.choices != "":
		return strings.ReplaceAll(f.choices, ",", " ")
	case name == "DIR":
		return "@dir"
	case name == "FILE" || name == "PATH":
		return "@file"
	}
	return ""
}

// argument is what the first argument of a verb is: an existing container, an
// error's code, a verb, or nothing known. A verb that takes a bundle makes the
// container that it names.
func argument(c *command) string {
	bundle := slices.ContainsFunc(slices.Concat(c.flags...), func(f flag) bool { return f.name == "bundle" })
	switch {
	case strings.HasPrefix(c.args, "CONTAINER") && !bundle:
		return "@container"
	case strings.HasPrefix(c.args, "[CODE"):
		return "@code"
	case c.name == helpVerb.name:
		return "@verb"
	}
	return ""
}

func visible(tables [][]flag) []flag {
	return slices.DeleteFunc(append(slices.Concat(tables...), helpFlag), func(f flag) bool { return f.hidden })
}

// offered are the verbs that are completed, with what cli brings along.
func offered() []*command { return append(listed(), &helpVerb) }

const madeOf = "made of the tables in internal/cli: go test ./internal/cli -run TestCompletions -update\n"

func bashCompletion() string {
	var verbs, flags, values, arguments, passing strings.Builder
	add := func(verb string, tables [][]flag) {
		var names []string
		for _, f := range visible(tables) {
			names = append(names, "--"+f.name)
			if f.kind == boolean {
				continue
			}
			pattern := fmt.Sprintf("'%s --%s'", verb, f.name)
			if f.alias != "" {
				pattern += fmt.Sprintf(" | '%s -%s'", verb, f.alias)
			}
			fmt.Fprintf(&values, "        %s) echo '%s' ;;\n", pattern, completes(f))
		}
		fmt.Fprintf(&flags, "        '%s') echo '%s' ;;\n", verb, strings.Join(names, " "))
	}
	add("", globals)
	for _, c := range offered() {
		verbs.WriteString(" " + c.name)
		add(c.name, c.flags)
		if a := argument(c); a != "" {
			fmt.Fprintf(&arguments, "        '%s') echo '%s' ;;\n", c.name, a)
		}
		if c.passthrough {
			passing.WriteString(" " + c.name)
		}
	}
	return "# bash completion for runtime, " + madeOf + `
# _runtime_flags VERB: its flags; without a verb the program's.
_runtime_flags() {
    case $1 in
` + flags.String() + `    esac
}

# _runtime_value VERB FLAG: what the flag's value may be. Fails if it takes none.
_runtime_value() {
    case "$1 $2" in
` + values.String() + `        *) return 1 ;;
    esac
}

# _runtime_argument VERB: what its first argument is.
_runtime_argument() {
    case $1 in
` + arguments.String() + `    esac
}

# _runtime_words KIND: what to choose from.
_runtime_words() {
    case $1 in
        @verb) echo '` + strings.TrimSpace(verbs.String()) + `' ;;
        @container) "${COMP_WORDS[0]}" "${root[@]}" list --quiet 2>/dev/null ;;
        @code) "${COMP_WORDS[0]}" explain 2>/dev/null | cut -d ' ' -f 1 ;;
        *) echo "$1" ;;
    esac
}

_runtime() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb='' flag='' kind='' arguments=0 i word
    local -a root=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = ]]; then
            continue # --root=DIR is three words to bash
        elif [[ -n $flag ]]; then
            [[ $flag == --root ]] && root=(--root "$word")
            flag=''
        elif [[ $word == -* && ! ($arguments -gt 0 && ' ` + strings.TrimSpace(passing.String()) + ` ' == *" $verb "*) ]]; then
            _runtime_value "$verb" "$word" >/dev/null && flag=$word
        elif [[ -z $verb ]]; then
            verb=$word
        else
            arguments=$((arguments + 1))
        fi
    done
    [[ $cur == = ]] && cur=''
    if [[ -n $flag ]]; then
        kind=$(_runtime_value "$verb" "$flag")
    elif [[ $arguments -gt 0 && ' ` + strings.TrimSpace(passing.String()) + ` ' == *" $verb "* ]]; then
        kind=@file # the rest is a program's
    elif [[ $cur == -* ]]; then
        kind=$(_runtime_flags "$verb")
    elif [[ -z $verb ]]; then
        kind=@verb
    elif [[ $arguments == 0 ]]; then
        kind=$(_runtime_argument "$verb")
    fi
    case $kind in
        @dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        @file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$(_runtime_words "$kind")" -- "$cur") ;;
    esac
}
complete -o filenames -F _runtime runtime
`
}

func zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef runtime\n# zsh completion for runtime, " + madeOf + `
_runtime_containers() {
    local -a ids
    ids=(${(f)"$(_call_program containers runtime ${opt_args[--root]:+--root} ${(Q)opt_args[--root]} list --quiet 2>/dev/null)"})
    compadd -a ids
}

_runtime_codes() {
    local -a codes
    codes=(${${(f)"$(_call_program codes runtime explain 2>/dev/null)"}%% *})
    compadd -a codes
}

_runtime_verbs() {
    local -a verbs
    verbs=(
`)
	for _, c := range offered() {
		fmt.Fprintf(&b, "        %s\n", quote(c.name+":"+zshText(usageOf(c))))
	}
	b.WriteString("    )\n    _describe command verbs\n}\n\n_runtime() {\n    local curcontext=$curcontext state line ret=1\n    typeset -A opt_args\n    _arguments -C -S \\\n")
	zshFlags(&b, "        ", globals)
	b.WriteString("        '1: :_runtime_verbs' \\\n        '*:: :->arguments' && ret=0\n    [[ $state == arguments ]] || return ret\n    case $line[1] in\n")
	for _, c := range offered() {
		fmt.Fprintf(&b, "        %s)\n            _arguments -S \\\n", c.name)
		zshFlags(&b, "                ", c.flags)
		action := map[string]string{"@container": "_runtime_containers", "@code": "_runtime_codes", "@verb": "_runtime_verbs"}[argument(c)]
		if action == "" {
			action = "_message argument"
		}
		fmt.Fprintf(&b, "                '1: :%s' '*: :_default' && ret=0\n            ;;\n", action)
	}
	b.WriteString("    esac\n    return ret\n}\n\n# Loaded by compinit it is the function's body, else it is a file of functions.\nif [[ $funcstack[1] == _runtime ]]; then _runtime \"$@\"; else compdef _runtime runtime; fi\n")
	return b.String()
}

func zshFlags(b *strings.Builder, indent string, tables [][]flag) {
	for _, f := range visible(tables) {
		name, usage := placeholder(f)
		value := ""
		if f.kind != boolean {
			action := " "
			switch c := completes(f); {
			case c == "@dir":
				action = "_files -/"
			case c == "@file":
				action = "_files"
			case c != "":
				action = "(" + c + ")"
			}
			value = ":" + zshText(name) + ":" + action
		}
		again := ""
		if f.kind == list {
			again = "*"
		}
		for _, spelling := range []string{"--" + f.name, "-" + f.alias} {
			if spelling != "-" {
				fmt.Fprintf(b, "%s%s \\\n", indent, quote(again+spelling+"["+zshText(usage)+"]"+value))
			}
		}
	}
}

// zshText escapes what _arguments and _describe would take apart.
func zshText(s string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, "[", `\[`, "]", `\]`).Replace(s)
}

// quote makes a word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func usageOf(c *command) string {
	if c.usage == "" {
		return "show help"
	}
	return c.usage
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion for runtime, " + madeOf + `
function __runtime_containers
    set -l words (commandline -opc)
    set -l root
    for i in (seq (count $words))
        switch $words[$i]
            case --root
                set root --root $words[(math $i + 1)]
            case '--root=*'
                set root $words[$i]
        end
    end
    runtime $root list --quiet 2>/dev/null
end

function __runtime_codes
    runtime explain 2>/dev/null | string replace -r ' +' \t
end

complete -c runtime -f
`)
	var verbs []string
	for _, c := range offered() {
		verbs = append(verbs, c.name)
	}
	none := "not __fish_seen_subcommand_from " + strings.Join(verbs, " ")
	for _, c := range offered() {
		fmt.Fprintf(&b, "complete -c runtime -n %s -a %s -d %s\n", quote(none), c.name, fishQuote(usageOf(c)))
	}
	fishFlags(&b, none, globals)
	for _, c := range offered() {
		seen := "__fish_seen_subcommand_from " + c.name
		fishFlags(&b, seen, c.flags)
		words := map[string]string{"@container": "(__runtime_containers)", "@code": "(__runtime_codes)", "@verb": strings.Join(verbs, " ")}[argument(c)]
		if words != "" {
			fmt.Fprintf(&b, "complete -c runtime -n %s -a %s\n", quote(seen), fishQuote(words))
		}
	}
	return b.String()
}

func fishFlags(b *strings.Builder, condition string, tables [][]flag) {
	for _, f := range visible(tables) {
		_, usage := placeholder(f)
		fmt.Fprintf(b, "complete -c runtime -n %s -l %s", quote(condition), f.name)
		if f.alias != "" {
			b.WriteString(" -s " + f.alias)
		}
		if f.kind != boolean {
			switch c := completes(f); {
			case c == "@dir":
				b.WriteString(" -x -a '(__fish_complete_directories)'")
			case c == "@file":
				b.WriteString(" -r -F")
			case c != "":
				b.WriteString(" -x -a " + fishQuote(c))
			default:
				b.WriteString(" -x")
			}
		}
		b.WriteString(" -d " + fishQuote(usage) + "\n")
	}
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// completed are command lines, the last word of which a user completes.
var completed = []struct {
	words []string
	want  string // among others: "create"; not: "!create"
}{
	{[]string{"cre"}, "create"},
	{[]string{"exp"}, "explain"},
	{[]string{"--root", "/r", "de"}, "delete"},
	{[]string{"create", "--bun"}, "--bundle"},
	{[]string{"create", "--ro"}, "!--root"},
	{[]string{"--log-format", "j"}, "json"},
	{[]string{"list", "--format", "ta"}, "table"},
	{[]string{"delete", "--force", "fir"}, "first-box"},
	{[]string{"--root", "/r", "kill", "s"}, "second-box-in-/r"},
	{[]string{"create", "fir"}, "!first-box"},
	{[]string{"exec", "first-box", "--t"}, "!--tty"},
	{[]string{"explain", "mount-s"}, "mount-source"},
}

// shellWith runs a shell with a directory of its own in PATH, in which a runtime
// lists two containers and a code.
func shellWith(t *testing.T, name string, args ...string) string {
	t.Helper()
	shell, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " is not installed")
	}
	dir := t.TempDir()
	fake := `#!/bin/sh
case "$*" in
"--root /r list --quiet") echo second-box-in-/r ;;
"list --quiet") echo first-box ;;
explain) echo "mount-source  the source" ;;
*) exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "runtime"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, args...)
	cmd.Dir = "../../completions"
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "TERM=dumb")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func wantCompleted(t *testing.T, words []string, want, got string) {
	t.Helper()
	absent, isAbsent := strings.CutPrefix(want, "!")
	if slices.Contains(strings.Fields(got), absent) == isAbsent {
		t.Errorf("%q is completed to %q, want %s", words, strings.Fields(got), want)
	}
}

func TestBash(t *testing.T) {
	for _, c := range completed {
		var line strings.Builder
		for _, w := range c.words {
			line.WriteString(" " + quote(w))
		}
		script := fmt.Sprintf(`. ./runtime.bash; COMP_WORDS=(runtime%s); COMP_CWORD=%d; _runtime; printf '%%s\n' "${COMPREPLY[@]}"`, line.String(), len(c.words))
		wantCompleted(t, c.words, c.want, shellWith(t, "bash", "--norc", "-u", "-c", script))
	}
}

func TestFish(t *testing.T) {
	for _, c := range completed {
		if c.words[0] == "exec" {
			continue // fish goes on completing flags behind a container
		}
		script := "source runtime.fish; complete -C " + fishQuote("runtime "+strings.Join(c.words, " "))
		var words []string
		for line := range strings.Lines(shellWith(t, "fish", "--no-config", "-c", script)) {
			word, _, _ := strings.Cut(line, "\t")
			words = append(words, strings.TrimSpace(word))
		}
		wantCompleted(t, c.words, c.want, strings.Join(words, " "))
	}
}

// TestZsh: the file is one that zsh takes, and its completion system knows it
// then. What it offers is asked for through stand-ins of that system's parts.
func TestZsh(t *testing.T) {
	got := shellWith(t, "zsh", "-f", "-c", "autoload -U compinit; compinit -u -D; source ./_runtime; print -r -- $_comps[runtime]")
	if strings.TrimSpace(got) != "_runtime" {
		t.Errorf("registered: %q", got)
	}
	const standIns = `
compdef() { :; }
_call_program() { shift; "$@"; }
compadd() { print -rl -- ${(P)2}; }
_describe() { print -rl -- ${(P)2}; }
_arguments() { print -rl -- "$@"; state=arguments; line=(delete); }
source ./_runtime
`
	for call, want := range map[string]string{
		"_runtime_verbs":      "create:create a container",
		"_runtime_containers": "first-box",
		"typeset -A opt_args=(--root /r); _runtime_containers": "second-box-in-/r",
		"_runtime_codes": "mount-source",
		"_runtime":       "--force[kill what still runs; no error if there is nothing to delete]",
	} {
		got := shellWith(t, "zsh", "-f", "-c", standIns+call)
		if !slices.Contains(strings.Split(got, "\n"), want) {
			t.Errorf("%s offers %q, want %s", call, got, want)
		}
	}
}
