# A Debian tree booted with systemd-nspawn, to be sourced. Machines have no network but their own loopback.
#
#   machine_boot TREE      boots it and waits until systemd has started everything
#   inside COMMAND...      runs a command in the booted machine, as root
#   on_its_network CMD...  runs a command of this machine on the booted one's network
#   machine_leader         prints the first process of the booted machine
#   machine_stop           powers it off and waits
#   offline TREE CMD...    runs a command in a tree that isn't booted, with this machine's network
#
# nsenter stands in for machinectl: this host may have no systemd of its own to register machines with.

machine_pid=
machine_leader=

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

find_leader() {
  machine_leader=$(pgrep -P "$machine_pid" | head -n 1)
  [[ -n $machine_leader ]]
}

inside() {
  nsenter --target "$machine_leader" --all -- /usr/bin/env -i HOME=/root LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c 'cd && exec "$@"' sh "$@"
}

has_started() {
  local state
  # systemd-nspawn's first child is not yet the machine's first process.
  find_leader || return 1
  state=$(inside systemctl is-system-running 2>/dev/null)
  [[ $state == running || $state == degraded ]]
}

machine_leader() { echo "$machine_leader"; }
on_its_network() { nsenter --target "$machine_leader" --net -- "$@"; }

machine_boot() {
  local tree=$1
  # A real machine lets a service lock memory within its limit.
  systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --system-call-filter=@memlock \
    --console=pipe --directory="$tree" \
    </dev/null >"$tree.console" 2>&1 &
  machine_pid=$!
  if ! wait_for 60 has_started; then
    echo "machine.sh: $tree did not boot:" >&2
    tail -n 20 "$tree.console" >&2
    return 1
  fi
}

machine_has_ended() { ! kill -0 "$machine_pid" 2>/dev/null; }

machine_stop() {
  [[ -n $machine_pid ]] || return 0
  [[ -z $machine_leader ]] || inside systemctl poweroff >/dev/null 2>&1
  wait_for 30 machine_has_ended || kill -KILL "$machine_leader" "$machine_pid" 2>/dev/null
  wait "$machine_pid" 2>/dev/null
  machine_pid=
  machine_leader=
}

offline() {
  local tree=$1
  shift
  systemd-nspawn --quiet --register=no --keep-unit --console=pipe --directory="$tree" --setenv=DEBIAN_FRONTEND=noninteractive \
    -- "$@"
}
