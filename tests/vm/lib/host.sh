# shellcheck shell=bash
# host.sh - what the host must have: commands, and a Debian mirror its own apt already uses.

# need_commands COMMAND:PACKAGE…: install what is missing where we may, else say so and end with status 77.
need_commands() {
  local pair missing=()
  [ "$(uname -m)" = x86_64 ] || die 77 "the guest is x86-64, and so must this host be (it is $(uname -m))"
  for pair; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die 77 "cannot run the VM here, missing: ${missing[*]} (on Debian, as root: apt-get install ${missing[*]})"
  fi
  say "installing ${missing[*]}"
  install_packages "${missing[@]}" || die 77 "cannot run the VM here: apt-get install ${missing[*]} did not work"
}

install_packages() {
  local install=(apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends)
  export DEBIAN_FRONTEND=noninteractive
  "${install[@]}" "$@" >/dev/null || { apt-get -qq update >&2 && "${install[@]}" "$@" >/dev/null; }
}

# find_mirrors sets VM_MIRROR and VM_SECURITY_MIRROR, unless given, to where this host's apt gets its own packages.
# A machine that reaches Debian at all reaches it there; no address is better than that one.
find_mirrors() {
  local update
  for update in '' yes; do
    [ -z "$VM_MIRROR" ] || return 0
    [ -z "$update" ] || [ "$(id -u)" != 0 ] || apt-get -qq update >&2 || true
    VM_MIRROR=$(repository Debian)
    : "${VM_SECURITY_MIRROR:=$(repository Debian-Security)}"
  done
  [ -n "$VM_MIRROR" ] || die 77 "cannot build the VM here: no Debian mirror in apt's sources (set VM_MIRROR)"
}

# repository LABEL: the address of the first package index with that label. ORIGIN and LABEL come from the signed
# Release file, so a third-party repository that also calls its suite "bookworm" is not taken for Debian.
repository() {
  # shellcheck disable=SC2016 # for apt to expand
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' -v label="$1" '$1 == "Debian" && $2 == label { print $3; exit }'
}

# apt_settings prints the host's proxy and download settings as apt.conf lines, for an apt that reads no other file.
apt_settings() {
  apt-config dump --format '%f "%v";%n' Acquire |
    grep -E '^Acquire::(http|https|Retries|Check-Valid-Until)(::| ).*"..*"' || true
}
