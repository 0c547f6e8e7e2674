#!/usr/bin/env bash
# Checks in libcurl's manual pages that the lowest supported version has every libcurl name that the library uses
# without a version check.
#   lowest_curl.sh BUILD_FOLDER
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "$1"
cd "$1"
fail() { echo "FAILED: $*" >&2; exit 1; }

# The pages are unpacked, not installed: many systems do not install manual pages.
pages=$PWD/usr/share/man/man3
if [ ! -d "$pages" ]; then
  { apt-get download libcurl4-doc || { apt-get update && apt-get download libcurl4-doc; }; } > log 2>&1 ||
    { cat log >&2; exit 1; }
  dpkg-deb -x libcurl4-doc_*.deb .
fi

lowest=$(sed -n 's/^set(WECHATPAY_BONUS_COMMIT_CURL \(.*\))$/\1/p' "$source/cmake/find_curl.cmake")
symbols=$(zcat "$pages/libcurl-symbols.3.gz" |
  awk '$1 == ".IP" { name = $2 } $1 == "Introduced" { print name, $3 }')

# added NAME: prints the version that added it, or nothing if no page names a version.
added() {
  case "$1" in
    CURL*) awk -v name="$1" '$1 == name { print $2 }' <<< "$symbols" ;;
    *) zcat "$pages/$1.3.gz" 2> /dev/null |
         sed -n '/^\.SH AVAILABILITY/,/^\.SH RETURN/ { s/.*[Aa]dded in \(libcurl \)\?\([0-9.]*[0-9]\).*/\2/p; s/^Always$/1.0/p; }' |
         head -n 1 ;;
  esac
}

used=$(awk '/^#if LIBCURL_VERSION_NUM/ { newer = 1 } /^#(else|endif)/ { newer = 0 } !newer' "$source"/src/curl/*.{hpp,cpp} |
  grep -ohE '\b(CURL[A-Z]*_[A-Z0-9_]*[A-Z0-9]|curl_((easy|multi|share|slist|url|global)_[a-z_]+|url|version(_info)?|free))\b' | sort -u)
[ "$(wc -w <<< "$used")" -gt 80 ] || fail "hardly a name of libcurl's is found in src/: $used"
for name in $used; do
  version=$(added "$name") || true
  [ -n "$version" ] || fail "no page tells when $name was added"
  [ "$(printf '%s\n' "$version" "$lowest.0" | sort -V | tail -n 1)" = "$lowest.0" ] ||
    fail "$name was added in $version, and libcurl $lowest is said to do"
done
echo "libcurl $lowest has all $(wc -w <<< "$used") names that are used"
