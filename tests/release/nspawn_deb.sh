#!/bin/bash
# nspawn_deb.sh SUITE [DEB]: the life of the package on a stock Debian (bookworm, trixie; no backports), booted: installed,
# locked, given a key, watched, rebooted, upgraded, removed, purged; and, from nothing again, by the clock to the first study at a PACS.
# Prints PASS or FAIL per claim; exits 1 on any FAIL.
#
# DEB: default is the one of build/deb/ where this machine is of that suite, else one built from the last commit in a tree of
# that suite. Needs root, debootstrap, systemd-container (packaging/install-deps.sh release). Trees: see debian_tree.sh.
set -uo pipefail

suite=${1:?usage: nspawn_deb.sh SUITE [DEB]}
deb=${2:-}
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
. "$here/machine.sh"

failures=0
claims=0
# claim SENTENCE COMMAND...: PASS when the command succeeds.
claim() {
  local sentence=$1 said
  shift
  claims=$((claims + 1))
  if said=$("$@" 2>&1); then
    echo "PASS $sentence"
  else
    failures=$((failures + 1))
    echo "FAIL $sentence"
    [[ -z $said ]] || sed 's/^/     /' <<<"$said"
  fi
}
die() {
  echo "nspawn_deb.sh: $*" >&2
  exit 1
}

