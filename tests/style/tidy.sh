#!/bin/bash
# tidy.sh [--all] BUILD_DIR: clang-tidy (checks: .clang-tidy) over the sources that changed since the branch left its
# upstream, or in the last commit; --all: over all. BUILD_DIR has compile_commands.json. Skipped (exit 77) where
# clang-tidy 14 of Debian 12 is missing: others know other checks.
set -euo pipefail

all=
if [[ ${1:-} == --all ]]; then
  all=yes
  shift
fi
build=$(realpath "${1:?usage: tidy.sh [--all] BUILD_DIR}")
cd "$(dirname "$0")/../.."
version=14
tool=$(command -v clang-tidy-$version || command -v clang-tidy || true)
if [[ -z $tool || $("$tool" --version) != *"version $version."* ]]; then
  echo "tidy.sh: skipped, clang-tidy $version is not here; Debian 12 has it"
  exit 77
fi

rooms=(core crypto sync adapters daemon tests)
changed_files() {
  local base
  base=$(git merge-base HEAD '@{upstream}' 2>/dev/null || true)
  if [[ -z $base || $base == "$(git rev-parse HEAD 2>/dev/null)" ]]; then
    base=$(git rev-parse --verify HEAD~1)
  fi
  git diff --name-only --diff-filter=d "$base" -- "${rooms[@]}"
  git ls-files --others --exclude-standard -- "${rooms[@]}"
}
# A header is read through the source of the same name.
sources_of() {
  local file
  while read -r file; do
    case $file in
      *.cpp) echo "$file" ;;
      *.h) [[ ! -e ${file%.h}.cpp ]] || echo "${file%.h}.cpp" ;;
    esac
  done | sort -u
}

if [[ $all ]]; then
  mapfile -t sources < <(find "${rooms[@]}" -name '*.cpp' | sort)
else
  if ! git rev-parse --verify --quiet HEAD~1 >/dev/null; then
    echo "tidy.sh: skipped, this clone has one commit and nothing to compare it with; tests/run.sh release reads all"
    exit 77
  fi
  mapfile -t sources < <(changed_files | sources_of)
fi
# Only what this build knows how to compile.
known=()
for source in "${sources[@]}"; do
  ! grep -qF "\"$PWD/$source\"" "$build/compile_commands.json" || known+=("$source")
done
if ((${#known[@]} == 0)); then
  echo "tidy.sh: no source changed"
  exit 0
fi
printf '%s\0' "${known[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "$tool" -p "$build" --quiet --extra-arg=-Wno-everything 2>&1 |
  { grep -vE '^[0-9]+ warnings? (and [0-9]+ errors? )?generated|^Suppressed|^Use -header-filter' || true; }
echo "tidy.sh: ${#known[@]} sources clean"
