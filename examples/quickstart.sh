#!/usr/bin/env bash
# Installs missing dependencies, builds, and commits 30 points to a local sandbox. Shows every stage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/install-dependencies.sh quickstart

log=build/quickstart/build.log
mkdir -p build/quickstart
[ -x build/quickstart/examples/quickstart ] || echo "Building; the first time takes about a minute..."
if ! { cmake -S . -B build/quickstart -DCMAKE_BUILD_TYPE=Release -DWECHATPAY_BONUS_COMMIT_BUILD_TESTS=OFF &&
       cmake --build build/quickstart --parallel; } > "$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
exec build/quickstart/examples/quickstart
