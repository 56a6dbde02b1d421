#!/bin/bash
# objects.sh [--build DIR] [--dir DIR] [--rounds N]: how fast sealed objects are written and read.
#
# Measures, interleaved in the same run: sealed objects and plain files of 525,000 bytes (64 a round) and of 256 MiB, both with
# their bytes and names on stable storage before the next; reading a sealed object that the page cache holds; and AES-256-GCM
# alone in memory. Each figure is the median of the rounds (7) in MB/s. Without --build the release preset is configured and
# built. The disk that counts is the one of --dir (default: $TMPDIR or /var/tmp). The last line is the JSON object.
set -euo pipefail

root=$(realpath "$(dirname "$0")/../..")
build='' dir=${TMPDIR:-/var/tmp} rounds=7
while (($#)); do
  case $1 in
    --build) build=$(realpath "$2") ;;
    --dir) dir=$2 ;;
    --rounds) rounds=$2 ;;
    *)
      sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift 2
done
if [[ ! $build ]]; then
  build=$root/build/release
  (cd "$root" && cmake --preset release >&2)
  cmake --build "$build" --target bench_objects >&2
fi
exec "$build/tests/bench/bench_objects" "$dir" "$rounds"
