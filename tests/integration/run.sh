#!/usr/bin/env bash
# run.sh BUILD_DIR [options of main_job.py]: the main job against the daemon in BUILD_DIR.
# run.sh BUILD_DIR rig: the rig's own tests, which need no daemon.
# Either way in a Python environment that is made in BUILD_DIR.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "${1:?usage: run.sh BUILD_DIR [rig | options]}")
shift
"$here/venv.sh" "$build/integration-venv"
python=$build/integration-venv/bin/python
export PYTHONDONTWRITEBYTECODE=1
if [ "${1-}" = rig ]; then exec "$python" "$here/test_rig.py"; fi
exec "$python" "$here/main_job.py" --build-dir "$build" "$@"
