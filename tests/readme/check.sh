#!/usr/bin/env bash
# What the README says of CMake and of commands is what the project has.
#   check.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"
fail() { echo "FAILED: $*" >&2; exit 1; }
block() { awk -v open="^\`\`\`$1\$" '$0 ~ open { on = 1; next } /^```$/ { on = 0 } on && NF' README.md; }

[ -n "$(block cmake)" ] || fail "no CMake snippet"
while IFS= read -r line; do
  grep -qxF -e "$line" examples/fetch_content/CMakeLists.txt || fail "not in examples/fetch_content: $line"
done < <(block cmake)

[ -n "$(block bash)" ] || fail "no command"
while read -r shell script rest; do
  [ "$shell" = bash ] && [ -f "$script" ] && [ -z "$rest" ] || fail "no such command: $shell $script $rest"
done < <(block bash)

grep -o '](\([a-z][^) ]*\))' README.md | sed 's/^](//; s/)$//' | while IFS= read -r link; do
  [ -e "$link" ] || fail "dead link: $link"
done
echo "the README agrees with the project"
