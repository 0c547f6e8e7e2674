#!/usr/bin/env bash
# Writes each C++ snippet of the README and the guides to its own file: OUTPUT/snippet_1.cpp and so on. A snippet that
# occurs in two languages, with comments in each language, is written once.
#   extract.sh OUTPUT FILE...
set -euo pipefail
output=$1
shift
mkdir -p "$output"
rm -f "$output"/snippet_*.cpp
awk -v output="$output" '
  /^```cpp$/      { inside = 1; at = FNR + 1; text = code = ""; next }
  /^```$/ && inside {
    inside = 0
    if (!seen[code]++) printf "#line %d \"%s\"\n%s", at, FILENAME, text > (output "/snippet_" ++number ".cpp")
  }
  inside          { text = text $0 "\n"; sub(/(^|[ \t]+)\/\/.*/, ""); code = code $0 "\n" }' "$@"
