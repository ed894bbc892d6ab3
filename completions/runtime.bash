# bash completion for runtime, made of the tables in internal/cli: go test ./internal/cli -run TestCompletions -update

# _runtime_flags VERB: its flags; without a verb the program's.
_runtime_flags() {
    case $1 in
        '') echo '--root --log --log-format --debug --systemd-cgroup --cgroup-manager --rootless --timeout --version --help' ;;
        'create') echo '--bundle --config --console-socket --pidfd-socket --pid-file --no-pivot --no-new-keyring --preserve-fds --timeline --plan --help' ;;
        'run') echo '--bundle --config --console-socket --pidfd-socket --pid-file --no-pivot --no-new-keyring --preserve-fds --timeline --plan --detach --keep --no-subreaper --help' ;;
        'start') echo '--help' ;;
        'state') echo '--help' ;;
        'list') echo '--format --quiet --columns --help' ;;
        'kill') echo '--help' ;;
        'delete') echo '--force --help' ;;
        'exec') echo '--console-socket --pidfd-socket --cwd --env --tty --user --additional-gids --process --detach --pid-file --process-label --apparmor --no-new-privs --cap --preserve-fds --cgroup --ignore-paused --help' ;;
        'ps') echo '--format --help' ;;
        'pause') echo '--help' ;;
        'resume') echo '--help' ;;
        'update') echo '--resources --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period --cpu-rt-runtime --cpuset-cpus --cpuset-mems --cpu-idle --memory --memory-reservation --memory-swap --pids-limit --l3-cache-schema --mem-bw-schema --help' ;;
        'events') echo '--interval --stats --help' ;;
        'checkpoint') echo '--image-path --work-path --tcp-established --ext-unix-sk --shell-job --lazy-pages --file-locks --manage-cgroups-mode --empty-ns --auto-dedup --parent-path --leave-running --pre-dump --tcp-skip-in-flight --link-remap --status-fd --page-server --help' ;;
        'restore') echo '--image-path --work-path --tcp-established --ext-unix-sk --shell-job --lazy-pages --file-locks --manage-cgroups-mode --empty-ns --auto-dedup --bundle --config --console-socket --pid-file --detach --keep --no-subreaper --no-pivot --tcp-close --lsm-profile --lsm-mount-context --help' ;;
        'spec') echo '--bundle --rootless --help' ;;
        'check') echo '--bundle --format --help' ;;
        'doctor') echo '--format --quiet --help' ;;
        'gc') echo '--dry-run --help' ;;
        'features') echo '--help' ;;
        'explain') echo '--help' ;;
        'help') echo '--help' ;;
    esac
}

