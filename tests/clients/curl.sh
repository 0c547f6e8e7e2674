#!/usr/bin/env bash
# A request that is signed with openssl and sent with curl, as in the guide.
#   curl.sh TOOL
set -euo pipefail
tool=$1
source "$(dirname "${BASH_SOURCE[0]}")/with_guide.sh"

start --folder "$folder/files"
read_log
guide_code sh > "$folder/commit.sh"
answer=$(without_proxy bash "$folder/commit.sh" 2> "$folder/err") || fail "$(< "$folder/err")"
grep -q '^HTTP/1.1 204' <<< "$answer" || fail "not answered with 204: $answer"

# The answer is verified with openssl, too.
header() { sed -n "s/^$1: \(.*\)\r\$/\1/p" <<< "$answer"; }
[ "$(header Wechatpay-Serial)" = "$WECHATPAY_PUBLIC_KEY_ID" ] || fail "signed with another key: $answer"
header Wechatpay-Signature | openssl base64 -d -A > "$folder/signature"
printf '%s\n%s\n\n' "$(header Wechatpay-Timestamp)" "$(header Wechatpay-Nonce)" |
  openssl dgst -sha256 -verify "$WECHATPAY_PUBLIC_KEY_FILE" -signature "$folder/signature" > /dev/null ||
  fail "the signature does not match: $answer"

# The body differs from the one that was signed.
# shellcheck disable=SC2016  # the variable is in the text
answer=$(sed 's/--data "$body"/--data "$body "/' "$folder/commit.sh" | without_proxy bash 2> /dev/null)
grep -q 'SIGN_ERROR' <<< "$answer" || fail "another body was taken: $answer"
end
echo "curl works"
