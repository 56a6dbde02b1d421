#!/bin/bash
# debian_tree.sh SUITE: prints the path of a minimal Debian tree (bookworm, trixie) that boots in systemd-nspawn.
# Made once and kept in $CLINIC_GATEWAY_CACHE (default ~/.cache/clinic-gateway); never written to afterwards: copy it.
# The packages come from wherever this machine gets Debian itself. Needs root and debootstrap.
set -euo pipefail

suite=${1:?usage: debian_tree.sh SUITE}
cache=${CLINIC_GATEWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/clinic-gateway}
tree=$cache/$suite
mkdir -p "$cache"
exec 9>"$tree.lock"
flock 9

if [[ ! -e $tree/.complete ]]; then
  mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    sed -nE 's/^(bookworm|trixie|stable|oldstable) //p' | head -n 1)
  [[ -n $mirror ]] || {
    echo "debian_tree.sh: apt on this machine names no source of Debian itself" >&2
    exit 1
  }
  rm -rf --one-file-system "$tree"
  debootstrap --variant=minbase --include=systemd-sysv,dbus,ca-certificates \
    "$suite" "$tree" "$mirror" >"$tree.log" 2>&1 || {
    echo "debian_tree.sh: debootstrap of $suite failed:" >&2
    tail -n 20 "$tree.log" >&2
    exit 1
  }
  # As Debian's installer leaves it; debootstrap writes none.
  printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$tree/etc/hosts"
  touch "$tree/.complete"
fi
echo "$tree"
