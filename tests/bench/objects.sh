#!/bin/bash
# objects.sh [--build DIR] [--dir DIR] [--rounds N]: how fast sealed objects are written and read.
#
# Measures, interleaved in the same run: sealed objects and plain files of 525,000 bytes (64 a round) and of 256 MiB, both with
# their bytes and names on stable storage before the next; reading a sealed object that the page cache holds; and AES-256-GCM
# alone in memory. Each figure is the median of the rounds (7) in MB/s. Without --build the release preset is configured and
# built. The disk that counts is the one of --dir (default: $TMPDIR or /var/tmp). The last line is the JSON object.
set -euo pipefail
# shellcheck source=tests/bench/native.sh
source "$(dirname "$0")/native.sh"

native_bench bench_objects rounds 7 "$@"
exec "$build/tests/bench/bench_objects" "$dir" "$count"
