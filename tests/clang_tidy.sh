#!/usr/bin/env bash
# Static analysis, by the checks of .clang-tidy, of all of src/ and, by way of the sources that include one header each, of
# all of include/.
#   clang_tidy.sh BUILD_FOLDER    one that was configured with clang++ and CMAKE_EXPORT_COMPILE_COMMANDS
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(cd "$1" && pwd)
fail() { echo "FAILED: $*" >&2; exit 1; }

mapfile -t sources < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
  grep -E "^$PWD/src/|_alone\.cpp$" | sort -u)
for source in "$PWD"/src/*.cpp "$PWD"/src/*/*.cpp; do
  printf '%s\n' "${sources[@]}" | grep -qxF "$source" || fail "no build of $source is known in $build"
done
printf '%s\n' "${sources[@]}" |
  xargs --delimiter='\n' --max-args=4 --max-procs="$(nproc)" clang-tidy -p "$build" --quiet > "$build/clang-tidy.log" 2>&1 ||
  { grep -vE '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter' "$build/clang-tidy.log" >&2; fail "clang-tidy"; }
echo "clang-tidy has nothing to say of ${#sources[@]} sources"
