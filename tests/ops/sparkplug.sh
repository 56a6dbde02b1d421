#!/usr/bin/env bash
# sparkplug.sh DAEMON MODULES: the real daemon as a Sparkplug B edge node, at a real Mosquitto, before a host made of npm's mqtt and
# sparkplug-payload (tests/ops/sparkplug_host.js), which are installed into the folder MODULES. 77: no npm or no Mosquitto here.
set -euo pipefail

daemon=$(readlink -f "$1")
here=$(dirname "$(readlink -f "$0")")
for program in npm node mosquitto; do
  command -v "$program" >/dev/null || {
    echo "sparkplug.sh: skipped, $program is not installed here"
    exit 77
  }
done

packages=(mqtt@4.3.8 sparkplug-payload@1.0.3)
mkdir -p "$2"
modules=$(readlink -f "$2")
exec 9>"$modules/.lock"
flock 9
if [[ $(cat "$modules/.stamp" 2>/dev/null) != "${packages[*]}" ]]; then
  npm install --silent --no-save --no-audit --no-fund --prefix "$modules" "${packages[@]}"
  echo "${packages[*]}" >"$modules/.stamp"
fi
flock -u 9

work=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
mosquitto -p "$port" >"$work/mosquitto.log" 2>&1 &
broker=$!
trap 'kill $broker; rm -rf "$work"' EXIT

echo "the passphrase of this test" >"$work/passphrase"
chmod 0600 "$work/passphrase"
cat >"$work/gateway.toml" <<EOF
[site]
name = "clinic-1"
[storage]
state_dir = "$work/state"
reserve_mb = 16
[control]
socket = "$work/control.sock"
[keys]
passphrase_file = "$work/passphrase"
[dicom]
bind = "127.0.0.1"
port = $((port + 10000))
[mqtt]
host = "127.0.0.1"
port = $port
plain = true
health_every_s = 1
encoding = "sparkplug-b"
sparkplug_group = "clinics"
EOF
node "$here/sparkplug_host.js" "$modules" "$port" "$daemon" "$work/gateway.toml"
