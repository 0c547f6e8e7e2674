#ifndef WECHATPAY_BONUS_COMMIT_IMPL_BATCH_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_BATCH_IPP

#include "wechatpay/bonus_commit/batch.hpp"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "wechatpay/bonus_commit/impl/batch_run.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {

WECHATPAY_BONUS_COMMIT_DECL BatchTime real_time() {
  return {[] { return BatchTime::Clock::now(); },
          [](std::condition_variable& changed, std::unique_lock<std::mutex>& lock, BatchTime::Clock::time_point until) {
            if (until == BatchTime::never) {
              changed.wait(lock);
            } else {
              changed.wait_until(lock, until);
            }
          }};
}

}  // namespace stages

WECHATPAY_BONUS_COMMIT_DECL Result<BatchSummary> commit_all(const BonusCommitClient& client, NextRequest next,
                                                            TakeResult take, const BatchOptions& options) {
  if (options.max_in_flight == 0) return configuration_error("BatchOptions::max_in_flight must be 1 or more");
  if (options.threads == 0) return configuration_error("BatchOptions::threads must be 1 or more");
  if (!next || !take) return stages::misuse("commit_all() needs both: what gives requests and what takes results");
  if (stages::in_callback()) {
    return stages::misuse("commit_all() was called from a callback, where it would wait for itself");
  }
  return stages::Batch(client, std::move(next), std::move(take), options, stages::real_time()).run();
}

WECHATPAY_BONUS_COMMIT_END

#endif
