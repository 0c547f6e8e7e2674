#!/usr/bin/env bash
# Static analysis, with the checks of .clang-tidy, of all of src/ and include/: the sources, the headers that they
# include, and the few headers that only users include, each in its own source file.
#   clang_tidy.sh BUILD_FOLDER    configured with clang++, CMAKE_EXPORT_COMPILE_COMMANDS and CMAKE_UNITY_BUILD, because
#                                 third-party headers take most of the time. Nothing needs to be built.
#                                 Its name must contain UnifiedSource. Otherwise clang's analyzer follows no path
#                                 through a source that is included by another one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(cd "$1" && pwd)
fail() { echo "FAILED: $*" >&2; exit 1; }
[[ $build = *UnifiedSource* ]] || fail "UnifiedSource is not in the name $build"

# The compiled files: sources of src/, and CMake's unity sources, which include several of them.
mapfile -t sources < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" | sort -u |
  while IFS= read -r source; do
    if [[ $source = "$PWD"/src/* ]] || grep -qF "#include \"$PWD/src/" "$source"; then echo "$source"; fi
  done)
known=$(printf '%s\n' "${sources[@]}"; sed -n 's/^#include "\(.*\)"$/\1/p' "${sources[@]}")
for source in "$PWD"/src/*.cpp "$PWD"/src/*/*.cpp; do
  grep -qxF "$source" <<< "$known" || fail "no build of $source is known in $build"
done
while IFS= read -r header; do
  name=${header#include/}
  grep -rqE "#include [\"<]${name}[\">]" include src || sources+=("$build/tests/headers/${name//[\/.]/_}_alone.cpp")
done < <(find include -name '*.hpp')
if grep -rnE '#include .*\.cpp[">]' include src; then fail "a source is included"; fi  # CMake's unity sources may
# Builds that compile several sources as one have no -Wshadow, because the tests share names; src/ does not. The analyzer
# follows a function's paths through this many of their points, a quarter of the default: three quarters of its time go
# into the last paths of a few long functions.
options=(--extra-arg=-Wshadow --extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=50000)
printf '%s\n' "${sources[@]}" |
  xargs --delimiter='\n' --max-args=1 --max-procs="$(nproc)" clang-tidy -p "$build" --quiet \
    "${options[@]}" --checks=-bugprone-suspicious-include > "$build/clang-tidy.log" 2>&1 ||
  { grep -vE '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter' "$build/clang-tidy.log" >&2; fail "clang-tidy"; }
echo "clang-tidy has nothing to say of ${#sources[@]} sources"
