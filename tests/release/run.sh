#!/bin/bash
# What tests/run.sh release runs, which has installed what is needed. Every part runs, whatever failed before it; the
# closing lines say which passed. Arguments: names of parts, default all.
set -uo pipefail

cd "$(dirname "$0")/../.." || exit
jobs=$(nproc)

# rig has no daemon, tpm_slot is a device's, modality measures memory, which is the sanitizers' own there.
not_sanitized='^integration\.(rig|tpm_slot|modality)$'

sanitizer() {
  local preset=$1
  cmake --preset "$preset" && cmake --build --preset "$preset" --parallel "$jobs" &&
    # This build's libraries are not all instrumented; leaks and races of ours are what is looked for.
    ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 LSAN_OPTIONS=suppressions=$PWD/tests/release/lsan.supp \
      UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
      ctest --test-dir "build/$preset" --label-regex '^(unit|devices|integration)$' --exclude-regex "$not_sanitized" --parallel "$jobs" \
        --output-on-failure --no-tests=error
}
asan_ubsan() { sanitizer asan-ubsan; }
tsan() { sanitizer tsan; }
tidy() { cmake --preset dev && cmake --build --preset dev --parallel "$jobs" && tests/style/tidy.sh --all build/dev; }
every_point() {
  cmake --preset dev && cmake --build --preset dev --parallel "$jobs" --target at_rest_tests &&
    GATEWAY_EVERY_POINT=1 build/dev/tests/at_rest/at_rest_tests --gtest_filter='CrashMatrix.*:*FailingDisk*'
}
fuzz() {
  cmake --preset fuzz && cmake --build --preset fuzz --parallel "$jobs" && tests/fuzz/run.sh build/fuzz 600
}
offline_edits() {
  cmake --preset dev && cmake --build --preset dev --parallel "$jobs" &&
    ctest --test-dir build/dev --label-regex '^his$' --output-on-failure --no-tests=error
}
package() {
  packaging/build-deb.sh && lintian --allow-root --pedantic --fail-on error,warning --info build/deb/*.deb && tests/release/sbom.sh
}
reproducible() { tests/release/reproducible.sh; }
debian_12() { tests/release/nspawn_deb.sh bookworm; }
debian_13() { tests/release/nspawn_deb.sh trixie; }

parts=("$@")
((${#parts[@]})) || parts=(asan_ubsan tsan tidy every_point fuzz offline_edits package reproducible debian_12 debian_13)
results=()
failed=0
for part in "${parts[@]}"; do
  begin=$SECONDS
  printf '== %s\n' "$part"
  "$part"
  case $? in
    0) results+=("PASS $part, $((SECONDS - begin)) s") ;;
    77) results+=("SKIP $part: not for this Debian") ;;
    *)
      results+=("FAIL $part, $((SECONDS - begin)) s")
      failed=$((failed + 1))
      ;;
  esac
done
printf '%s\n' "${results[@]}"
printf '%d parts, %d failed\n' ${#parts[@]} "$failed"
((failed == 0))
