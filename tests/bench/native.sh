# Sourced by the benches that are one program: native_bench TARGET OPTION DEFAULT "$@" reads [--build DIR] [--dir DIR] [--OPTION N] into $build,
# $dir and $count, and builds TARGET by the release preset where no build was named.
native_bench() {
  local target=$1 option=$2 root
  count=$3
  shift 3
  root=$(realpath "$(dirname "$0")/../..")
  build='' dir=${TMPDIR:-/var/tmp}
  while (($#)); do
    case $1 in
      --build) build=$(realpath "$2") ;;
      --dir) dir=$2 ;;
      --"$option") count=$2 ;;
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
    cmake --build "$build" --target "$target" >&2
  fi
}
