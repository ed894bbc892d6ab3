# shellcheck shell=bash
# tree.sh - the first layer: a Debian root file system as a tar file, made by mmdebstrap. It takes minutes and the
# network, so it knows nothing of kernels and of our own guest files; they come on top of it (image.sh).

# What every guest has: systemd with its user sessions, what the tests call, and two other runtimes to compare with.
# iptables is for criu, which locks a container's network with it; memtester to run into memory limits.
guest_packages=(
  systemd systemd-sysv dbus dbus-user-session libpam-systemd udev kmod
  apparmor uidmap iproute2 iptables procps busybox-static
  runc crun criu jq bats strace memtester
)

tree_key() {
  { echo "$VM_SUITE $VM_PACKAGES" && cat "$here/lib/tree.sh"; } | digest
}

# suite_sources SUITE: its lines for sources.list. A suite named -security lives in the security archive alone.
suite_sources() {
  local key='' keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ ! -e $keyring ] || key="[signed-by=$keyring] "
  case $1 in
    *-security) [ -z "$VM_SECURITY_MIRROR" ] || echo "deb $key$VM_SECURITY_MIRROR $1 main" ;;
    *) echo "deb $key$VM_MIRROR $1 main" ;;
  esac
}

# build_tree DIR: make DIR/root.tar.
build_tree() {
  local out=$1.tmp line options=()
  [ "$(id -u)" = 0 ] || die 77 "building the guest needs root (running it does not)"
  need_commands mmdebstrap:mmdebstrap apt-get:apt
  find_mirrors
  while read -r line; do options+=(--aptopt="$line"); done < <(apt_settings)
  say "building a $VM_SUITE tree from $VM_MIRROR (some minutes)"
  mkdir -p "$out"
  { suite_sources "$VM_SUITE" && suite_sources "$VM_SUITE-security"; } |
    mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io "${options[@]}" \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' \
      --include="$(IFS=, && echo "${guest_packages[*]}")${VM_PACKAGES:+,$VM_PACKAGES}" \
      "$VM_SUITE" "$out/root.tar" - || die 125 "mmdebstrap did not make the tree"
  mv "$out" "$1"
}
