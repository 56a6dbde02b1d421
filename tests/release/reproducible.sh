#!/bin/bash
# reproducible.sh: the package built again from the same commit, in another folder, with another clock zone and language and no cache
# of the compiler, is the same file as the one in build/deb/ (packaging/build-deb.sh made it). Exits 1 where it is not.
set -euo pipefail

top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
first=$(ls "$top"/build/deb/clinic-gateway_*.deb)
work=$(mktemp -d "${TMPDIR:-/var/tmp}/clinic-gateway-again.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
git clone --quiet "$top" "$work/elsewhere"
(cd "$work/elsewhere" && CCACHE_DISABLE=1 TZ=Pacific/Auckland LC_ALL=C.UTF-8 packaging/build-deb.sh --no-tests) >"$work/log" 2>&1 || {
  tail -n 40 "$work/log"
  exit 1
}
second=$(ls "$work"/elsewhere/build/deb/clinic-gateway_*.deb)
sha256sum "$first" "$second" | sed "s|$work/||; s|$top/||"
cmp "$first" "$second" && exit 0
echo "reproducible.sh: the two differ; in these files:"
for one in first second; do
  dpkg-deb --extract "${!one}" "$work/$one"
  (cd "$work/$one" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/$one.sums"
done
diff "$work/first.sums" "$work/second.sums" || true
exit 1
