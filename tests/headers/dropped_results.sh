#!/usr/bin/env bash
# The compiler warns about code that drops a result that must be checked.
#   dropped_results.sh COMPILER INCLUDE_FOLDER
set -euo pipefail
compiler=$1
include=$2
fail() { echo "FAILED: $*" >&2; exit 1; }

kept=(
  'auto future = client.commit_async(request); static_cast<void>(future);'
  'client.commit_async(request, [](wechatpay::bonus_commit::CommitResult) {});')
dropped=(
  'client.commit(request);' 'client.commit_async(request);' 'request.check();' 'keys.announce("PUB_KEY_ID_1");'
  'keys.remove("PUB_KEY_ID_1");' 'keys.warnings();' 'credentials.warnings();'
  'result.transform([](int value) { return value; });' 'client.commit(request).and_then(check_receipt);'
  'require_receipt(client.commit(request));' 'keys.add_public_key("PUB_KEY_ID_1", "");'
  'commit_all(client, requests, take);')

# Each statement is on a line that is named after it, so one run of the compiler reports all of them.
statements=$(
  for each in "${!kept[@]}"; do printf '#line 1 "kept %s"\n%s\n' "$each" "${kept[each]}"; done
  for each in "${!dropped[@]}"; do printf '#line 1 "dropped %s"\n%s\n' "$each" "${dropped[each]}"; done
)
warnings=$(LC_ALL=C "$compiler" -std=c++17 -fsyntax-only -Wunused-result -I "$include" -x c++ - 2>&1 << CODE
#include <wechatpay/bonus_commit.hpp>
wechatpay::bonus_commit::Result<int> check_receipt(const wechatpay::bonus_commit::CommitReceipt&);
wechatpay::bonus_commit::Result<void> require_receipt(const wechatpay::bonus_commit::CommitResult&);
void use(const wechatpay::bonus_commit::BonusCommitClient& client, const wechatpay::bonus_commit::BonusCommitRequest& request,
         const std::vector<wechatpay::bonus_commit::BonusCommitRequest>& requests, wechatpay::bonus_commit::PlatformKeys& keys,
         const wechatpay::bonus_commit::Credentials& credentials, wechatpay::bonus_commit::Result<int> result) {
  const auto take = [](const wechatpay::bonus_commit::BonusCommitRequest&, const wechatpay::bonus_commit::CommitResult&) { return true; };
$statements
}
CODE
) || fail "a statement does not compile: $warnings"
for each in "${!kept[@]}"; do
  if grep -q "^kept $each:1:.*warning: " <<< "$warnings"; then fail "a warning: ${kept[each]}"; fi
done
for each in "${!dropped[@]}"; do
  grep -q "^dropped $each:1:.*warning: .*-Wunused-result" <<< "$warnings" || fail "no warning: ${dropped[each]}"
done
