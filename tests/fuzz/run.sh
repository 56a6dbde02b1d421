#!/bin/bash
# run.sh BUILD_DIR SECONDS [TARGET...]: each fuzz target (default all) for so long, from its seeds. An input that fails is
# kept in BUILD_DIR/fuzz-failures, and its path printed.
set -euo pipefail

build=${1:?usage: run.sh BUILD_DIR SECONDS [TARGET...]}
[[ -d $build/tests/fuzz ]] || {
  echo "run.sh: no fuzz targets in $build; build them: cmake --preset fuzz && cmake --build --preset fuzz" >&2
  exit 2
}
build=$(realpath "$build")
seconds=${2:?usage: run.sh BUILD_DIR SECONDS [TARGET...]}
shift 2
here=$(cd "$(dirname "$0")" && pwd)
targets=("$@")
((${#targets[@]})) || targets=(mllp hl7 astm_link astm poct1a csv xml drop dicom dicom_head)

work=$(mktemp -d /tmp/gateway-fuzz-XXXXXX)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work # what a target keeps while it runs
python3 -B "$here/seeds.py" "$work"
mkdir -p "$build/fuzz-failures"
failed=0
for target in "${targets[@]}"; do
  mkdir -p "$work/$target"
  # DCMTK forgets some bytes of each association request it cannot read, takes 128 KB for each that it can, and asks for as much
  # memory as an element claims; it does not mind not getting it.
  options=detect_leaks=1
  [[ $target != dicom ]] || options=detect_leaks=0:quarantine_size_mb=16:max_allocation_size_mb=512:allocator_may_return_null=1
  if ASAN_OPTIONS=$options "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=8192 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$build/fuzz-failures/$target-" "$work/$target" >"$work/$target.log" 2>&1; then
    printf '%s: %s inputs, none failed\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log")"
  else
    tail -n 40 "$work/$target.log"
    printf '%s: FAILED\n' "$target"
    failed=$((failed + 1))
  fi
done
((failed == 0))
