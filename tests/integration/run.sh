#!/usr/bin/env bash
# run.sh BUILD_DIR [options of main_job.py]: the main job against the daemon in BUILD_DIR, in its own Python environment there.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "${1:?usage: run.sh BUILD_DIR [options]}")
shift
"$here/venv.sh" "$build/integration-venv"
export PYTHONDONTWRITEBYTECODE=1
exec "$build/integration-venv/bin/python" "$here/main_job.py" --build-dir "$build" "$@"
