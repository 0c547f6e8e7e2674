#!/usr/bin/env bash
# Runs the checks that run.sh leaves out: further compilers and standards, coverage, sanitizers, fuzzing, static
# analysis, the short soak, benchmarks, the outbox model, the API reference, and consumers. Takes about 25 minutes on
# two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/suite.sh

bash cmake/install-dependencies.sh matrix

# The only reasons to skip a test on this machine.
skips="shown by the other builds"
grep -q '^0*1 ' /proc/net/if_inet6 2> /dev/null || skips+="|this machine has no IPv6 loopback"

begin "format"
git ls-files '*.cpp' '*.hpp' '*.ipp' | xargs clang-format --dry-run --Werror
texts() { git grep -I "$@" -- ':!tests/fuzz/seeds' ':!tests/vectors'; }  # what .editorconfig is for
if texts --line-number '[[:blank:]]$' >&2; then exit 1; fi
texts --files-with-matches '' | while IFS= read -r text; do
  [ -z "$(tail -c 1 "$text")" ] || { echo "$text does not end with a line feed" >&2; exit 1; }
done
begin "scripts"
git ls-files '*.sh' .ci/run | xargs shellcheck --external-sources --source-path=SCRIPTDIR
begin "spelling"  # an SQLite keyword, and words that the tests misspell on purpose
texts --files-with-matches '' | grep -vE '^tests/package/exported_symbols.txt$|package-lock.json$' |
  xargs codespell --ignore-words-list=iif,comit,chekc,fo,keypair
begin "the simulation's breaks: that each can be put in"
python3 tests/simulation/breaks.py --check

# Each test by itself, twice in a row: it needs no test before it, and leaves nothing behind that it trips over. This
# uses the build of run.sh, without sanitizers, in which tests are quick. The program with the longest test comes first.
alone() {
  local log="$1.$$.log"
  "$1" --gtest_filter="$2" --gtest_repeat=2 < /dev/null > "$log" 2>&1 || { echo "$1: $2"; cat "$log"; return 1; }
  rm "$log"
}
export -f alone
each_alone() {
  local program
  for program in failure_tests unit_tests coroutine_tests integration_tests tool_tests; do
    "build/gcc-17/tests/$program" --gtest_list_tests |
      awk -v program="$program" '/^[^ ]/ { suite = $1 } /^ / { print "build/gcc-17/tests/" program, suite $1 }' || exit 1
  done | xargs -P 4 -L 1 bash -c "alone \"\$0\" \"\$1\""
}
build_tests
quietly build/gcc-17/database.log cmake --build build/gcc-17 --target database_tests  # g++'s warnings; they run below
begin "each test by itself, twice"
quietly build/gcc-17/alone.log each_alone

# Coverage and sanitizers in one build, by clang++, which compiles them in half of g++'s time. Each program runs its
# tests in a random order, in parallel with the other programs. The proxy variables name a proxy that does not exist.
sanitized=build/clang-20-sanitized
build clang-20-sanitized clang++ 20 "-DCMAKE_CXX_FLAGS=-g1 -fprofile-instr-generate -fcoverage-mapping" \
  -DWECHATPAY_BONUS_COMMIT_SANITIZE=address,undefined
rm -rf "$sanitized/profiles"
export LLVM_PROFILE_FILE=$PWD/$sanitized/profiles/%4m.profraw
others="clients|browser"  # tests of programs that heed the proxy variables
compiled="readme.(check|scripts)|headers"  # tests of texts, and of what a compiler says
nowhere=http://127.0.0.1:1
https_proxy=$nowhere HTTPS_PROXY=$nowhere all_proxy=$nowhere ALL_PROXY=$nowhere no_proxy=localhost NO_PROXY=localhost \
  TZ=Asia/Shanghai GTEST_SHUFFLE=1 run_tests clang-20-sanitized --label-exclude "$others" --exclude-regex "$compiled" \
  --parallel 4
