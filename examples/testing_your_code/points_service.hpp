// An example of a merchant's service around the client, and what its queue does next with each result.
#ifndef POINTS_SERVICE_HPP
#define POINTS_SERVICE_HPP

#include <wechatpay/bonus_commit.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace bonus = wechatpay::bonus_commit;

enum class Step { finish, retry_later, ask_a_person, pause_the_card, pause_the_merchant, stop_the_queue };

struct Next {
  Step step;
  std::chrono::seconds pause;
};

inline Next after(const bonus::CommitResult& result, int earlier_failures) {
  if (result) return {Step::finish, {}};
  const bonus::Error& error = result.error();
  const std::chrono::seconds backoff(std::min(5 << std::min(earlier_failures, 10), 3600));
  const std::chrono::seconds pause = std::max(backoff, error.retry_after.value_or(backoff));
  switch (error.remedy) {
    case bonus::Remedy::retry_later:
      return earlier_failures < 80 ? Next{Step::retry_later, pause} : Next{Step::ask_a_person, {}};
    case bonus::Remedy::correct_request: return {Step::ask_a_person, {}};
    case bonus::Remedy::ask_wechat_pay: return {Step::pause_the_card, std::chrono::minutes(10)};
    case bonus::Remedy::correct_setup:
    case bonus::Remedy::correct_the_program: break;
  }
  if (!error.verified()) return {Step::stop_the_queue, {}};
  return {Step::pause_the_merchant, std::chrono::minutes(10)};
}

class PointsService {
 public:
  PointsService(bonus::BonusCommitClient client, std::string mchid)
      : client_(std::move(client)), mchid_(std::move(mchid)) {}

  bonus::CommitResult credit(bonus::BonusCommitRequest order) const {
    order.merchant_mode = bonus::MerchantMode::direct;
    order.mchid = mchid_;
    return client_.commit(order);
  }

 private:
  bonus::BonusCommitClient client_;
  std::string mchid_;
};

#endif
