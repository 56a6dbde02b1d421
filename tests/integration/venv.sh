#!/usr/bin/env bash
# venv.sh DIR: make DIR a Python environment with the rig's requirements; does nothing when DIR already has exactly these.
# Needs python3-venv. Safe to call from several runs at once.
set -euo pipefail

dir=${1:?usage: venv.sh DIR}
requirements=$(dirname "$(readlink -f "$0")")/requirements.txt
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9

# The stamp holds the requirements and the interpreter: a new Debian brings a new python3, and the old environment breaks.
want=$(python3 -V; cat "$requirements")
if [ "$(cat "$dir/.stamp" 2>/dev/null)" = "$want" ]; then exit 0; fi

python3 -m venv --clear "$dir"
"$dir/bin/pip" install --quiet --requirement "$requirements"
printf '%s\n' "$want" >"$dir/.stamp"
