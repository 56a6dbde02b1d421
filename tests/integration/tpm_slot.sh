#!/bin/bash
# tpm_slot.sh BUILD_DIR: a credential slot sealed to a TPM, from `keys add credential` to the next start, with systemd-creds and a
# software TPM (swtpm). Prints PASS or FAIL per claim; exits 1 on any FAIL, 77 (skipped) where no software TPM can run.
# Needs root: systemd-creds does.
set -uo pipefail

build=$(realpath "${1:?usage: tpm_slot.sh BUILD_DIR}")
work=$(mktemp -d "${TMPDIR:-/tmp}/tpm_slot.XXXXXX")
swtpm_pid=
daemon_pid=
finish() {
  [[ -z $daemon_pid ]] || kill -TERM "$daemon_pid" 2>/dev/null
  [[ -z $swtpm_pid ]] || kill -TERM "$swtpm_pid" 2>/dev/null
  wait
  rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

skip() {
  echo "SKIP $*"
  exit 77
}
failures=0
claim() {
  local sentence=$1 said
  shift
  if said=$("$@" 2>&1); then
    echo "PASS $sentence"
  else
    failures=$((failures + 1))
    printf 'FAIL %s\n%s\n' "$sentence" "$said"
  fi
}
refuses() { ! "$@"; }
# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

((EUID == 0)) || skip "systemd-creds seals for root only"
for program in swtpm swtpm_setup systemd-creds tpm2_pcrextend; do
  command -v "$program" >/dev/null || skip "$program is not installed (packaging/install-deps.sh test)"
done

# A port pair nobody else has: swtpm's control channel is the next one.
port=$((20000 + $$ % 20000))
tcti=swtpm:host=127.0.0.1,port=$port
start_tpm() {
  swtpm socket --tpm2 --tpmstate "dir=$work/tpm" --server "type=tcp,port=$port,bindaddr=127.0.0.1" \
    --ctrl "type=tcp,port=$((port + 1)),bindaddr=127.0.0.1" --flags not-need-init,startup-clear >"$work/swtpm.log" 2>&1 &
  swtpm_pid=$!
  wait_for 10 tpm2_pcrread -T "$tcti" sha256:7 >/dev/null 2>&1
}
# Off and on again: the registers begin anew.
restart_tpm() {
  kill -TERM "$swtpm_pid"
  wait "$swtpm_pid" 2>/dev/null
  start_tpm
}
mkdir "$work/tpm" "$work/state" "$work/credentials"
swtpm_setup --tpm2 --tpmstate "$work/tpm" --create-ek-cert --config /dev/null >"$work/setup.log" 2>&1 ||
  swtpm_setup --tpm2 --tpmstate "$work/tpm" >>"$work/setup.log" 2>&1 || skip "swtpm_setup fails here: $(tail -n 1 "$work/setup.log")"
start_tpm || skip "no software TPM starts here: $(tail -n 1 "$work/swtpm.log")"

umask 077
printf 'seven quiet otters\n' >"$work/passphrase"
cat >"$work/gateway.toml" <<END
[site]
name = "tpm"
[storage]
state_dir = "$work/state"
reserve_mb = 16
[control]
socket = "$work/control.sock"
[keys]
passphrase_file = "$work/passphrase"
[dicom]
bind = "127.0.0.1"
port = $((port + 2))
END
start_daemon() {
  CREDENTIALS_DIRECTORY=$work/credentials "$build/daemon/clinic-gatewayd" --config "$work/gateway.toml" >>"$work/log" 2>&1 &
  daemon_pid=$!
}
stop_daemon() {
  kill -TERM "$daemon_pid"
  wait "$daemon_pid"
  daemon_pid=
}
command_line() { "$build/daemon/clinic-gateway" --socket "$work/control.sock" --json "$@"; }
status_has() { command_line status 2>/dev/null | grep -q "$1"; }
becomes() { wait_for 30 status_has "$1" || { tail -n 5 "$work/log"; false; }; }
# A TPM without the kernel's resource manager keeps the sessions of what failed.
flush_tpm() {
  local what
  for what in --transient-object --loaded-session --saved-session; do
    tpm2_flushcontext -T "$tcti" "$what" >/dev/null 2>&1
  done
}
add_credential() {
  flush_tpm
  command_line keys add credential --seal tpm2 --pcr "$1" --tpm2-device "$tcti" --file "$work/sealed.$1"
}
# What systemd does for the unit that asks for the credential.
unseal() {
  flush_tpm
  systemd-creds decrypt --name=slot-key --tpm2-device="$tcti" "$work/sealed.$1" "$work/credentials/slot-key"
}
slot_of_credential() {
  command_line keys list | python3 -c '
import json, sys
print([s["id"] for s in json.load(sys.stdin)["slots"] if s["kind"] == "credential"][0])'
}

start_daemon
claim "a passphrase makes the keys" becomes '"ready"'
for pcr in 7 23; do
  claim "PCR $pcr: a slot is made, sealed to the TPM and proven" add_credential "$pcr"
  claim "PCR $pcr: a second one does not overwrite its credential" refuses add_credential "$pcr"
  claim "PCR $pcr: the sealed file does not hold the secret" refuses grep -qE '^[0-9a-f]{64}$' "$work/sealed.$pcr"
  stop_daemon
  mv "$work/passphrase" "$work/passphrase.away"
  restart_tpm
  claim "PCR $pcr: the TPM gives the secret back after a restart" unseal "$pcr"
  start_daemon
  claim "PCR $pcr: the daemon opens with it" becomes '"key_protection":"tpm2"'
  mv "$work/passphrase.away" "$work/passphrase"
  stop_daemon
  rm -f "$work/credentials/slot-key"

  tpm2_pcrextend -T "$tcti" 7:sha256="$(printf 'another boot chain' | sha256sum | cut -d ' ' -f 1)"
  if [[ $pcr == 7 ]]; then
    claim "PCR 7: another boot chain keeps the secret in the TPM" refuses unseal "$pcr"
  else
    claim "PCR 23: another boot chain makes no difference" unseal "$pcr"
    rm -f "$work/credentials/slot-key"
  fi
  start_daemon
  claim "PCR $pcr: without the credential the passphrase opens it" becomes '"key_protection":"passphrase"'
  claim "PCR $pcr: the slot can be removed" command_line keys remove "$(slot_of_credential)" --file "$work/sealed.$pcr"
  claim "PCR $pcr: its sealed credential went with it" test ! -e "$work/sealed.$pcr"
done
claim "another TPM does not unseal what this one sealed" eval '
  add_credential 23 && kill -TERM "$swtpm_pid" && { wait "$swtpm_pid"; rm -rf "$work/tpm"; mkdir "$work/tpm"; } &&
  swtpm_setup --tpm2 --tpmstate "$work/tpm" >/dev/null && start_tpm && refuses unseal 23'
claim "no secret of the slot is in the log" refuses grep -qE '[0-9a-f]{64}' "$work/log"

echo "$failures failed"
((failures == 0))
