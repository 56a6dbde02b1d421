#!/bin/bash
# Builds the Debian package for the Debian this runs on and puts it into build/deb/.
#
#   packaging/build-deb.sh [--worktree] [--version V] [--no-tests]
#
#   --worktree   package the files as they lie here (all that git doesn't ignore); default: the last commit
#   --version V  instead of what the file VERSION says
#   --no-tests   don't run the unit tests in the package's build
#
# Nothing is written outside build/. Needs the group "build" of packaging/install-deps.sh.
set -euo pipefail

top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
from=commit
version=
while (($#)); do
  case $1 in
    --worktree) from=worktree ;;
    --version)
      version=${2:?--version needs a version}
      shift
      ;;
    --no-tests) export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} nocheck" ;;
    -h | --help)
      sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    *)
      echo "build-deb.sh: there is no option '$1'; see --help" >&2
      exit 2
      ;;
  esac
  shift
done

# A fixed place below build/, so that ccache knows the sources again; one build at a time.
output=$top/build/deb
export_folder=$output/export/clinic-gateway
mkdir -p "$output"
exec 9>"$output/.lock"
flock 9
# What lies there afterwards is of this commit, or nothing.
rm -rf "$output/export" "$output"/*.deb "$output"/*.buildinfo "$output"/*.changes "$output/debug"
mkdir -p "$export_folder"
if [[ $from == commit ]]; then
  git -C "$top" archive HEAD | tar -x -C "$export_folder"
  built_at=$(git -C "$top" log -1 --format=%ct)
else
  git -C "$top" ls-files -z --cached --others --exclude-standard --deduplicate |
    tar -C "$top" -c --null --no-recursion --ignore-failed-read -T - 2>/dev/null | tar -x -C "$export_folder"
  built_at=$(date +%s)
fi
cd "$export_folder"
cp -r packaging/debian debian

. /etc/os-release
[[ -n $version ]] || version=$(<VERSION)
full_version=$version+deb$VERSION_ID
maintainer=$(sed -n 's/^Maintainer: //p' debian/control)
cat >debian/changelog <<END
clinic-gateway ($full_version) $VERSION_CODENAME; urgency=medium

  * Version $version for Debian $VERSION_ID.

 -- $maintainer  $(date --utc --rfc-email --date="@$built_at")
END

export SOURCE_DATE_EPOCH=$built_at
# debhelper gives the build a home of its own; the cache of the compiler shall outlive it.
if command -v ccache >/dev/null; then
  CCACHE_DIR=${CCACHE_DIR:-$(ccache --get-config cache_dir)}
  export CCACHE_DIR
fi
dpkg-buildpackage --no-sign --build=binary

cd "$output"
mkdir -p debug
mv export/*-dbgsym_*.deb debug/ 2>/dev/null || rmdir debug
mv export/*.deb export/*.buildinfo export/*.changes .
rm -rf export
echo "build-deb.sh: $(ls "$output"/*.deb)"
