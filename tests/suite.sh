# shellcheck shell=bash
# Shared by run.sh and matrix.sh, which source it from the project's root.

# begin STAGE: starts a stage, and prints how long the one before took. If something fails, the stage's name is the last
# line of the output.
begin() {
  [ -z "${stage:-}" ] || echo "-- $((SECONDS - stage_began)) s"
  stage=$1
  stage_began=$SECONDS
  echo "== $stage"
}
trap '[ $? = 0 ] || echo "FAILED: ${stage:-the beginning}" >&2' EXIT

# failures LOG: prints what failed in a build or in tests, in a few lines.
failures() {
  awk '
    function unfinished() { if (running != "") print "did not end: " running; running = "" }
    /^\[ RUN / { running = $4 }
    /^\[ +(OK|FAILED|SKIPPED) \]/ { running = "" }
    /: Failure$/ { inside = 1 }
    /^$|^\[/ { inside = 0 }
    inside || /^\[  FAILED  \] .*\([0-9]+ ms\)$/ { print; next }
    /^ *[0-9]+\/[0-9]+ Test +#/ { unfinished() }
    /^The following tests FAILED:/ { unfinished(); rest = 1 }
    rest || /^FAILED[: ] |^seed [0-9]+: |^Note: Randomizing|[eE]rror: |Error at |^CMake Error/ { print; next }
    /ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer|runtime error: |^SUMMARY: / { print }
    /terminate called|what\(\): / { print }
    END { unfinished() }' "$1" | tail -n 100
}

# quietly LOG COMMAND...: writes the output to the file LOG. If the command fails, prints the end of LOG, then the
# failures.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" > "$log" 2>&1 && return
  { tail -n 200 "$log"; echo "-- what failed, of $log"; failures "$log"; } >&2
  exit 1
}

# configure NAME COMPILER STANDARD [CMAKE ARGUMENT...]: for a build that compiles several sources as one, which takes
# less time. With unity=OFF, each source is compiled by itself.
configure() {
  local name=$1 compiler=$2 standard=$3
  shift 3
  quietly "build/$name/configure.log" cmake -S . -B "build/$name" -G Ninja \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_STANDARD="$standard" "-DCMAKE_UNITY_BUILD=${unity:-ON}" "$@"
}

# build NAME COMPILER STANDARD [CMAKE ARGUMENT...]: configures, and builds all targets, or those in $targets. Warnings
# are errors.
build() {
  local name=$1
  begin "$name: $2 as C++$3 ${*:4}"
  configure "$@"
  # shellcheck disable=SC2086  # several targets are several words
  quietly "build/$name/build.log" cmake --build "build/$name" --target ${targets:-all}
}

# build_tests: builds as gcc-17 what run.sh tests.
build_tests() {
  targets="unit_tests coroutine_tests integration_tests failure_tests tool_tests simulation readme_tests
    readme_snippets_17 program_without_exceptions examples/all" build gcc-17 g++ 17
}

# skipped NAME: prints the tests that the last run_tests NAME skipped, with the reasons.
skipped() {
  awk '/: Skipped$/ { getline reason } /^\[  SKIPPED \] .*\([0-9]+ ms\)$/ { print "skipped: " $4 ": " reason }' \
    "build/$1/Testing/Temporary/LastTest.log" | sort -u
}

# run_tests NAME [CTEST ARGUMENT...]: runs one program after the other, unless --parallel is given. Prints the skipped
# tests. If $skips is set, a skip whose reason does not match this pattern is a failure.
run_tests() {
  local name=$1
  shift
  begin "$name: tests $*"
  quietly "build/$name/tests.log" ctest --test-dir "build/$name" --output-on-failure --no-tests=error "$@"
  tail -n 20 "build/$name/tests.log"
  skipped "$name"
  [ -n "${skips:-}" ] || return 0
  skipped "$name" > "build/$name/skipped.log"
  if grep -vE "($skips)$" "build/$name/skipped.log" >&2; then
    echo "-- these must not be skipped here" >&2
    exit 1
  fi
}