run_tests clang-20-sanitized --label-regex "$others" --parallel 2
begin "coverage"
python3 tests/coverage.py "$sanitized"

# What a user's Release build runs, and as C++23.
targets="unit_tests coroutine_tests integration_tests failure_tests tool_tests" \
  build gcc-23-release g++ 23 -DCMAKE_BUILD_TYPE=Release
run_tests gcc-23-release --tests-regex '^(unit_tests|coroutine_tests|integration_tests.*|failure_tests.*|tool.tests)$' \
  --parallel 4

build clang-17-threads clang++ 17 -DCMAKE_CXX_FLAGS=-g1 -DWECHATPAY_BONUS_COMMIT_SANITIZE=thread
# The tests fork while threads run, because they test a child that starts its own threads. At its end, each process with
# threads waits for races with its end: not for a second, which is the default, because the tests start many.
TSAN_OPTIONS="die_after_fork=0 atexit_sleep_ms=200 suppressions=$PWD/tests/support/tsan_suppressions.txt" \
  run_tests clang-17-threads --label-exclude "$others" --exclude-regex "$compiled" --parallel 4

# By itself, each source of the tests, which must have what it needs, since the builds of the tests compile several as
# one; what includes all headers, with hostile macros and without exceptions; and each snippet of the guides. Nothing is
# built. (g++ compiles each header alone, below.)
each_source() {
  python3 -c 'import json, os; print(*(entry["command"] for entry in json.load(open("build/sources/compile_commands.json"))
    if entry["file"].startswith((os.getcwd() + "/tests/", os.getcwd() + "/build/sources/tests/"))
    and not entry["file"].endswith("_alone.cpp")), sep="\0", end="")' |
    xargs -0 -n 1 -P "$(nproc)" bash -c "cd build/sources && eval \"\$0 -fsyntax-only\""
}
begin "what clang++ says of each source of the tests and the guides"
unity=OFF configure sources clang++ 17 -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
quietly build/sources/build.log each_source

# This also reports clang++'s warnings for all sources as C++20, of shadowing, too. Nothing is built.
begin "static analysis"
configure UnifiedSource clang++ 20 -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0
bash tests/clang_tidy.sh build/UnifiedSource

targets="answer_fuzz keys_fuzz request_fuzz retry_after_fuzz" build fuzz clang++ 17 "-DCMAKE_CXX_FLAGS=-O1 -g1" \
  -DWECHATPAY_BONUS_COMMIT_SANITIZE=address,undefined,fuzzer-no-link
begin "fuzzing"
bash tests/fuzz/run.sh build/fuzz 25

# Builds the targets that users compile, each source by itself. The benchmarks below reuse this build. The consumers
# compile the same sources with the same options, some of them several times: ccache compiles each once.
export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_DIR=$PWD/build/ccache CCACHE_DEPEND=1
targets="wechatpay_bonus_commit wechatpay_bonus_commit_testing wechatpay_bonus_commit_sandbox wechatpay_bonus_commit_tool
  examples/all headers_stand_alone_17 headers_stand_alone_20 headers_without_exceptions_17 headers_without_exceptions_20
  readme_snippets_17 readme_snippets_20 soak simulation" unity=OFF \
  build benchmark g++ 23 -DCMAKE_BUILD_TYPE=Release -DWECHATPAY_BONUS_COMMIT_BUILD_BENCHMARKS=ON
run_tests benchmark --label-regex soak --parallel 2  # its only run without a sanitizer, which would hide its memory use

begin "benchmarks, in their short form: that they work, not how fast"
quietly build/benchmark/short.log bash tests/benchmark/run.sh --short

begin "the model of the outbox"
quietly build/model.log bash tests/model/check.sh build/model

begin "the API reference"
quietly build/api.log bash tests/readme/doxygen.sh . build/api

begin "consumers"
CXX=g++ bash tests/package/run.sh build/package  # under the same name, as ccache wants it

echo "All of the matrix passed, in $((SECONDS / 60)) minutes."
