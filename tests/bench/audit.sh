#!/bin/bash
# tests/bench/run.sh audit [--build DIR] [--dir DIR] [--rows N]: six years of the audit trail (1,100,000 rows, 500 a day), then the questions an
# auditor asks of it: everything of one patient, everything of one day, is the chain whole. The last line is
# {"rows","append_per_s","patient_ms","patient_rows","day_ms","day_rows","verify_s"}. Without --build the release preset is built.
set -euo pipefail
# shellcheck source=tests/bench/native.sh
source "$(dirname "$0")/native.sh"

native_bench bench_audit_trail rows 1100000 "$@"
folder=$(mktemp -d "$dir/gateway-audit-XXXXXX")
trap 'rm -rf "$folder"' EXIT
"$build/tests/bench/bench_audit_trail" "$folder" "$count"
