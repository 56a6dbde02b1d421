#!/bin/bash
# tests/bench/run.sh fleet: fleet.py, in the rig's Python environment.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
venv=$here/../../build/integration-venv
"$here/../integration/venv.sh" "$venv"
exec "$venv/bin/python" "$here/fleet.py" "$@"
