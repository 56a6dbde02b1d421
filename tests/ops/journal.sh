#!/usr/bin/env bash
# journal.sh DAEMON COMMAND: the real daemon writes into a real journald of its own, clinic-gateway reads it back. 77: no root, or no
# journald here.
set -euo pipefail

daemon=$(readlink -f "$1")
command=$(readlink -f "$2")
journald=/lib/systemd/systemd-journald

if [[ ${3:-} != inside ]]; then
  [[ $(id -u) == 0 && -x $journald ]] || exit 77
  unshare --mount true 2>/dev/null || exit 77
  exec unshare --mount --mount-proc --pid --fork --kill-child "$0" "$daemon" "$command" inside
fi

mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/system /run/log/journal /run/gateway
"$journald" &
work=/run/gateway
port=$((20000 + RANDOM % 10000))

# wait_for WHAT CONDITION...: looks again and again for half a minute.
wait_for() {
  local what=$1 tries
  shift
  for ((tries = 0; tries < 300; ++tries)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "waited in vain for $what" >&2
  logs || true
  exit 1
}
fail() {
  echo "$1" >&2
  logs >&2 || true
  exit 1
}
logs() { "$command" logs --directory /run/log/journal "$@"; }
logged() { logs --json "${@:2}" | grep -q -- "$1"; }

wait_for "journald's socket" test -S /run/systemd/journal/socket
echo "the passphrase of this test" >$work/passphrase
chmod 0600 $work/passphrase
cat >$work/gateway.toml <<EOF
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
port = $port
EOF
# The service manager sets JOURNAL_STREAM so; systemd-cat does not in every version.
# shellcheck disable=SC2016
systemd-cat -t before sh -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$0" "$@"' "$daemon" --config $work/gateway.toml &
gateway=$!

wait_for "the daemon's first line" logged '"component":"daemon"'
wait_for "an open gateway" logged 'unlocked: ready'
logged '"level":"info","component":"daemon","message":"unlocked: ready","file":"daemon/opening.cpp","line":[0-9]' ||
  fail "an entry lacks a field"
journalctl --directory=/run/log/journal -o json GATEWAY_COMPONENT=daemon PRIORITY=6 | grep -q '"CODE_FILE":"daemon/opening.cpp"' ||
  fail "the journal's own fields are missing"

# A caller who talks nonsense, again and again.
logs --json --follow >$work/followed &
follower=$!
for ((i = 0; i < 120; ++i)); do
  printf 'GET / HTTP/1.1\r\n\r\n' 2>/dev/null >"/dev/tcp/127.0.0.1/$port" || true
done
wait_for "the flood's last line" logged 'this comes too often' --component dicom
[[ $(logs --component dicom --lines 1000 | grep -c 'does not speak DICOM') -le 50 ]] || fail "the flood is not cut"
wait_for "the one who follows" grep -q 'this comes too often' $work/followed
kill $follower
! logs --json --component dicom | grep -v '"component":"dicom"' || fail "--component shows others"
[[ $(logs --lines 3 | wc -l) == 3 ]] || fail "--lines 3 shows another number"
[[ $(logs --since 1h | wc -l) -gt 3 ]] || fail "--since 1h shows nothing"
[[ -z $(logs --since 2100-01-01) ]] || fail "--since a day to come shows something"

kill $gateway
wait_for "its end" logged '"message":"stopped"'
wait_for "what was dropped" logged 'lines of adapters/dicom/dicom_server.cpp:[0-9]* were dropped'
echo "journal: fields, floods, and what clinic-gateway logs shows"
