#!/bin/bash
# selftest.sh [RUNTIME…] - does the harness itself work, and is its guest fit to test container runtimes in? Takes the
# settings of vm.sh. RUNTIME: what the guest's checks drive, runc and crun by default; a path on this host is carried
# in. RUNS=20 is how many resumed runs in a row must work.
set -uo pipefail

vm=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/vm.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# expect STATUS OUTPUT NAME COMMAND…
expect() {
  local want_status=$1 want=$2 name=$3 got status
  shift 3
  got=$("$@" 2>"$work/stderr")
  status=$?
  if [ "$status" = "$want_status" ] && [ "$got" = "$want" ]; then
    echo "ok      $name"
    return
  fi
  echo "FAILED  $name: status $status, not $want_status; output \"$got\", not \"$want\""
  sed 's/^/        /' "$work/stderr"
  failed=$((failed + 1))
}

shared() { VM_SHARE=$work/share VM_OUT=$work/out "$vm" run "$@"; }
short() { VM_TIMEOUT=$1 "$vm" run "${@:2}"; }
checksum() { "$vm" run "$@" | md5sum; }

dying() {
  local status
  short $((enough + 60)) 'echo c >/proc/sysrq-trigger; sleep 60' 2>"$work/log"
  status=$?
  grep -o -m1 'Kernel panic' "$work/log"
  return "$status"
}

# without_qemu: as a user who may not install it either.
without_qemu() {
  local status
  mkdir "$work/bin"
  ln -s /usr/bin/* "$work/bin/"
  rm -f "$work/bin/qemu-system-x86_64"
  cp -r "${vm%/*}" "$work/vm"
  chmod -R go+rX "$work"
  setpriv --reuid 65534 --regid 65534 --clear-groups env PATH="$work/bin" "$work/vm/vm.sh" run true 2>"$work/log"
  status=$?
  grep -o 'missing: qemu-system-x86' "$work/log"
  return "$status"
}

# pair: two runs at the same time, each sure of its own answer.
pair() {
  local first second
  "$vm" run 'sleep 1; echo first' >"$work/first" &
  first=$!
  "$vm" run 'sleep 1; echo second' >"$work/second" &
  second=$!
  wait "$first" && wait "$second" && cat "$work/first" "$work/second"
}

runs() { # runs N: in a row; prints how many worked, and how long they took
  local i good=0
  for ((i = 0; i < $1; i++)); do
    [ "$("$vm" run 'echo here')" != here ] || good=$((good + 1))
  done
  echo "$good"
}

mkdir "$work/share"
echo carried >"$work/share/file"
"$vm" build || exit

SECONDS=0
expect 0 'here' 'output' "$vm" run 'echo here'
enough=$((2 * SECONDS + 5)) # for a run on this host, as busy as it is
expect 7 'both' 'exit status, standard error' "$vm" run 'echo both >&2; exit 7'
expect 0 '[a b]' 'several words are an argv' "$vm" run printf '[%s]' 'a b'
# shellcheck disable=SC2016 # for the guest
expect 0 '1000 /home/test /run/user/1000' 'another user' "$vm" run -u test 'echo $(id -u) $PWD $XDG_RUNTIME_DIR'
expect 0 "$(seq 300000 | md5sum)" '2 MB of output' checksum 'seq 300000'
expect 3 'carried' 'share' shared 'cat /share/file; echo back >/out/file; exit 3'
expect 0 'back' '/out, also after a failure' cat "$work/out/file"
expect 0 'x' 'a process left behind does not matter' short $((enough + 60)) 'sleep 600 & echo x'
expect 124 'begun' 'time-out' short "$enough" 'echo begun; sleep 600'
expect 125 'Kernel panic' 'a guest that dies, its console' dying
expect 2 '' 'wrong usage' "$vm" run
expect 0 $'first\nsecond' 'two at once' pair
expect 77 'missing: qemu-system-x86' 'no qemu, no root' without_qemu
SECONDS=0
expect 0 "${RUNS:=20}" "$RUNS runs in a row" runs "$RUNS"
echo "        $((SECONDS * 1000 / RUNS)) ms each"

[ $# -gt 0 ] || set -- runc crun
runtimes=()
for runtime; do
  if [ -f "$runtime" ]; then
    cp "$runtime" "$work/share/"
    runtime=/share/${runtime##*/}
  fi
  runtimes+=("$runtime")
done
cp "${vm%/*}/selftest-guest.sh" "$work/share/"
shared bash /share/selftest-guest.sh "${runtimes[@]}" || failed=$((failed + $?))
echo "$failed failed"
[ "$failed" = 0 ]
