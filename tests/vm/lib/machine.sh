# shellcheck shell=bash
# machine.sh - the third layer and its use: boot once, save RAM and disk when systemd has settled; then every run
# resumes that state with all disks in snapshot mode, so that runs are throw-away and can go in parallel.

# The share's disk has one fixed (sparse) size, since a resumed guest already knows how large it is.
share_size=2G

state_key() {
  {
    image_key
    echo "$VM_CGROUP $VM_MEM $VM_CPUS $VM_ACCEL $VM_APPEND"
    # A saved state fits the QEMU that saved it and, with KVM, the processor.
    qemu-system-x86_64 --version
    [ "${VM_ACCEL%%,*}" = tcg ] || grep -m1 -E '^model name' /proc/cpuinfo
    cat "$here/lib/machine.sh"
  } | digest
}

cgroup_append() {
  case $VM_CGROUP in
    v2) echo systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all ;;
    hybrid) echo systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 ;;
    v1) echo systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1 \
      SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 ;;
    *) die 2 "VM_CGROUP=$VM_CGROUP is not v2, hybrid or v1" ;;
  esac
}

# machine DISK SNAPSHOT SHARE WORK: set $machine to QEMU's arguments. Devices must not differ between saving and
# resuming; what they are connected to (chardevs, the serial line) may.
machine() {
  local disk=${1//,/,,} snapshot=$2 share=${3//,/,,} work=${4//,/,,} append
  append="console=ttyS0 quiet panic=-1 mitigations=off no_timer_check init_on_alloc=0 $(cgroup_append) $VM_APPEND"
  # shellcheck disable=SC2054 # the commas belong to QEMU
  machine=(
    # la57 and svm are off for speed: TCG walks a fifth page-table level, and the kernel probes for nested KVM. cx16 is
    # off since QEMU 7.2.22's TCG leaves garbage in EFLAGS after cmpxchg16b: Linux 6.12.95 dies of it in every boot, by
    # a double fault in kmem_cache_alloc. Without cx16 the kernel takes other code, on every version.
    -machine q35,usb=off -accel "$VM_ACCEL" -cpu max,la57=off,svm=off,cx16=off -smp "$VM_CPUS" -m "$VM_MEM"
    -nodefaults -no-user-config -display none -no-reboot
    -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "$append"
    -drive "if=none,id=root,file=$disk,format=raw,snapshot=$snapshot" -device virtio-blk-pci,drive=root
    -drive "if=none,id=share,file=$share,format=raw,snapshot=on" -device virtio-blk-pci,drive=share
    -device virtio-serial-pci -device virtserialport,chardev=io,name=io
    -chardev "file,id=rc,path=$work/rc" -device virtserialport,chardev=rc,name=rc
    -chardev "file,id=out,path=$work/out.tar" -device virtserialport,chardev=out,name=out
  )
}

make_share() { # make_share DIR FILE
  mke2fs -q -t ext4 -m 0 -O ^has_journal -E lazy_itable_init=1 -d "$1" "$2" "$share_size" >/dev/null
}

# save_state DIR: boot, wait for the agent, save. The guest must not be stopped first, or it would resume stopped;
# and its io port must stay open on our side (a FIFO we hold), or the agent would read end-of-file.
save_state() {
  local dir=$1.tmp qemu
  say "booting the guest once (VM_CGROUP=$VM_CGROUP)"
  mkdir -p "$dir/empty"
  make_share "$dir/empty" "$dir/share"
  cp --sparse=always --reflink=auto "$image/root.ext4" "$dir/disk"
  mkfifo "$dir/io.in" "$dir/io.out" "$dir/monitor"
  machine "$dir/disk" off "$dir/share" "$dir"
  exec 8<>"$dir/io.in" 9<>"$dir/monitor"
  setpriv --pdeathsig TERM qemu-system-x86_64 "${machine[@]}" -serial "file:$dir/console" \
    -chardev "pipe,id=io,path=${dir//,/,,}/io" -monitor stdio <&9 >"$dir/monitor.log" 7>&- &
  qemu=$!
  # shellcheck disable=SC2064 # expand now
  trap "kill $qemu 2>/dev/null || true; rm -rf '$dir'" EXIT
  trap 'exit 130' INT TERM
  wait_ready "$qemu" "$dir/console"
  printf 'migrate_set_parameter max-bandwidth 100G\nmigrate "exec:cat >%s"\nquit\n' "'$dir/ram'" >&9
  wait "$qemu" || die 125 "QEMU ended with status $? while saving the guest"
  exec 8>&- 9>&-
  if [ ! -s "$dir/ram" ]; then
    cat "$dir/monitor.log" >&2
    die 125 "QEMU saved nothing"
  fi
  rm -rf "$dir"/{empty,io.in,io.out,monitor,monitor.log,rc,out.tar}
  trap - EXIT INT TERM
  mv "$dir" "$1"
  # A state that does not resume is worth nothing: find out now.
  VM_SHARE='' VM_OUT='' VM_TIMEOUT=120 "$here/vm.sh" run true 7>&- || {
    rm -rf "$1"
    die 125 "the saved guest does not resume"
  }
}

# wait_ready PID CONSOLE: wait until the agent reports on the console, where the login shell's prompt may come first.
wait_ready() {
  local deadline=$((SECONDS + 600))
  until grep -aq 'vm-agent: ready' "$2" 2>/dev/null; do
    if ! kill -0 "$1" 2>/dev/null || [ $SECONDS -gt $deadline ]; then
      cat "$2" >&2
      die 125 "the guest did not come up"
    fi
    sleep 0.5
  done
  grep -ao 'vm-agent:.*' "$2" >&2
}

# open_guest: everything up to starting QEMU. Sets machine and work, and opens fd 8, the way to the agent.
open_guest() {
  local disk share
  if [ -n "$VM_COLD" ]; then
    ensure image
    disk=$image/root.ext4 share=''
  else
    ensure state
    disk=$state/disk share=$state/share
  fi
  touch -c "$tree" "$image" "$state" 2>/dev/null || true # prune goes by this; another user's cache is not ours to touch
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # expand now
  trap "rm -rf '$work'" EXIT
  if [ -n "$VM_SHARE" ] || [ -z "$share" ]; then
    mkdir "$work/empty"
    share=$work/share
    make_share "${VM_SHARE:-$work/empty}" "$share"
  fi
  machine "$disk" on "$share" "$work"
  [ -n "$VM_COLD" ] || machine+=(-incoming "exec:cat '$state/ram'")
  mkfifo "$work/io.in" "$work/io.out"
  exec 8<>"$work/io.in"
}

# order USER SCRIPT: what the agent waits for on its io port, see guest/vm-agent.
order() {
  printf '%s %s %s\n%s' "$(date +%s)" "$1" "$(printf %s "$2" | wc -c)" "$2"
}

run_guest() {
  local OPTIND=1 option user=root keep='' script work order_pid status=0
  while getopts u:k option; do
    case $option in
      u) user=$OPTARG ;;
      k) keep=yes ;;
      *) exit 2 ;;
    esac
  done
  shift $((OPTIND - 1))
  case $# in
    0) die 2 "run what?" ;;
    1) script=$1 ;;
    *) script=$(printf '%q ' "$@") ;;
  esac
  open_guest
  # shellcheck disable=SC2064 # expand now
  [ -z "$keep" ] || trap "say 'kept $work'" EXIT
  order "$user" "$script" >&8 &
  order_pid=$!
  run_machine || status=$?
  kill "$order_pid" 2>/dev/null || true # a long script that nobody read
  if [ -n "$VM_OUT" ] && [ -s "$work/out.tar" ]; then
    mkdir -p "$VM_OUT"
    tar -C "$VM_OUT" --no-same-owner -xf "$work/out.tar"
  fi
  [ "$status" != 124 ] || die 124 "no end after VM_TIMEOUT=$VM_TIMEOUT s"
  if [ ! -s "$work/rc" ]; then
    cat "$work/console" >&2 || true
    die 125 "the guest died (QEMU's status: $status)"
  fi
  return "$(<"$work/rc")"
}

# run_machine: QEMU in the background, so that a signal to us is acted upon at once and takes it along.
run_machine() {
  local qemu status=0
  setpriv --pdeathsig TERM timeout -k 5 "$VM_TIMEOUT" qemu-system-x86_64 "${machine[@]}" \
    -serial "file:$work/console" -chardev stdio,id=io,signal=off <&8 &
  qemu=$!
  # shellcheck disable=SC2064 # expand now
  trap "kill $qemu; exit 130" INT TERM
  wait "$qemu" || status=$?
  trap - INT TERM
  return "$status"
}

# shell_guest resumes with the serial line, where root is logged in already, on this terminal.
shell_guest() {
  local work
  open_guest
  order - '' >&8
  say "press Enter for the prompt; poweroff or C-a x leaves"
  qemu-system-x86_64 "${machine[@]}" -serial mon:stdio -chardev "pipe,id=io,path=${work//,/,,}/io"
}
