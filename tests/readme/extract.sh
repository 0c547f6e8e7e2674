#!/usr/bin/env bash
# Writes each C++ snippet of the README to a file of its own: OUTPUT/snippet_1.cpp and so on.
#   extract.sh README OUTPUT
set -euo pipefail
mkdir -p "$2"
rm -f "$2"/snippet_*.cpp
awk -v output="$2" '
  /^```cpp$/ { file = output "/snippet_" ++number ".cpp"; next }
  /^```$/    { file = ""; next }
  file       { print > file }' "$1"
