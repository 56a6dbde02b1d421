#!/bin/bash
# tests/bench/run.sh NAME [OPTION...]: measures one figure beside its peer, in the same run; the last line is one JSON object.
# NAME a-b is the file a_b.sh or a_b.py of this folder, which says in its head what it measures and needs.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
names() {
  find "$here" -maxdepth 1 -type f -executable \( -name '*.sh' -o -name '*.py' \) ! -name run.sh -printf '%f\n' |
    sed 's/\.[a-z]*$//; s/_/-/g' | sort -u | paste -sd ' '
}
name=${1:-}
case $name in
  '' | -h | --help)
    echo "usage: tests/bench/run.sh NAME [OPTION...]; NAME is one of: $(names)"
    [[ $name ]] && exit 0
    exit 2
    ;;
esac
shift
for bench in "$here/${name//-/_}".{sh,py}; do
  [[ ! -x $bench || $name == run ]] || exec "$bench" "$@"
done
echo "run.sh: there is no bench '$name'; there are: $(names)" >&2
exit 2
