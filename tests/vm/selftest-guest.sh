#!/bin/bash
# selftest-guest.sh RUNTIME… - is this guest fit to test container runtimes in? Runs in the guest, as root, started by
# selftest.sh. Each check prints one line; the exit status is the number of checks that failed.
# shellcheck disable=SC2317 # most functions are called through check
set -uo pipefail

failed=0
work=$(mktemp -d)
chmod 755 "$work"
mode=$(stat -fc %T /sys/fs/cgroup) # cgroup2fs: pure v2; tmpfs: hybrid or v1

# check NAME COMMAND…: the command's output is shown only if it fails.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "ok      $name"
    return
  fi
  echo "FAILED  $name"
  echo "$*: $output" | sed 's/^/        /'
  failed=$((failed + 1))
  return 1
}

# is WANT COMMAND…: the command prints WANT.
is() {
  local want=$1 got
  shift
  got=$("$@") || return
  [ "$got" = "$want" ] || { echo "printed \"$got\", not \"$want\"" && return 1; }
}

# until_true COMMAND…: within ten seconds.
until_true() {
  local deadline=$((SECONDS + 10)) output
  until output=$("$@" 2>&1); do
    [ "$SECONDS" -lt "$deadline" ] || { echo "not within 10 s: $output" && return 1; }
    sleep 0.05
  done
}

# bundle DIR JQ-FILTER SCRIPT [SPEC-FLAG]: a busybox bundle that runs SCRIPT. DIR does not exist yet.
bundle() {
  local dir=$1 filter=$2 script=$3
  shift 3
  mkdir -p "$dir"/rootfs/{bin,tmp,proc,dev,sys}
  cp /bin/busybox "$dir/rootfs/bin/"
  ln -s busybox "$dir/rootfs/bin/sh"
  ln -s busybox "$dir/rootfs/bin/sleep"
  (cd "$dir" && runc spec "$@")
  jq --arg script "$script" '.process.terminal = false | .process.args = ["sh", "-c", $script] | .root.readonly = false
    | '"$filter" "$dir/config.json" >"$dir/new.json"
  mv "$dir/new.json" "$dir/config.json"
}

# detached COMMAND…: start a container whose standard streams are nobody's terminal and nobody's file.
detached() {
  "$@" </dev/null >/dev/null 2>&1
}

guest_checks() {
  check 'PID 1 is systemd' is systemd cat /proc/1/comm
  check 'systemd is content' is running systemctl is-system-running
  check 'AppArmor is on' is Y cat /sys/module/apparmor/parameters/enabled
  check 'test has a user manager' is active systemctl is-active user@1000.service
  check 'test has sub-ids' grep -q '^test:100000:65536$' /etc/subuid /etc/subgid
  check 'test may make user namespaces' runuser -l test -c 'unshare -r true'
  check 'test reaches its bus' runuser -l test -c 'busctl --user status'
  check 'overlay works' overlay_works
  if [ "$mode" = cgroup2fs ]; then
    check 'no cgroup v1 is mounted' bash -c "! grep ' - cgroup ' /proc/self/mountinfo"
    # misc is newer than the oldest kernel we test, 5.10.
    check 'all controllers are there' grep -qE '^cpuset cpu io memory hugetlb pids rdma( misc)?$' /sys/fs/cgroup/cgroup.controllers
    check 'test has controllers' is 'cpuset cpu io memory pids' \
      cat /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers
  fi
}

overlay_works() {
  local dir=$work/overlay
  mkdir -p "$dir"/{lower,upper,work,merged}
  mount -t overlay overlay -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" "$dir/merged" &&
    umount "$dir/merged"
}

# systemd_checks RUNTIME: limits arrive in the unit and in the cgroup; pause, resume and delete work.
systemd_checks() {
  local run=("$1" --systemd-cgroup) name=${1##*/} scope
  scope=vmtest-$name.scope
  bundle "$work/$name-systemd" '.linux.cgroupsPath = "system.slice:vmtest:'"$name"'" | .linux.resources =
    {memory: {limit: 67108864}, cpu: {quota: 50000, period: 100000}, pids: {limit: 32}}' 'sleep 600'
  check "$name: run --systemd-cgroup" detached "${run[@]}" run -d -b "$work/$name-systemd" "$name"
  check "$name: the scope is active" is active systemctl show -P ActiveState "$scope"
  check "$name: memory limit in the cgroup" is 67108864 memory_limit "$1" "$name"
  # crun 1.8 only limits a cgroup of its own, below the scope.
  if [ "$name" != crun ]; then
    check "$name: memory limit in the unit" is 67108864 systemctl show -P "$(either MemoryMax MemoryLimit)" "$scope"
    check "$name: CPU quota in the unit" is 500ms systemctl show -P CPUQuotaPerSecUSec "$scope"
    check "$name: TasksMax in the unit" is 32 systemctl show -P TasksMax "$scope"
  fi
  check "$name: pause" "${run[@]}" pause "$name"
  check "$name: is paused" is paused status "$1" "$name"
  check "$name: resume" "${run[@]}" resume "$name"
  check "$name: kill" "${run[@]}" kill "$name" KILL
  check "$name: delete" until_true "${run[@]}" delete "$name"
  check "$name: the scope is gone" until_true is inactive systemctl show -P ActiveState "$scope"
}

# memory_limit RUNTIME ID: what the kernel holds for the container's process.
memory_limit() {
  local groups
  groups=/proc/$("$1" state "$2" | jq .pid)/cgroup
  if [ "$mode" = cgroup2fs ]; then
    cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "$groups")/memory.max"
  else
    cat "/sys/fs/cgroup/memory$(sed -n 's/^.*:memory://p' "$groups")/memory.limit_in_bytes"
  fi
}

