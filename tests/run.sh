#!/usr/bin/env bash
# Installs what is missing, builds everything in every supported way, and runs every test; fuzzes for one minute.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/install-dependencies.sh tests

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

# run_tests NAME: one after the other, since some count threads or connections.
run_tests() {
  echo "== $1: tests"
  quietly "build/$1/tests.log" ctest --test-dir "build/$1" --output-on-failure --no-tests=error --timeout 300
  tail -n 20 "build/$1/tests.log"
}

build gcc-17 g++ 17 -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS=--coverage -fprofile-update=atomic"
find build/gcc-17 -name '*.gcda' -delete
run_tests gcc-17
echo "== coverage by lines"
gcovr --root . --filter include/ --filter src/ --exclude-unreachable-branches --fail-under-line 95 build/gcc-17 |
  sed -n '/^File/,$p'

build clang-20-sanitized clang++ 20 -DCMAKE_BUILD_TYPE=Debug -DWECHATPAY_BONUS_COMMIT_SANITIZE=address,undefined
run_tests clang-20-sanitized

build clang-17-threads clang++ 17 -DCMAKE_BUILD_TYPE=Debug -DWECHATPAY_BONUS_COMMIT_SANITIZE=thread
# The tests fork while there are threads; a child that starts threads of its own is what they are about.
TSAN_OPTIONS="die_after_fork=0 suppressions=$PWD/tests/support/tsan_suppressions.txt" run_tests clang-17-threads

targets="answer_fuzz keys_fuzz request_fuzz retry_after_fuzz" build fuzz clang++ 17 -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DWECHATPAY_BONUS_COMMIT_SANITIZE=address,undefined,fuzzer-no-link
echo "== fuzzing"
bash tests/fuzz/run.sh build/fuzz 25

build gcc-23 g++ 23
# What users compile, in the two settings that are left.
for_users="wechatpay_bonus_commit wechatpay_bonus_commit_testing wechatpay_bonus_commit_sandbox examples/all headers_stand_alone_17
  headers_stand_alone_20 readme_snippets_17 readme_snippets_20"
targets=$for_users build gcc-20 g++ 20 -DCMAKE_BUILD_TYPE=Release
targets=$for_users build clang-23 clang++ 23

echo "== benchmarks, in their short form: that they work, not how fast"
quietly build/benchmark/short.log bash tests/benchmark/run.sh --short

echo "== the API reference"
quietly build/api.log bash tests/readme/doxygen.sh . build/api

echo "== consumers"
bash tests/package/run.sh build/package

echo "All tests passed."
