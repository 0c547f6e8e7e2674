#!/usr/bin/env bash
# Builds the benchmarks in Release and runs them: the pieces, and whole commits against nginx beside the same by hand.
#   run.sh [--short]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=build/benchmark

bash cmake/install-dependencies.sh benchmark

# nginx is unpacked, not installed: an installed one would start by itself.
nginx=$(command -v nginx || true)
if [ -z "$nginx" ]; then
  mkdir -p "$build/nginx"
  nginx=$PWD/$build/nginx/usr/sbin/nginx
  [ -x "$nginx" ] || (cd "$build/nginx" && apt-get download nginx > /dev/null 2>&1 && dpkg-deb -x nginx_*.deb .)
fi

log=$build/build.log
mkdir -p "$build"
if ! { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWECHATPAY_BONUS_COMMIT_BUILD_BENCHMARKS=ON &&
       cmake --build "$build" --target end_to_end pieces; } > "$log" 2>&1; then
  tail -n 100 "$log" >&2
  exit 1
fi

if [ "${1:-}" = --short ]; then
  "$build/tests/benchmark/pieces" --benchmark_min_time=0.01
  "$build/tests/benchmark/end_to_end" "$nginx" --short
else
  "$build/tests/benchmark/pieces" --benchmark_repetitions=7 --benchmark_report_aggregates_only=true
  "$build/tests/benchmark/end_to_end" "$nginx"
fi
