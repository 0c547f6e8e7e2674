#!/usr/bin/env bash
# The guide's PHP code. The request is the same as from the official SDK, and answers are verified in the same way.
#   php.sh TOOL
set -euo pipefail
tool=$1
source "$(dirname "${BASH_SOURCE[0]}")/with_guide.sh"

{ echo '<?php'; guide_code php; } > "$folder/commit.php"
commit() { php -d auto_prepend_file="$here/sdk_stand_in.php" "$folder/commit.php" 2>&1; }

printf 'ok\nwrong-signature\nunsigned\nstale-timestamp\nunknown-serial\nprobe\n503\n' > "$folder/script"
start --folder "$folder/files" --script "$folder/script"
read_log
answer=$(commit) || fail "$answer"
[ "$answer" = 204 ] || fail "$answer"
for fault in wrong-signature unsigned stale-timestamp unknown-serial probe; do
  if answer=$(commit); then fail "$fault: $answer"; fi
  grep -q 'the answer is not verified' <<< "$answer" || fail "$fault: $answer"
done
if answer=$(commit); then fail "503: $answer"; fi
grep -q '503 {"code":"SYSTEM_ERROR"' <<< "$answer" || fail "503: $answer"
[ "$(commit)" = 204 ] || fail "after the faults"
end

# The stage with a platform certificate, without an announced public key.
start --folder "$folder/files" --stage certificates
read_log
certificate=$(echo "$folder"/files/wechatpay_*.pem)
WECHATPAY_PUBLIC_KEY_ID=$(basename "$certificate" .pem | cut -d _ -f 2)
WECHATPAY_PUBLIC_KEY_FILE=$certificate
export WECHATPAY_PUBLIC_KEY_ID WECHATPAY_PUBLIC_KEY_FILE
[ "$(commit)" = 204 ] || fail "with certificates"
end
echo "PHP works"
