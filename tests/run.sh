#!/usr/bin/env bash
# Installs missing dependencies, builds with g++ as C++17, and runs the tests: unit, integration, failures, tool,
# guides.
# Takes a few minutes. matrix.sh runs the other checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/suite.sh

bash cmake/install-dependencies.sh tests

build_tests
run_tests gcc-17 --label-exclude "soak|database|clients|browser" --parallel 4

echo "The tests passed."
