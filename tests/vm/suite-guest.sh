#!/bin/bash
# suite-guest.sh - runs in the guest, as root, with what suite.sh has put into /share. Exit status 0: all passed.
set -uo pipefail

mapfile -t packages </share/packages
mapfile -t flags </share/flags
export TEST_TIMEOUT=60s TEST_VIEWS='' CI_SKIPS='' RUNTIME_BINARY=/share/src/runtime
# shellcheck source=/dev/null
. /share/settings # sets run, and the tests' own settings
failed=0

# tests USER PACKAGE FLAG…: run them as USER, with a login session unless that is root. -test.timeout makes Go show
# what hangs, before the host gives up on the whole guest.
tests() {
  local user=$1 package=$2 log status
  shift 2
  local command=(./vm.test -test.v -test.timeout=20m "${flags[@]}" "$@")
  log=/out/$user-${package//\//-}.log
  echo "=== $package as $user"
  cd "/share/src/$package" || return
  if [ "$user" = root ]; then
    "${command[@]}" 2>&1 | tee "$log"
  else
    runuser -l -w TEST_TIMEOUT,TEST_VIEWS,CI_SKIPS,RUNTIME_BINARY "$user" -c "cd '$PWD' && $(printf '%q ' "${command[@]}")" 2>&1 | tee "$log"
  fi
  status=${PIPESTATUS[0]}
  [ "$status" = 0 ] || failed=1
  summary+=("$(printf '%-4s %3s passed %3s failed %3s skipped  %s as %s' "$([ "$status" = 0 ] && echo ok || echo FAIL)" \
    "$(grep -c '^ *--- PASS' "$log")" "$(grep -c '^ *--- FAIL' "$log")" "$(grep -c '^ *--- SKIP' "$log")" "$package" "$user")")
}

summary=()
for package in "${packages[@]}"; do
  tests root "$package" ${run:+"-test.run=$run"}
  rootless=$("/share/src/$package/vm.test" -test.list="${run:-.}" | grep '^TestRootless' | paste -sd'|')
  [ -z "$rootless" ] || tests test "$package" "-test.run=^($rootless)\$"
done
echo "=== $(uname -r), $(systemctl --version | head -n 1), cgroups: $(stat -fc %T /sys/fs/cgroup)"
printf '%s\n' "${summary[@]}"
grep -q '^ *--- PASS' /out/*.log || { echo "no test passed" && failed=1; }
exit "$failed"
