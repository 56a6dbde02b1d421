#!/bin/bash
# The main job before your eyes, on a fresh Debian 12 or 13 as root, with synthetic patients only: a modality sends studies
# while the line to the hospital is cut and the gateway is killed; the line comes back; everything arrives, once, and
# an order placed meanwhile stands on the modality's worklist, and what clinic and hospital both changed is merged or asked about.
#
#   packaging/demo.sh            then leaves the gateway and its peers running until Ctrl-C
#   packaging/demo.sh --once     ends by itself; the last line is one JSON object with the figures
#
# Other options go to tests/integration/main_job.py. The build is the one of the tests (build/dev): a release has no points
# at which it can be told to crash.
set -euo pipefail

case ${1:-} in
  -h | --help)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
    exit 0
    ;;
esac
cd "$(dirname "$0")/.."
mkdir -p build

say() { printf '\n== %s\n' "$*"; }
# step LOG COMMAND...: quiet, and all that it said when it fails.
step() {
  local log=build/$1
  shift
  "$@" >"$log" 2>&1 || {
    tail -n 60 "$log"
    echo "demo.sh: '$*' failed; all it said is in $log" >&2
    exit 1
  }
}

say "Installing what is missing (a few minutes on a fresh machine)"
packaging/install-deps.sh test
say "Building the gateway (some minutes the first time)"
step demo.configure.log cmake --preset dev
step demo.build.log cmake --build --preset dev --parallel "$(nproc)" --target clinic-gatewayd clinic-gateway
say "Running the main job"
exec tests/integration/run.sh build/dev "$@"
