#!/usr/bin/env bash
# Consumes the library from outside, as a project of somebody else's would.
#   run.sh BUILD_FOLDER
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$1
fail() { echo "FAILED: $*" >&2; exit 1; }

echo "-- examples/fetch_content, from the local source"
cmake -S "$source/examples/fetch_content" -B "$build/fetch_content" \
  -DFETCHCONTENT_SOURCE_DIR_WECHATPAY_BONUS_COMMIT="$source" > /dev/null
cmake --build "$build/fetch_content" --parallel > /dev/null
status=0
message=$("$build/fetch_content/credit_points" /no/such/cert.pem key.pem pub_key.pem PUB_KEY_ID_1 2>&1) || status=$?
[ $status = 2 ] || fail "exit status $status"
grep -q '^/no/such/cert.pem: cannot be opened' <<< "$message" || fail "message: $message"

echo "-- what comes in with the library, static and shared"
for shared in OFF ON; do
  cmake -S "$source/tests/package/leak_check" -B "$build/leak_check_$shared" \
    -DWECHATPAY_SOURCE="$source" -DBUILD_SHARED_LIBS=$shared > /dev/null
  cmake --build "$build/leak_check_$shared" --parallel > /dev/null
  "$build/leak_check_$shared/leak_check"
done
echo "-- the testing target"
cmake -S "$source/tests/package/testing_support" -B "$build/testing_support" -DWECHATPAY_SOURCE="$source" > /dev/null
cmake --build "$build/testing_support" --parallel > /dev/null
"$build/testing_support/testing_support" || fail "testing_support: exit status $?"
echo "the package tests passed"