# _runtime_value VERB FLAG: what the flag's value may be. Fails if it takes none.
_runtime_value() {
    case "$1 $2" in
        ' --root') echo '@dir' ;;
        ' --log') echo '@file' ;;
        ' --log-format') echo 'text json' ;;
        ' --cgroup-manager') echo 'cgroupfs systemd disabled' ;;
        ' --rootless') echo 'true false auto' ;;
        ' --timeout') echo '' ;;
        'create --bundle' | 'create -b') echo '@dir' ;;
        'create --config' | 'create -f') echo '@file' ;;
        'create --console-socket') echo '@file' ;;
        'create --pidfd-socket') echo '@file' ;;
        'create --pid-file') echo '@file' ;;
        'create --preserve-fds') echo '' ;;
        'create --timeline') echo '@file' ;;
        'run --bundle' | 'run -b') echo '@dir' ;;
        'run --config' | 'run -f') echo '@file' ;;
        'run --console-socket') echo '@file' ;;
        'run --pidfd-socket') echo '@file' ;;
        'run --pid-file') echo '@file' ;;
        'run --preserve-fds') echo '' ;;
        'run --timeline') echo '@file' ;;
        'list --format' | 'list -f') echo 'table json' ;;
        'list --columns') echo 'id pid status bundle created owner age memory cause' ;;
        'exec --console-socket') echo '@file' ;;
        'exec --pidfd-socket') echo '@file' ;;
        'exec --cwd') echo '@dir' ;;
        'exec --env' | 'exec -e') echo '' ;;
        'exec --user' | 'exec -u') echo '' ;;
        'exec --additional-gids' | 'exec -g') echo '' ;;
        'exec --process' | 'exec -p') echo '@file' ;;
        'exec --pid-file') echo '@file' ;;
        'exec --process-label') echo '' ;;
        'exec --apparmor') echo '' ;;
        'exec --cap' | 'exec -c') echo '' ;;
        'exec --preserve-fds') echo '' ;;
        'exec --cgroup') echo '' ;;
        'ps --format' | 'ps -f') echo 'table json' ;;
        'update --resources' | 'update -r') echo '@file' ;;
        'update --blkio-weight') echo '' ;;
        'update --cpu-period') echo '' ;;
        'update --cpu-quota') echo '' ;;
        'update --cpu-burst') echo '' ;;
        'update --cpu-share') echo '' ;;
        'update --cpu-rt-period') echo '' ;;
        'update --cpu-rt-runtime') echo '' ;;
        'update --cpuset-cpus') echo '' ;;
        'update --cpuset-mems') echo '' ;;
        'update --cpu-idle') echo '' ;;
        'update --memory') echo '' ;;
        'update --memory-reservation') echo '' ;;
        'update --memory-swap') echo '' ;;
        'update --pids-limit') echo '' ;;
        'update --l3-cache-schema') echo '' ;;
        'update --mem-bw-schema') echo '' ;;
        'events --interval') echo '' ;;
        'checkpoint --image-path') echo '@dir' ;;
        'checkpoint --work-path') echo '@dir' ;;
        'checkpoint --manage-cgroups-mode') echo '' ;;
        'checkpoint --empty-ns') echo '' ;;
        'checkpoint --parent-path') echo '@dir' ;;
        'checkpoint --status-fd') echo '' ;;
        'checkpoint --page-server') echo '' ;;
        'restore --image-path') echo '@dir' ;;
        'restore --work-path') echo '@dir' ;;
        'restore --manage-cgroups-mode') echo '' ;;
        'restore --empty-ns') echo '' ;;
        'restore --bundle' | 'restore -b') echo '@dir' ;;
        'restore --config' | 'restore -f') echo '@file' ;;
        'restore --console-socket') echo '@file' ;;
        'restore --pid-file') echo '@file' ;;
        'restore --lsm-profile') echo '' ;;
        'restore --lsm-mount-context') echo '' ;;
        'spec --bundle' | 'spec -b') echo '@dir' ;;
        'check --bundle' | 'check -b') echo '@dir' ;;
        'check --format' | 'check -f') echo 'text json' ;;
        'doctor --format' | 'doctor -f') echo '' ;;
        *) return 1 ;;
    esac
}

# _runtime_argument VERB: what its first argument is.
_runtime_argument() {
    case $1 in
        'start') echo '@container' ;;
        'state') echo '@container' ;;
        'kill') echo '@container' ;;
        'delete') echo '@container' ;;
        'exec') echo '@container' ;;
        'ps') echo '@container' ;;
        'pause') echo '@container' ;;
        'resume') echo '@container' ;;
        'update') echo '@container' ;;
        'events') echo '@container' ;;
        'checkpoint') echo '@container' ;;
        'explain') echo '@code' ;;
        'help') echo '@verb' ;;
    esac
}

# _runtime_words KIND: what to choose from.
_runtime_words() {
    case $1 in
        @verb) echo 'create run start state list kill delete exec ps pause resume update events checkpoint restore spec check doctor gc features explain help' ;;
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
        elif [[ $word == -* && ! ($arguments -gt 0 && ' exec ps ' == *" $verb "*) ]]; then
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
    elif [[ $arguments -gt 0 && ' exec ps ' == *" $verb "* ]]; then
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
