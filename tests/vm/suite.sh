#!/bin/bash
# suite.sh [-run REGEX] [go test flag…] - run the black-box tests in the guest: as root, and those whose names begin
# with TestRootless also as the ordinary user `test`, in a login session. The result is the tests' result: 0 all passed,
# 1 some failed; else as vm.sh: 77 this host cannot run the VM, 124 time-out, 125 no guest.
#
# Settings: those of vm.sh (VM_CGROUP, VM_KERNEL, VM_PACKAGES…), those of the tests (TEST_VIEWS, TEST_TIMEOUT, CI_SKIPS,
# see tests/README.md; TEST_TIMEOUT is 60s here, emulation is slow), and
#   RUNTIME_BINARY=./runtime     the binary under test, carried into the guest
#   PACKAGES="./tests ./tests/systemd ./cgroups/..."   the packages whose tests run
# With VM_OUT=DIR the whole logs arrive there, one per package and user.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
: "${RUNTIME_BINARY:=./runtime}" "${PACKAGES:=./tests ./tests/systemd ./cgroups/...}" "${GO:=$(.ci/go)}" "${VM_TIMEOUT:=1500}"

[ -x "$RUNTIME_BINARY" ] || { echo "suite.sh: no $RUNTIME_BINARY: build it first" >&2 && exit 2; }
# First, so that a host without QEMU hears of it before anything is compiled.
"$here/vm.sh" build

share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
# The guest gets what `go test` would see: the sources, each test binary in the directory of its package.
src=$share/src
mkdir "$src"
git ls-files -z | tar --null -cT - | tar -xC "$src"
install -m 755 "$RUNTIME_BINARY" "$src/runtime"
# shellcheck disable=SC2086 # a list
"$GO" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' $PACKAGES | while read -r dir; do
  CGO_ENABLED=0 "$GO" test -c -o "$src/${dir#"$PWD/"}/vm.test" "$dir"
  echo "${dir#"$PWD/"}"
done >"$share/packages"
[ -s "$share/packages" ] || { echo "suite.sh: no tests in $PACKAGES" >&2 && exit 2; }

# The test binary wants -run as -test.run; which tests to run is kept apart, for the guest selects from them.
run=
while [ $# -gt 0 ]; do
  case $1 in
    -run) run=${2?} && shift ;;
    -run=*) run=${1#-run=} ;;
    -*) echo "-test.${1#-}" ;;
    *) echo "$1" ;;
  esac
  shift
done >"$share/flags"
printf 'run=%q\n' "$run" >"$share/settings"
for name in TEST_VIEWS TEST_TIMEOUT CI_SKIPS; do
  [ -z "${!name:-}" ] || printf '%s=%q\n' "$name" "${!name}"
done >>"$share/settings"

cp "$here/suite-guest.sh" "$share/"
status=0
VM_SHARE=$share VM_TIMEOUT=$VM_TIMEOUT "$here/vm.sh" run bash /share/suite-guest.sh || status=$?
exit "$status"