# either V2 V1: the word that fits this guest.
either() {
  if [ "$mode" = cgroup2fs ]; then echo "$1"; else echo "$2"; fi
}

status() { # status RUNTIME ID
  "$1" state "$2" | jq -r .status
}

# apparmor_checks RUNTIME: a profile is in force, and refuses what it should.
apparmor_checks() {
  local name=${1##*/} dir=$work/${1##*/}-apparmor
  bundle "$dir" '.process.apparmorProfile = "vmtest"' \
    'busybox cat /proc/self/attr/current; echo x >/tmp/denied || busybox touch /allowed'
  check "$name: AppArmor profile" is 'vmtest (enforce)' "$1" run -b "$dir" "$name-apparmor"
  check "$name: AppArmor lets the rest pass" test -e "$dir/rootfs/allowed"
  check "$name: AppArmor denies" test ! -e "$dir/rootfs/tmp/denied"
}

load_profile() {
  apparmor_parser -r <<'PROFILE'
profile vmtest flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  deny /tmp/** w,
}
PROFILE
}

# rootless_checks RUNTIME: as test, in a login session; on v2 with a limit set by the user's own systemd. A v1
# hierarchy cannot be delegated safely, so there a rootless container has no cgroup of its own.
rootless_checks() {
  local name=${1##*/} dir=$work/${1##*/}-rootless script='busybox id -u' want=0 flags='' resources='del(.linux.resources)'
  if [ "$mode" = cgroup2fs ]; then
    script+='; busybox cat /sys/fs/cgroup/pids.max' want=$'0\n32' flags=--systemd-cgroup
    resources='.linux.resources = {pids: {limit: 32}} | .linux.cgroupsPath = "user.slice:vmtest:'"$name"'"
      | .linux.namespaces |= (. + [{type: "cgroup"}] | unique_by(.type))'
  fi
  # runc spec writes the ids of its caller, who is root.
  bundle "$dir" "$resources"' | .linux.uidMappings[0].hostID = 1000 | .linux.gidMappings[0].hostID = 1000' \
    "$script" --rootless
  chown -R test "$dir"
  check "$name: rootless" is "$want" runuser -l test -c "'$1' $flags run -b '$dir' '$name'"
}

# criu_checks RUNTIME: a counter goes on counting where it was.
criu_checks() {
  local name=${1##*/} dir=$work/${1##*/}-criu env='' before after
  # glibc registers restartable sequences with the kernel. Before Linux 5.13 CRIU can neither read them back from a
  # process, nor take leave of its own while it becomes one.
  if [[ $(uname -r) = 5.10.* ]]; then
    export GLIBC_TUNABLES=glibc.pthread.rseq=0
    env="\"GLIBC_TUNABLES=$GLIBC_TUNABLES\""
  fi
  # shellcheck disable=SC2016 # for the container's shell
  bundle "$dir" ".process.env += [$env]" \
    'i=0; while :; do i=$((i+1)); echo $i >/tmp/new; busybox mv /tmp/new /tmp/counter; sleep 0.05; done'
  check 'criu check' criu check
  # A pipe for the streams: CRIU cannot find the mount of a file outside the container.
  check "$name: run a counter" pipes "$1" run -d -b "$dir" counter
  check "$name: it counts" until_true counter_above 20 "$dir"
  check "$name: checkpoint" explained "$dir/log/dump.log" \
    "$1" checkpoint --image-path "$dir/image" --work-path "$dir/log" counter || return
  before=$(<"$dir/rootfs/tmp/counter")
  check "$name: restore" explained "$dir/log/restore.log" pipes \
    "$1" restore -d --image-path "$dir/image" --work-path "$dir/log" -b "$dir" counter || return
  check "$name: it counts on" until_true counter_above "$before" "$dir"
  after=$(<"$dir/rootfs/tmp/counter")
  check "$name: from where it was ($before, then $after)" test "$after" -lt $((before + 200))
  "$1" delete -f counter
}

# explained LOG COMMAND…: if it fails, with the complaints of CRIU's log.
explained() {
  local log=$1
  shift
  "$@" || { grep -E 'Error|Warn' "$log" && return 1; }
}

# pipes COMMAND…: its standard streams are pipes, whose other end nobody waits for.
pipes() {
  "$@" < <(:) > >(cat >"$work/output" 2>/dev/null) 2>&1 || { cat "$work/output" && return 1; }
}

counter_above() {
  [ "$(cat "$2/rootfs/tmp/counter" 2>/dev/null || echo 0)" -gt "$1" ]
}

guest_checks
load_profile
for runtime; do
  systemd_checks "$runtime"
  apparmor_checks "$runtime"
  rootless_checks "$runtime"
  if "$runtime" checkpoint --help >/dev/null 2>&1; then criu_checks "$runtime"; fi
done
rm -rf "$work"
exit "$failed"