work=$(mktemp -d "${TMPDIR:-/var/tmp}/clinic-gateway-$suite.XXXXXX")
finish() {
  machine_stop
  rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

logged() {
  "$@" >"$work/build.log" 2>&1 || {
    tail -n 40 "$work/build.log"
    return 1
  }
}

build_in_tree() {
  local base builder
  base=$("$here/debian_tree.sh" "$suite") || return 1
  builder=$base-build
  if [[ ! -d $builder ]]; then
    rm -rf --one-file-system "$builder.part"
    cp -a "$base" "$builder.part" && mv "$builder.part" "$builder" || return 1
  fi
  rm -rf "$builder/src"
  git clone --quiet "$top" "$builder/src" || return 1
  logged offline "$builder" bash -c '/src/packaging/install-deps.sh build && /src/packaging/build-deb.sh' || return 1
  cp "$builder"/src/build/deb/clinic-gateway_*.deb "$work/"
}

find_package() {
  if [[ -n $deb ]]; then
    cp "$deb" "$work/"
  elif (. /etc/os-release && [[ $VERSION_CODENAME == "$suite" ]]); then
    compgen -G "$top/build/deb/clinic-gateway_*.deb" >/dev/null || logged "$top/packaging/build-deb.sh" || return 1
    cp "$top"/build/deb/clinic-gateway_*.deb "$work/"
  else
    build_in_tree
  fi
}

# The same package under a higher version: an upgrade, without a second build.
make_upgrade() {
  dpkg-deb --raw-extract "$package" "$work/upgrade" &&
    sed -i 's/^Version: .*/&+upgrade1/' "$work/upgrade/DEBIAN/control" &&
    printf '# of the version after\n' >>"$work/upgrade/etc/clinic-gateway/gateway.toml" &&
    dpkg-deb --root-owner-group --build "$work/upgrade" "$tree/root/upgrade.deb" >/dev/null
}

property() { inside systemctl show --property="$1" --value clinic-gateway.service; }
is_active() { [[ $(property ActiveState) == active ]]; }
# The value of a top-level key of the gateway's own status.
status_of() {
  inside clinic-gateway status --json 2>/dev/null |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" 2>/dev/null
}
state_is() { [[ $(status_of state) == "$1" ]]; }
# In the daemon's own words, and systemd agrees that it runs.
becomes() { wait_for 40 state_is "$1" && is_active || { inside journalctl -u clinic-gateway -n 15 --no-pager; false; }; }
restart() { inside systemctl restart clinic-gateway.service; }
apt_install() { inside env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"; }
process_has() { inside grep -qE "$1" "/proc/$(property MainPID)/status"; }
answers_on_port() { inside bash -c "exec 3<>/dev/tcp/127.0.0.1/$1"; }
# Through this machine's curl: a stock Debian has none.
console_answers() {
  on_its_network curl --silent --show-error --insecure --max-time 5 https://127.0.0.1/console/ |
    grep -q app.js
}
has_other_process() { [[ $(property MainPID) != 0 && $(property MainPID) != "$1" ]] && is_active; }
restarts_after() {
  local signal=$1 pid
  pid=$(property MainPID)
  inside sh -c "kill -$signal $pid" && wait_for 40 has_other_process "$pid"
}
# The watchdog's period has passed three times and nobody was killed.
survives_watchdog() {
  local pid
  pid=$(property MainPID)
  ! wait_for 10 has_other_process "$pid" && is_active
}
keyring_digest() { sha256sum <"$tree/var/lib/clinic-gateway/keyring.json"; }
keyring_is() { [[ -n $1 && $(keyring_digest) == "$1" ]]; }
is_gone() { [[ ! -e $tree$1 ]]; }
write_credential() {
  (umask 077 && mkdir -p "$tree/etc/credstore" && printf '%s' "$1" >"$tree/etc/credstore/clinic-gateway.passphrase")
}
passphrase='only for this test: seven quiet otters'

find_package || die "there is no package to test"
package=$(ls "$work"/clinic-gateway_*.deb)
base=$("$here/debian_tree.sh" "$suite") || exit 1
tree=$work/tree
cp -a "$base" "$tree" || die "no room for a copy of $base"
cp "$package" "$tree/root/gateway.deb"
make_upgrade || die "the package can't be repacked"

echo "== $(basename "$package") on $suite"
claim "all it needs is in stock $suite" \
  offline "$tree" bash -c 'apt-get update -qq && apt-get install -qq -y --no-install-recommends --download-only /root/gateway.deb'
cp -a "$tree" "$tree-first" || die "no room for a second copy of $base"
machine_boot "$tree" || exit 1

claim "apt installs it" apt_install /root/gateway.deb
((failures == 0)) || die "without an installed package there is nothing more to see"
claim "its own user owns a closed state folder" \
  inside sh -c '[ "$(stat -c "%U %a" /var/lib/clinic-gateway)" = "clinic-gateway 700" ]'
claim "third-party adapters have a folder that only their group may enter" \
  inside sh -c '[ "$(stat -c "%U:%G %a" /run/clinic-gateway-adapters)" = "clinic-gateway:clinic-gateway-adapters 2750" ]'
claim "the documents that units, pages and messages name are there to be read" \
  inside sh -c 'cd /usr/share/doc/clinic-gateway && ls README.md install.md security.md third-party-adapters.md monitoring/clinic-gateway.rules.yml mqtt/health.schema.json'
claim "the unit is enabled" inside systemctl is-enabled clinic-gateway.service
claim "systemd knows every setting of the units" \
  inside sh -c '! systemd-analyze verify --man=no clinic-gateway.service clinic-gateway.socket clinic-gateway-unlock@slot-key.service clinic-gateway-wear.timer 2>&1 | grep clinic-gateway'
claim "the disks are to be asked how worn they are" inside systemctl is-enabled clinic-gateway-wear.timer
claim "without smartmontools none is, and nothing fails" inside sh -c 'systemctl start clinic-gateway-wear.service && [ ! -e /run/clinic-gateway-wear ]'
claim "the configuration it brings is right" inside clinic-gatewayd --check-config
claim "without a key it runs LOCKED" becomes locked
claim "the DICOM port answers while LOCKED" answers_on_port 11112
claim "the daemon has no capability" process_has '^CapEff:\s*0+$'
claim "the daemon can gain no privilege and has a system call filter" \
  eval "process_has '^NoNewPrivs:\s*1' && process_has '^Seccomp:\s*2'"
claim "nothing of it goes to a swap device" eval '[[ $(property MemorySwapMax) == 0 ]]'
claim "the daemon leaves no core dump" inside grep -qE '^Max core file size\s+0\s+0' "/proc/$(property MainPID)/limits"

mkdir -p "$tree/etc/systemd/system/clinic-gateway.service.d"
printf '[Service]\nWatchdogSec=3\nRestartSec=1\n' >"$tree/etc/systemd/system/clinic-gateway.service.d/test.conf"
inside systemctl daemon-reload
claim "it restarts with a short watchdog" restart
claim "it feeds the watchdog" survives_watchdog
claim "a hanging daemon is killed and started again" restarts_after STOP
claim "a killed daemon is started again" restarts_after KILL

write_credential "$passphrase"
claim "it restarts with a credential" restart
claim "the first start with a passphrase makes it ready" becomes ready
claim "the keys are locked in memory" process_has '^VmLck:\s*[1-9]'
claim "the keyring is closed to others" \
  inside sh -c '[ "$(stat -c "%U %a" /var/lib/clinic-gateway/keyring.json)" = "clinic-gateway 600" ]'
claim "it feeds the watchdog when ready" survives_watchdog
keyring=$(keyring_digest)
write_credential "not the passphrase"
claim "it restarts with a wrong passphrase" restart
claim "a wrong passphrase leaves it running, LOCKED" becomes locked
write_credential "$passphrase"
machine_stop
machine_boot "$tree" || exit 1
claim "after a reboot it is ready" becomes ready

printf '[site]\nname = "clinic-07"\n' >"$tree/etc/clinic-gateway/conf.d/site.toml"
chmod 644 "$tree/etc/clinic-gateway/conf.d/site.toml"
{
  printf '[console]\nport = 443\ncertificate_file = "/etc/clinic-gateway/console.crt"\n'
  printf 'key_file = "/etc/clinic-gateway/console.key"\n'
} >>"$tree/etc/clinic-gateway/conf.d/site.toml"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gateway \
  -keyout "$tree/etc/clinic-gateway/console.key" -out "$tree/etc/clinic-gateway/console.crt" 2>/dev/null
inside chgrp clinic-gateway /etc/clinic-gateway/console.key
chmod 640 "$tree/etc/clinic-gateway/console.key"
claim "nobody opens port 443 without being told to" eval '! answers_on_port 443'
claim "systemd opens port 443 for the console" eval 'inside systemctl stop clinic-gateway.service &&
  inside systemctl enable --now clinic-gateway.socket && inside systemctl start clinic-gateway.service'
claim "the console answers on port 443" wait_for 30 console_answers
claim "the daemon has no capability with port 443 either" process_has '^CapEff:\s*0+$'
before=$(property MainPID)
claim "apt upgrades it without a question" apt_install /root/upgrade.deb
claim "the upgrade started the new daemon" eval "wait_for 30 has_other_process $before"
claim "the upgraded gateway is ready" becomes ready
claim "the upgraded console answers on port 443" wait_for 30 console_answers
claim "the upgrade brought its configuration" grep -q "of the version after" "$tree/etc/clinic-gateway/gateway.toml"
claim "the upgrade kept the keyring" keyring_is "$keyring"
claim "the upgrade kept the site's settings" eval '[[ $(status_of site) == clinic-07 ]]'

rm -f "$tree/etc/credstore/clinic-gateway.passphrase"
(umask 077 && mkdir -p "$tree/etc/credstore.encrypted")
claim "a passphrase can be sealed to this machine" eval \
  'printf %s "$passphrase" | inside systemd-creds encrypt --with-key=host --name=passphrase - /etc/credstore.encrypted/clinic-gateway.sealed-passphrase'
claim "it restarts with a sealed passphrase" restart
claim "the sealed passphrase unlocks it" becomes ready
claim "a killed daemon is unlocked again" eval 'restarts_after KILL && becomes ready'
printf 'damaged' >"$tree/etc/credstore.encrypted/clinic-gateway.sealed-passphrase"
claim "it restarts with a damaged credential" restart
claim "a damaged credential leaves it running, LOCKED" becomes locked
rm -f "$tree/etc/credstore.encrypted/clinic-gateway.sealed-passphrase"
inside systemctl reset-failed
write_credential "$passphrase"
restart
claim "the passphrase opens it again" becomes ready
claim "a slot is sealed to this machine" inside clinic-gateway keys add credential --seal host
keyring=$(keyring_digest)
rm -f "$tree/etc/credstore/clinic-gateway.passphrase"
claim "it restarts with a credential slot" restart
claim "the credential slot unlocks it" becomes ready
claim "it says how it is protected" eval '[[ $(status_of key_protection) == host ]]'
claim "a killed daemon is unlocked by it again" eval 'restarts_after KILL && becomes ready'
claim "no secret is in the environment of any process" \
  inside sh -c 'cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" >/tmp/environments; grep -q ^CREDENTIALS_DIRECTORY= /tmp/environments &&
    ! grep -E "seven quiet|=[0-9a-f]{64}$" /tmp/environments'
printf 'damaged' >"$tree/etc/credstore.encrypted/clinic-gateway.sealed-slot-key"
claim "it restarts with a damaged slot credential" restart
claim "a damaged slot credential leaves it running, LOCKED" becomes locked
rm -f "$tree/etc/credstore.encrypted/clinic-gateway.sealed-slot-key"
inside systemctl reset-failed
write_credential "$passphrase"

claim "apt removes it" inside apt-get remove -y clinic-gateway
claim "no daemon is left" inside sh -c '! grep -xs clinic-gatewayd /proc/[0-9]*/comm'
claim "removing closes port 443" eval '! answers_on_port 443'
claim "removing keeps the state" keyring_is "$keyring"
claim "apt installs it again" apt_install /root/upgrade.deb
claim "the state kept opens again" becomes ready
claim "apt purges it" inside apt-get purge -y clinic-gateway
claim "purging removes the state" is_gone /var/lib/clinic-gateway
claim "purging removes its configuration" is_gone /etc/clinic-gateway/gateway.toml
claim "purging leaves no link to a unit" \
  eval '! find "$tree/etc/systemd/system" -name "clinic-gateway*" -type l | grep .'
claim "systemd is content" eval '! inside systemctl --failed --no-legend | grep clinic-gateway'

machine_stop

# Once more from nothing, with a hospital beside it.
first_study() {
  on_its_network "$venv/bin/python" -B "$here/first_study.py" "$tree-first" "$(machine_leader)" >"$work/first_study" 2>&1 || {
    tail -n 20 "$work/first_study"
    return 1
  }
}
venv=$top/build/first-study-venv
"$top/tests/integration/venv.sh" "$venv" || die "the stand-ins' Python environment can't be made"
machine_boot "$tree-first" || exit 1
claim "from apt install to the first study at the PACS in less than five minutes" first_study
tail -n 1 "$work/first_study"

echo "$((claims - failures)) passed, $failures failed"
((failures == 0))
