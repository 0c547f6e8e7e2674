#!/usr/bin/env bash
# Static analysis, by the checks of .clang-tidy, of all of src/ and of all of include/: of the headers that these sources
# include, and of the few that nobody includes but their users, each in a source of its own.
#   clang_tidy.sh BUILD_FOLDER    one that was configured with clang++ and CMAKE_EXPORT_COMPILE_COMMANDS
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(cd "$1" && pwd)
fail() { echo "FAILED: $*" >&2; exit 1; }

mapfile -t sources < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
  grep -E "^$PWD/src/" | sort -u)
while IFS= read -r header; do
  name=${header#include/}
  grep -rqE "#include [\"<]${name}[\">]" include src || sources+=("$build/tests/headers/${name//[\/.]/_}_alone.cpp")
done < <(find include -name '*.hpp')
for source in "$PWD"/src/*.cpp "$PWD"/src/*/*.cpp; do
  printf '%s\n' "${sources[@]}" | grep -qxF "$source" || fail "no build of $source is known in $build"
done
printf '%s\n' "${sources[@]}" |
  xargs --delimiter='\n' --max-args=4 --max-procs="$(nproc)" clang-tidy -p "$build" --quiet > "$build/clang-tidy.log" 2>&1 ||
  { grep -vE '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter' "$build/clang-tidy.log" >&2; fail "clang-tidy"; }
echo "clang-tidy has nothing to say of ${#sources[@]} sources"
