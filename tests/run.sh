#!/bin/bash
# The tests, from a clean checkout with nothing pre-built, on Debian 12 and 13.
#
#   tests/run.sh [all]          unit, devices, style, at-rest, sim, integration, ops and fuzz tests: what must be green on every change
#   tests/run.sh unit           the rooms' own tests (also: devices, style, at-rest, sim, integration, ops, fuzz; dicom: those of all
#                               kinds that speak DICOM)
#   tests/run.sh release        what takes longer: unit, devices and integration tests under both sanitizers, clang-tidy over all
#                               sources (on Debian 12), power cuts and failing disks at every point there is, ten minutes of
#                               fuzzing for each target, offline edits under faults against a hub and HAPI, the package with
#                               lintian, and its life in booted Debian 12 and 13 trees (needs root)
#
# Five cases need npm and packages of its registry, and are skipped where it is not installed: Sparkplug B, tus, dicomweb-client's
# peers, node-hl7-client. Those with samples of other projects read ../shared/data, and are skipped without it.
# Installs what is missing (packaging/install-deps.sh; as root), builds the preset dev into build/dev, ends with ctest's
# summary and its exit code.
set -euo pipefail

cd "$(dirname "$0")/.."
jobs=$(nproc)

# part NAME COMMAND...: runs it and says how long it took.
part() {
  local name=$1 begin=$SECONDS
  shift
  printf '== %s\n' "$name"
  "$@"
  printf '== %s: %d s\n' "$name" $((SECONDS - begin))
}

build_preset() {
  cmake --preset "$1" >"build/$1.configure.log" 2>&1 || {
    cat "build/$1.configure.log"
    return 1
  }
  cmake --build --preset "$1" --parallel "$jobs"
}

run_ctest() {
  local preset=$1 labels=$2
  # One more than there are processors: many a test waits for another process, a link or a disk.
  ctest --test-dir "build/$preset" --label-regex "^($labels)\$" --parallel $((jobs + 1)) --output-on-failure --no-tests=error
}

run_tests() {
  local group=$1 labels=$2
  mkdir -p build
  part "install dependencies" packaging/install-deps.sh "$group"
  part "build" build_preset dev
  [[ $labels != *fuzz* ]] || part "build fuzz targets" build_preset fuzz
  run_ctest dev "$labels"
}

case ${1:-all} in
  unit) run_tests build unit ;;
  style) run_tests test style ;;
  integration) run_tests test integration ;;
  ops) run_tests test ops ;;
  at-rest) run_tests test at-rest ;;
  devices) run_tests test devices ;;
  sim) run_tests build sim ;;
  dicom) run_tests test dicom ;;
  fuzz) run_tests test fuzz ;;
  all) run_tests test 'unit|devices|style|at-rest|sim|integration|ops|fuzz' ;;
  release)
    mkdir -p build
    part "install dependencies" packaging/install-deps.sh release
    exec tests/release/run.sh
    ;;
  *)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
