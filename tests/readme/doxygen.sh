#!/usr/bin/env bash
# Doxygen generates the API reference without a warning, and every public name is documented.
#   doxygen.sh SOURCE_FOLDER OUTPUT_FOLDER
set -euo pipefail
mkdir -p "$2"
output=$(cd "$2" && pwd)
cd "$1"
{ cat cmake/Doxyfile; printf '%s\n' "OUTPUT_DIRECTORY = \"$output\"" "GENERATE_XML = YES"; } | doxygen -

# Doxygen 1.9 does not warn about an undocumented enumerator.
undocumented=$(awk '
  /<enumvalue /   { inside = 1; documented = 0; name = "" }
  inside && /<name>/ && name == "" { name = $0; gsub(/ *<\/?name>/, "", name) }
  inside && /<para>/  { documented = 1 }
  /<\/enumvalue>/ { inside = 0; ++enumerators; if (!documented) print FILENAME ": " name }
  END { if (enumerators == 0) print "no enumerators at all" }' "$output"/xml/*.xml)
[ -z "$undocumented" ] || { echo "FAILED: without documentation: $undocumented" >&2; exit 1; }
echo "the API reference is complete"
