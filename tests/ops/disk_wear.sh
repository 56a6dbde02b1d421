#!/usr/bin/env bash
# disk_wear.sh: systemd/disk-wear with the real smartctl over a made-up /sys/block: a disk that does not answer is
# reported as such, what left is forgotten, what is no disk is not asked.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
disk_wear=$here/../../systemd/disk-wear
[[ -x /usr/sbin/smartctl ]] || {
  echo "disk_wear.sh: skipped, smartmontools is not here"
  exit 77
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sys=$folder/sys
reports=$folder/reports
mkdir -p "$sys"/{nosuchdisk,sr0,nvme0c0n1}/device "$sys/dm-0" "$reports"
echo 1 >"$sys/nvme0c0n1/hidden"
echo '{}' >"$reports/gone.json"

"$disk_wear" "$sys" "$reports"
[[ $(ls -A "$reports") == nosuchdisk.json ]] || {
  ls -A "$reports"
  exit 1
}
[[ $(stat -c %a "$reports/nosuchdisk.json") == 640 ]]
python3 - "$reports/nosuchdisk.json" <<'PY'
import json, sys
said = json.load(open(sys.argv[1]))
assert said["json_format_version"][0] == 1, said
assert said["smartctl"]["exit_status"] & 2, said
PY
rmdir "$sys/nosuchdisk/device"
"$disk_wear" "$sys" "$reports"
[[ -z $(ls -A "$reports") ]]
echo "disk-wear: asks what is a disk, and forgets what is none any more"
