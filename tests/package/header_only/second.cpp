// Includes the same function bodies a second time.
#include <wechatpay/bonus_commit.hpp>

wechatpay::bonus_commit::CommitResult commit(const wechatpay::bonus_commit::BonusCommitClient& client,
                                             const wechatpay::bonus_commit::BonusCommitRequest& request);

wechatpay::bonus_commit::CommitResult commit(const wechatpay::bonus_commit::BonusCommitClient& client,
                                             const wechatpay::bonus_commit::BonusCommitRequest& request) {
  return client.commit(request);
}
