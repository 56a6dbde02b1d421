#!/bin/bash
# sim.sh [--build DIR] [--schedules N] [--first SEED]: N schedules (20,000) of the simulation from SEED (1) on, and the hunt for
# its deliberate bugs.
#
# One process per processor; each schedule is 3 clinics, a hospital, 200 operations and 20 or more faults in virtual time
# (tests/sim). Without --build the release preset is configured and built. The last line is the JSON object; exit 1 when
# anything was lost, doubled or diverged, or a deliberate bug was not found.
set -euo pipefail

root=$(realpath "$(dirname "$0")/../..")
build='' schedules=20000 first=1
while (($#)); do
  case $1 in
    --build) build=$(realpath "$2") ;;
    --schedules) schedules=$2 ;;
    --first) first=$2 ;;
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
  cmake --build "$build" --target sim_schedules >&2
fi
sim=$build/tests/sim/sim_schedules
parts=$(nproc)
((parts <= schedules)) || parts=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

failed=0
running=()
for ((part = 0; part < parts; ++part)); do
  begin=$((schedules * part / parts)) end=$((schedules * (part + 1) / parts))
  "$sim" --first $((first + begin)) --count $((end - begin)) >"$scratch/part$part" &
  running+=($!)
done
for pid in "${running[@]}"; do wait "$pid" || failed=1; done
"$sim" --mutations 5000 >"$scratch/mutations" || failed=1
for part in "$scratch"/part* "$scratch/mutations"; do sed '$d' "$part"; done

total() {
  sed -sn '$p' "$scratch"/part* | grep -o "\"$1\":[0-9]*" | cut -d: -f2 | awk '{ sum += $1 } END { print sum + 0 }'
}
line=
for key in schedules faults conflicts merged asked lost doubled diverged; do line+="\"$key\":$(total $key),"; done
printf '{%s%s}\n' "$line" "$(sed -n '$s/[{}]//gp' "$scratch/mutations")"
exit "$failed"
