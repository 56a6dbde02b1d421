#!/bin/bash
# Our C++ is as clang-format of Debian 12 writes it (with --fix: makes it so). Other versions format differently, so
# elsewhere this is skipped: exit 77.
set -euo pipefail

cd "$(dirname "$0")/../.."
version=14
tool=$(command -v clang-format-$version || command -v clang-format || true)
if [[ -z $tool || $("$tool" --version) != *"version $version."* ]]; then
  echo "format.sh: skipped, clang-format $version is not here; Debian 12 has it"
  exit 77
fi
mode=(--dry-run -Werror)
[[ ${1:-} != --fix ]] || mode=(-i)
mapfile -t files < <(find core crypto sync adapters daemon tests \( -name '*.h' -o -name '*.cpp' \) | sort)
((${#files[@]})) || exit 1
"$tool" "${mode[@]}" "${files[@]}" || {
  echo "format.sh: run tests/style/format.sh --fix"
  exit 1
}
echo "format.sh: ${#files[@]} files"
