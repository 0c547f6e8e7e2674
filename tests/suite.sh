# shellcheck shell=bash
# What run.sh and matrix.sh share; they source it from the project's root.

# quietly LOG COMMAND...: what it says goes into the file LOG; the end of that is shown if it fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" > "$log" 2>&1 || { tail -n 300 "$log" >&2; exit 1; }
}

# build NAME COMPILER STANDARD [CMAKE ARGUMENT...]: all targets, or those in $targets; warnings are errors in each.
build() {
  local name=$1 compiler=$2 standard=$3
  shift 3
  echo "== $name: $compiler as C++$standard $*"
  quietly "build/$name/configure.log" cmake -S . -B "build/$name" -G Ninja \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_STANDARD="$standard" "$@"
  # shellcheck disable=SC2086  # several targets are several words
  quietly "build/$name/build.log" cmake --build "build/$name" --target ${targets:-all}
}

# run_tests NAME [CTEST ARGUMENT...]: one after the other, since some count threads or connections.
run_tests() {
  local name=$1
  shift
  echo "== $name: tests"
  quietly "build/$name/tests.log" \
    ctest --test-dir "build/$name" --output-on-failure --no-tests=error --timeout 300 "$@"
  tail -n 20 "build/$name/tests.log"
}
