#!/usr/bin/env bash
# Builds the benchmarks in Release and runs them: first the stages by themselves, then everything in figures.md and
# figures.svg. It writes these two files next to this script. With --short, which only checks that everything works, it
# writes them to build/benchmark. PostgreSQL and MariaDB are measured if their servers and client libraries are
# installed, each on a socket in a temporary folder.
#   run.sh [--short]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=build/benchmark

bash cmake/install-dependencies.sh benchmark

# nginx is unpacked, not installed: an installed nginx would start by itself.
nginx=$(command -v nginx || true)
if [ -z "$nginx" ]; then
  mkdir -p "$build/nginx"
  nginx=$PWD/$build/nginx/usr/sbin/nginx
  [ -x "$nginx" ] || (
    cd "$build/nginx"
    { apt-get download nginx || { apt-get update && apt-get download nginx; }; } > log 2>&1
    dpkg-deb -x nginx_*.deb .
  )
fi

log=$build/build.log
mkdir -p "$build"
if ! { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWECHATPAY_BONUS_COMMIT_BUILD_BENCHMARKS=ON &&
       cmake --build "$build" --target benchmarks; } > "$log" 2>&1; then
  tail -n 100 "$log" >&2
  exit 1
fi

figures=$build/figures.txt
: > "$figures"
if [ "${1:-}" = --short ]; then
  folder=$build
  "$build/tests/benchmark/pieces" --benchmark_min_time=0.01
else
  folder=tests/benchmark
  "$build/tests/benchmark/pieces" --benchmark_repetitions=7 --benchmark_report_aggregates_only=true
fi
for program in end_to_end own_work scale building outbox; do
  "$build/tests/benchmark/$program" "$figures" "$nginx" "$@"
done
"$build/tests/benchmark/write_figures" "$figures" "$nginx" "$folder"
cat "$folder/figures.md"
