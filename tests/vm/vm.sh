#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# vm.sh - run a command in a throw-away Debian virtual machine: systemd as PID 1, pure cgroup v2 (or hybrid, or v1),
# AppArmor, every controller. It needs QEMU but not KVM. README.md tells how it works; the files, in the order of
# work, are lib/host.sh, lib/tree.sh, lib/image.sh, lib/machine.sh and guest/.
#
#   vm.sh build                        make and save the guest (root, once per settings; the others do it if needed)
#   vm.sh run [-u USER] [-k] CMD [ARG]…  run CMD in the guest. One word alone is a bash script; more are an argv.
#                                      -u: as USER with a login session (`test` has sub-ids and delegated cgroups)
#                                      -k: keep the work directory (console log, status) and say where it is
#   vm.sh shell                        a root shell in the guest on this terminal; `poweroff` or C-a x leaves
#   vm.sh clean                        delete everything in the cache
#
# Standard output and error of CMD come out on standard output, its exit status is ours. Standard input is empty.
# Other exit statuses: 2 wrong usage, 77 this host cannot run the VM (says what is missing), 124 VM_TIMEOUT passed,
# 125 no guest: the build failed, or the guest died before CMD ended (its console is printed).
#
# Settings, from the environment:
#   VM_SHARE=DIR     its contents are in the guest's /share, writable, private to this run
#   VM_OUT=DIR       what CMD leaves in the guest's /out arrives here, also when CMD fails
#   VM_TIMEOUT=300   seconds for the whole run
#   VM_CGROUP=v2     v2, hybrid or v1
#   VM_KERNEL=linux-image-cloud-amd64[/SUITE]   kernel package, of the guest's suite or of another; or a .deb file
#   VM_PACKAGES=     more packages for the image, comma-separated (podman,containerd,…)
#   VM_SUITE=bookworm VM_MIRROR= VM_SECURITY_MIRROR=   (mirrors: where this host's apt gets its own packages)
#   VM_MEM=2048 (MiB) VM_CPUS=2 VM_ACCEL=tcg,… (or kvm) VM_APPEND= (kernel command line)
#   VM_COLD=1        boot instead of resuming the saved guest
#   VM_CACHE=${XDG_CACHE_HOME:-~/.cache}/ociruntime-vm
set -euo pipefail

: "${VM_SHARE:=}" "${VM_OUT:=}" "${VM_TIMEOUT:=300}" "${VM_CGROUP:=v2}" "${VM_KERNEL:=linux-image-cloud-amd64}"
: "${VM_PACKAGES:=}" "${VM_SUITE:=bookworm}" "${VM_MIRROR:=}" "${VM_SECURITY_MIRROR:=}" "${VM_MEM:=2048}"
: "${VM_CPUS:=2}" "${VM_ACCEL:=tcg,thread=multi,tb-size=256}" "${VM_APPEND:=}" "${VM_COLD:=}"
: "${VM_CACHE:=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ociruntime-vm}"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Debian keeps mke2fs and chroot in directories that an ordinary user's PATH lacks.
PATH=$PATH:/usr/sbin:/sbin

say() { echo "vm.sh: $*" >&2; }
die() { # die STATUS MESSAGE…
  local status=$1
  shift
  say "$@"
  exit "$status"
}
digest() { sha256sum | cut -c1-12; }

# shellcheck source=lib/host.sh
. "$here/lib/host.sh"
# shellcheck source=lib/tree.sh
. "$here/lib/tree.sh"
# shellcheck source=lib/image.sh
. "$here/lib/image.sh"
# shellcheck source=lib/machine.sh
. "$here/lib/machine.sh"

# layers names the three cached layers. Each name holds a digest of all that decides its contents, so that a changed
# setting or recipe is a new name, and nothing stale is ever used.
layers() {
  tree=$VM_CACHE/tree-$VM_SUITE-$(tree_key)
  image=$VM_CACHE/image-$VM_SUITE-$(image_key)
  state=$VM_CACHE/state-$VM_CGROUP-$(state_key)
}

# ensure LAYER: make a layer that is absent. One builder at a time; each layer appears by a rename, so that a reader
# never sees half of one and needs no lock.
ensure() {
  [ ! -d "${!1}" ] || return 0
  # The message of mkdir or the shell says why; no guest is no failed test.
  { mkdir -p "$VM_CACHE" && exec 7>"$VM_CACHE/lock"; } || die 77 "the guest is not built, and $VM_CACHE cannot keep one"
  flock -n 7 || {
    say "waiting for another build"
    flock 7
  }
  rm -rf "$VM_CACHE"/*.tmp
  build "$1" >&2
  prune
  exec 7>&-
}

# build LAYER: make it, and first the layer below it. The caller holds the lock.
build() {
  local dir=${!1}
  [ ! -d "$dir" ] || return 0
  case $1 in
    tree) build_tree "$dir" ;;
    image)
      build tree
      build_image "$dir"
      ;;
    state)
      build image
      save_state "$dir"
      ;;
  esac
}

# prune deletes layers that nothing has used for three days: each change of the recipe leaves about 1 GB behind.
prune() {
  find "$VM_CACHE" -mindepth 1 -maxdepth 1 -type d -mtime +3 -exec rm -rf {} +
}

main() {
  local verb=${1:-}
  shift || true
  case $verb in
    build | run | shell)
      need_commands qemu-system-x86_64:qemu-system-x86 mke2fs:e2fsprogs
      cgroup_append >/dev/null
      layers
      ;;
  esac
  case $verb in
    build) ensure state ;;
    run) run_guest "$@" ;;
    shell) shell_guest ;;
    clean) rm -rf "$VM_CACHE" ;;
    *)
      sed -n '3,/^set/s/^# \{0,1\}//p' "$here/vm.sh" >&2
      exit 2
      ;;
  esac
}

main "$@"
