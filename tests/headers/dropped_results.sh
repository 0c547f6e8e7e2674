#!/usr/bin/env bash
# Whoever drops a result that must be looked at is warned by the compiler.
#   dropped_results.sh COMPILER INCLUDE_FOLDER
set -euo pipefail
compiler=$1
include=$2
fail() { echo "FAILED: $*" >&2; exit 1; }

# compiles STATEMENT: without a warning that a result is dropped.
compiles() {
  "$compiler" -std=c++17 -fsyntax-only -Werror=unused-result -I "$include" -x c++ - << CODE
#include <wechatpay/bonus_commit.hpp>
wechatpay::bonus_commit::Result<int> check_receipt(const wechatpay::bonus_commit::CommitReceipt&);
wechatpay::bonus_commit::Result<void> require_receipt(const wechatpay::bonus_commit::CommitResult&);
void use(const wechatpay::bonus_commit::BonusCommitClient& client, const wechatpay::bonus_commit::BonusCommitRequest& request,
         const std::vector<wechatpay::bonus_commit::BonusCommitRequest>& requests, wechatpay::bonus_commit::PlatformKeys& keys,
         const wechatpay::bonus_commit::Credentials& credentials, wechatpay::bonus_commit::Result<int> result) {
  const auto take = [](const wechatpay::bonus_commit::BonusCommitRequest&, const wechatpay::bonus_commit::CommitResult&) { return true; };
  static_cast<void>(client), static_cast<void>(request), static_cast<void>(requests), static_cast<void>(keys);
  static_cast<void>(take), static_cast<void>(credentials), static_cast<void>(result);
  $1
}
CODE
}

compiles 'auto future = client.commit_async(request); static_cast<void>(future);' || fail "a future that is kept"
compiles 'client.commit_async(request, [](wechatpay::bonus_commit::CommitResult) {});' || fail "a callback hears the result"
for statement in 'client.commit(request);' 'client.commit_async(request);' 'request.check();' \
  'keys.announce("PUB_KEY_ID_1");' 'keys.remove("PUB_KEY_ID_1");' 'keys.warnings();' 'credentials.warnings();' \
  'result.transform([](int value) { return value; });' 'client.commit(request).and_then(check_receipt);' \
  'require_receipt(client.commit(request));' \
  'keys.add_public_key("PUB_KEY_ID_1", "");' 'commit_all(client, requests, take);'; do
  if compiles "$statement" 2> /dev/null; then fail "no warning: $statement"; fi
done
