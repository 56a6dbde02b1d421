#!/bin/bash
# Our shell scripts pass shellcheck. Skipped (exit 77) where it is not installed.
set -euo pipefail

cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || {
  echo "shell.sh: skipped, shellcheck is not here"
  exit 77
}
mapfile -t scripts < <(grep -rlIE '^#!(/bin/|/usr/bin/env )(ba)?sh' packaging systemd tests .ci --exclude-dir=__pycache__ | sort)
((${#scripts[@]})) || exit 1
shellcheck --severity=warning --external-sources "${scripts[@]}"
echo "shell.sh: ${#scripts[@]} scripts"
